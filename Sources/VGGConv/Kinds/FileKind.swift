internal import VGGArchive
public import VGGBytes
internal import VGGHDF5
internal import VGGInterchange
internal import VGGKeras
internal import VGGNative
internal import VGGONNX
internal import VGGPictures
internal import VGGTFLite
internal import VGGTorch

/// What a file is by its content; names and extensions are not looked at.
public enum FileKind: Equatable, Sendable {
  /// The native format.
  case native
  /// The native format, by all of its header but the signature, which is damaged.
  case damagedNative
  /// HDF5: Keras weights or a Caffe snapshot. The superblock's offset is that of its signature.
  case hdf5(superblock: Int)
  /// A zip archive: `.keras`, `.npz`, or another one.
  case zip
  /// Tensors as safetensors.
  case safetensors
  /// A file of PyTorch as it was up to 1.5: a pickle with numbers behind it.
  case pickledTensors
  /// Text that begins with a brace: perhaps an index of Keras shards.
  case json
  /// A TensorFlow Lite model.
  case tflite
  /// A graph of ONNX.
  case onnx
  /// One NumPy array.
  case npy
  /// A PNG, JPEG, or binary PPM or PGM picture.
  case picture
  /// A picture of a kind that is not read: what it is, such as `a WebP picture`.
  case otherPicture(String)
  /// Nothing at all.
  case empty
  /// Something that is known, but is no source of VGG weights; what it is, and what to do about it.
  case mistaken(String, advice: String)
  /// Nothing with a signature: perhaps a Caffe model, which has none.
  case unknown

  /// Looks at the first bytes.
  public init(of file: ByteRegion) {
    func begins(_ text: String) -> Bool { file.hasBytes(Array(text.utf8)) }
    if NativeSignature.isDamaged(in: file) {
      self = .damagedNative
    } else if begins("MATLAB 7.3"), let mistake = FileKind.mistake(file) {
      self = mistake  // HDF5 behind a head of MATLAB's own
    } else if file.count == 0 {
      self = .empty
    } else if file.hasBytes(NativeSignature.bytes) {
      self = .native
    } else if let offset = HDF5Superblock.offset(in: file) {
      self = .hdf5(superblock: offset)
    } else if ZipArchive.hasSignature(file) {
      self = .zip
    } else if TFLiteImporter.recognizes(file) {
      self = .tflite
    } else if SafetensorsFile.hasSignature(file) {
      self = .safetensors
    } else if TorchImporter.hasLegacySignature(file) {
      self = .pickledTensors
    } else if let pickled = FileKind.pickledArray(file) {
      self = pickled
    } else if file.hasBytes([0x93] + Array("NUMPY".utf8)) {
      self = .npy
    } else if Picture.hasSignature(file) {
      self = .picture
    } else if let name = Picture.nameOfOtherKind(file) {
      self = .otherPicture(name)
    } else if let mistake = FileKind.mistake(file) {
      self = mistake
    } else if KerasSource.mayBeIndex(file) {
      self = .json
    } else if ONNXImporter.recognizes(file) {
      self = .onnx
    } else {
      self = .unknown
    }
  }
}
