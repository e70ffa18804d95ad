import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

/// A reader of untrusted bytes, fit to be called with any bytes a million times.
///
/// A crash, a trap, a hang, a leak and a large allocation are for the fuzzer and its sanitizers to see. What else every reader
/// promises is checked here: a `FileError` says that the file is wrong, not the system, and where it says so, that place is
/// in the file.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A `.caffemodel`; the last byte chooses the options.
  case caffe
  /// A prototxt that is read beside a caffemodel; the last byte chooses which, and the options.
  case prototxt
  /// An `.onnx` file; the last byte chooses the options.
  case onnx
  /// The contents of an HDF5 file, as `HDF5Text` writes them; the last byte chooses the options.
  case keras
  /// What the process that parses HDF5 files hands over.
  case catalogue
  /// The first bytes of any file, by which it is known, and the superblock of an HDF5 file.
  case signature
  /// A Keras model's configuration; the last byte chooses the options.
  case configuration
  /// A TensorFlow Lite model.
  case tflite
  /// A native model, with the digest of its manifest put right.
  case native
  /// A zip archive.
  case zip
  /// A NumPy array.
  case numpy
  /// JSON.
  case json
  /// A file of PyTorch in the form of pickles one after the other.
  case pickle
  /// Tensors as safetensors; the last byte chooses the options.
  case safetensors
  /// A PNG, JPEG or PPM picture.
  case picture

  /// Reads bytes to the last value that they promise.
  ///
  /// - Returns: Whether they are a file of the target's kind.
  public func accepts(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    // A copy of exactly this size, so that AddressSanitizer sees a read past the end.
    var content = ByteRegion(copying: Array(bytes))
    var choice: UInt8 = 0
    if hasChoice {
      guard let last = bytes.last, let rest = content.slice(at: 0, count: bytes.count - 1) else {
        return false
      }
      content = rest
      choice = last
    }
    do throws(FileError) {
      try read(content, choice)
      return true
    } catch {
      precondition(error.kind == .malformed || error.kind == .unsupported, "\(error.kind): \(error)")
      precondition((0...content.count).contains(error.offset ?? 0) || !offsetsAreOfContent, "\(error)")
      precondition(!error.description.contains("\n") && !error.code.isEmpty)
      return false
    }
  }

  private var hasChoice: Bool {
    switch self {
    case .caffe, .prototxt, .onnx, .keras, .configuration, .safetensors: true
    case .catalogue, .signature, .tflite, .native, .zip, .numpy, .json, .pickle, .picture: false
    }
  }

  /// Whether errors count offsets in the bytes that were given.
  private var offsetsAreOfContent: Bool {
    switch self {
    case .keras, .prototxt: false
    case .caffe, .onnx, .catalogue, .signature, .configuration, .tflite, .native, .zip, .numpy, .json,
      .pickle,
      .safetensors,
      .picture:
      true
    }
  }

  private func read(_ content: ByteRegion, _ choice: UInt8) throws(FileError) {
    switch self {
    case .caffe: try readCaffe(content, choice)
    case .prototxt: try readPrototxt(content, choice)
    case .onnx: try readONNX(content, choice)
    case .keras: try readKeras(content, choice)
    case .catalogue: try readCatalogue(content)
    case .signature: try readSignature(content)
    case .configuration: try readConfiguration(content, choice)
    case .tflite: try readTFLite(content)
    case .native: try readNative(content)
    case .zip: try readZip(content)
    case .numpy: try readNumPy(content)
    case .json: try readJSON(content)
    case .pickle: try readPickle(content)
    case .safetensors: try readSafetensors(content, choice)
    case .picture: try readPicture(content)
    }
  }
}

extension ImportOptions {
  /// The options that a byte of the input chooses.
  init(choice: UInt8) {
    self.init()
    allowsNonFinite = choice & 1 != 0
    kernelsAreRotated = [nil, nil, true, false][Int(choice >> 1 & 3)]
    flattenOrder = [nil, nil, .hwc, .chw][Int(choice >> 3 & 3)]
    channelOrder = choice & 0x20 == 0 ? nil : .rgb
    normalization =
      choice & 0x40 == 0 ? nil : LocalResponseNormalization(size: 5, scale: 1e-4, beta: 0.75, k: 2)
    architecture = choice & 0x80 == 0 ? nil : .a
  }
}

extension Model {
  /// Reads every value that the shapes promise.
  func readValues() throws(FileError) {
    precondition(!tensors.isEmpty)
    for tensor in tensors {
      let values = try tensor.values.array()
      precondition(values.count == tensor.shape.reduce(1, *))
    }
  }
}
