internal import VGGBytes

extension FileKind {
  /// What people feed a converter by mistake; nil where a file is none of it.
  static func mistake(_ file: ByteRegion) -> FileKind? {
    if let signature = signatures.first(where: { file.hasBytes($0.bytes, at: $0.offset) }) {
      return .mistaken(signature.problem, advice: signature.advice)
    }
    return text(file) ?? pickle(file) ?? torch7(file) ?? paddle(file)
      ?? darknetOrNCNN(file) ?? table(file) ?? mnn(file)
  }

  // MARK: Signatures

  private struct Signature {
    var offset = 0
    var bytes: [UInt8]
    var problem: String
    var advice: String

    init(_ bytes: [UInt8], at offset: Int = 0, _ problem: String, _ advice: String = useTheOriginal) {
      (self.offset, self.bytes, self.problem, self.advice) = (offset, bytes, problem, advice)
    }

    init(_ text: String, at offset: Int = 0, _ problem: String, _ advice: String = useTheOriginal) {
      self.init(Array(text.utf8), at: offset, problem, advice)
    }
  }

  static let useTheOriginal = "convert from the Keras or Caffe file it was made of"

  private static let signatures: [Signature] = [
    Signature([0x1F, 0x8B], "is compressed with gzip", "unpack it with 'gunzip' or 'tar xzf' first"),
    Signature("BZh", "is compressed with bzip2", "unpack it with 'bunzip2' or 'tar xjf' first"),
    Signature(
      [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "is compressed with xz",
      "unpack it with 'unxz' or 'tar xJf' first"),
    Signature([0x28, 0xB5, 0x2F, 0xFD], "is compressed with Zstandard", "unpack it with 'unzstd' first"),
    Signature([0x04, 0x22, 0x4D, 0x18], "is compressed with LZ4", "unpack it with 'unlz4' first"),
    Signature([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "is a 7-Zip archive", "unpack it with '7z x' first"),
    Signature("Rar!\u{1A}\u{07}", "is a RAR archive", "unpack it with 'unrar x' first"),
    Signature("ustar", at: 257, "is a tar archive", "unpack it with 'tar xf' first"),
    Signature("GGUF", "is a GGUF model"),
    Signature("MATLAB 5.0", "is a MATLAB file"),
    Signature("MATLAB 7.3", "is a MATLAB file (version 7.3, which is HDF5)"),
    Signature("ORTM", at: 4, "is a model in ONNX Runtime's own format (.ort)"),
    Signature("ET12", at: 4, "is an ExecuTorch program (.pte)"),
    Signature("ftrt", "is a TensorRT engine"),
    Signature("ptrt", "is a TensorRT engine"),
    Signature("RKNN", "is an RKNN model"),
    Signature([0x42, 0, 0x43, 0, 0x4E, 0], "is a CNTK model"),
    Signature([0x12, 0x01, 0, 0, 0, 0, 0, 0], "is a file of MXNet's parameters"),
    Signature([0xDD, 0x85, 0x76, 0x00], "is an ncnn network (.param.bin), without weights"),
    Signature([0x47, 0x6B, 0x30, 0x01], "is a file of ncnn's weights (.bin), in half precision"),
  ]

  // MARK: Text

  private static func text(_ file: ByteRegion) -> FileKind? {
    // Text has no zeros: binary files, which may be many, are not split into lines.
    let head = file.slice(at: 0, count: min(file.count, 4096))?.withBytes { bytes in
      bytes.contains(0) ? nil : String(decoding: bytes, as: UTF8.self)
    }
    guard let head = head ?? nil else { return nil }
    let visible = head.drop { $0.isWhitespace || $0 == "\u{FEFF}" }.lowercased()
    let lines = visible.split(whereSeparator: \.isNewline).map { $0.drop { $0.isWhitespace } }
    /// Whether lines begin with these words, wherever they stand.
    func hasLines(_ words: String...) -> Bool {
      words.allSatisfy { word in lines.contains { $0.hasPrefix(word) } }
    }
    if head.hasPrefix("version https://git-lfs") {
      return .mistaken("is a Git LFS pointer, not the file itself", advice: "fetch it with 'git lfs pull'")
    }
    if visible.hasPrefix("<?xml"), visible.contains("<net ") {
      return .mistaken("is a network of OpenVINO's, without weights", advice: useTheOriginal)
    }
    if ["<!doctype", "<html", "<?xml", "<error>"].contains(where: visible.hasPrefix) {
      return .mistaken("is a web page, not a weight file", advice: "download the file itself")
    }
    if head.hasPrefix("7767517\n") || head.hasPrefix("7767517\r") {
      return .mistaken("is an ncnn network (.param), without weights", advice: useTheOriginal)
    }
    if head.hasPrefix("model_checkpoint_path:") {
      return .mistaken(
        "is a list of TensorFlow's checkpoints, without weights", advice: TensorFlowFiles.saveCheckpoint)
    }
    if visible.hasPrefix("node {"), hasLines("op:") {
      return .mistaken("is a TensorFlow graph as text", advice: useTheOriginal)
    }
    if visible.hasPrefix("saved_model_schema_version:") {
      return .mistaken("is a TensorFlow SavedModel as text", advice: TensorFlowFiles.saveModel)
    }
    if hasLines("op {", "output:", "type:") {
      return .mistaken("is a Caffe2 network as text", advice: useTheOriginal)
    }
    if hasLines("ir_version:", "graph {") {
      return .mistaken("is an ONNX model as text", advice: useTheOriginal)
    }
    if hasLines("class_name:", "config:") {
      return .mistaken(
        "is the description of a Keras model (YAML), without weights",
        advice: "give the weight file that was saved with it, such as weights.h5")
    }
    if visible.hasPrefix("[net]") || visible.hasPrefix("[network]"), hasLines("[convolutional]") {
      return .mistaken(
        "is the description of a Darknet network (.cfg), without weights", advice: useTheOriginal)
    }
    return nil
  }

  // MARK: Pickles

  /// Protocols 2 to 5 begin with their number; 0 and 1 with an opcode, and end with the one that stops.
  private static func pickle(_ file: ByteRegion) -> FileKind? {
    let isNumbered = file.byte(at: 0) == 0x80 && (2...5).contains(file.byte(at: 1) ?? 0)
    let old = [
      "(dp", "(lp", "(ip", "cnumpy", "ccopy_reg", "ccollections", "c__builtin__", "}q", "]q", "}(", "](",
      "(}", "(]",
    ]
    let isOld =
      file.byte(at: file.count - 1) == UInt8(ascii: ".") && old.contains { file.hasBytes(Array($0.utf8)) }
    guard isNumbered || isOld else { return nil }
    return .mistaken(
      "is a Python pickle, as PaddlePaddle (.pdparams), Lasagne and others write; reading one can run any code, so this is never done",
      advice: "save the weights as Keras .h5 or Caffe .caffemodel where you trust it")
  }

  /// A NumPy file of objects, as caffe-tensorflow and tensorflow-vgg keep their dictionaries of weights.
  static func pickledArray(_ file: ByteRegion) -> FileKind? {
    guard file.hasBytes([0x93] + Array("NUMPY".utf8)) else { return nil }
    let head = file.slice(at: 0, count: min(file.count, 256))?.withBytes {
      String(decoding: $0, as: UTF8.self)
    }
    guard let head, head.contains("'descr': '|O'") else { return nil }
    return .mistaken(
      "is a NumPy file of pickled Python objects, as vgg16.npy of tensorflow-vgg; reading one can run any code, so this is never done",
      advice: "save the weights as Keras .h5 or Caffe .caffemodel where you trust it")
  }

  // MARK: Other frameworks

  /// PaddlePaddle writes before each parameter: version 0, level 0, version 0, and a message with the type and shape.
  private static func paddle(_ file: ByteRegion) -> FileKind? {
    guard file.hasBytes(Array(repeating: 0, count: 16)), let length = file.integer(at: 16, as: Int32.self),
      (4...64).contains(length), file.byte(at: 20) == 0x08, file.byte(at: 22) == 0x10
    else { return nil }
    return .mistaken("is a file of PaddlePaddle's parameters (.pdiparams)", advice: useTheOriginal)
  }

  /// Torch 7 writes the type of a value first: 4 is an object, with its version as text, and 3 a table.
  private static func torch7(_ file: ByteRegion) -> FileKind? {
    let head = file.slice(at: 0, count: min(file.count, 64))?.withBytes(Array.init) ?? []
    let isBinary =
      ([3, 4].contains(file.integer(at: 0, as: UInt32.self)) && file.integer(at: 4, as: UInt32.self) == 1)
    let isText = ["4\n1\n", "3\n1\n"].contains { file.hasBytes(Array($0.utf8)) }
    let hasVersion = head.indices.contains { head[$0...].starts(with: Array("V 1".utf8)) }
    guard
      (isBinary || isText) && (hasVersion || file.hasBytes([3, 0, 0, 0]) || file.hasBytes(Array("3\n".utf8)))
    else { return nil }
    return .mistaken("is a Torch 7 file (.t7)", advice: useTheOriginal)
  }

  /// Darknet writes its version first: 0.1 or 0.2. ncnn writes zero before weights of full precision. No message of
  /// protobuf begins with a zero.
  ///
  /// The oldest files of Darknet have learning rate, momentum and decay in the place of the version.
  private static func darknetOrNCNN(_ file: ByteRegion) -> FileKind? {
    func number(_ offset: Int) -> Float { Float(bitPattern: file.integer(at: offset) ?? .max) }
    if (1e-6...0.1).contains(number(0)), (0.8...0.999).contains(number(4)), (1e-6...0.01).contains(number(8)),
      (file.integer(at: 12, as: Int32.self) ?? -1) >= 0
    {
      return .mistaken("is a Darknet weight file of the oldest kind", advice: useTheOriginal)
    }
    guard file.integer(at: 0, as: UInt32.self) == 0 else { return nil }
    if [1, 2].contains(file.integer(at: 4, as: UInt32.self)),
      (file.integer(at: 8, as: UInt32.self) ?? 99) < 10
    {
      return .mistaken("is a Darknet weight file", advice: useTheOriginal)
    }
    return .mistaken(
      "begins with zeros, as an unfinished download or ncnn's weights (.bin) do",
      advice: "download it again, or \(useTheOriginal)")
  }

  /// MNN writes a FlatBuffer without an identifier. Its first table, near the beginning, has a dozen fields, of which the
  /// fourth is the list of operations.
  private static func mnn(_ file: ByteRegion) -> FileKind? {
    func number(_ offset: Int) -> Int? { file.integer(at: offset, as: UInt16.self).map(Int.init) }
    func place(_ offset: Int) -> Int? { file.integer(at: offset, as: UInt32.self).map { offset + Int($0) } }
    guard let table = place(0), (8...1024).contains(table), let back = file.integer(at: table, as: Int32.self)
    else {
      return nil
    }
    let fields = table - Int(back)
    guard (4...2048).contains(fields), let length = number(fields), length % 2 == 0,
      (22...64).contains(length),
      let size = number(fields + 2), (8...512).contains(size)
    else { return nil }
    let offsets = stride(from: 4, to: length, by: 2).compactMap { number(fields + $0) }
    guard offsets.count == (length - 4) / 2, offsets.allSatisfy({ $0 < size }), offsets[3] >= 4,
      let operations = place(table + offsets[3]), let count = file.integer(at: operations, as: UInt32.self),
      count > 0, file.slice(at: operations + 4, count: Int(count) * 4) != nil
    else { return nil }
    return .mistaken("is an MNN model", advice: useTheOriginal)
  }

  /// TensorFlow's checkpoints are tables whose signature stands at the end.
  private static func table(_ file: ByteRegion) -> FileKind? {
    guard file.integer(at: file.count - 8, as: UInt64.self) == 0xDB47_7524_8B80_FB57 else { return nil }
    return .mistaken("is a TensorFlow checkpoint or its index", advice: TensorFlowFiles.saveCheckpoint)
  }
}
