internal import VGGModel

/// What a file without a signature is, by its outermost fields, if it is a serialised message at all.
enum ProtobufFile: Equatable {
  /// Caffe's network, with or without weights.
  case net
  /// A BlobProto on its own: a mean picture.
  case mean
  /// Caffe's SolverState.
  case solverState
  case onnx
  /// Text that describes a network.
  case prototxt
  case unknown

  /// What it is, for errors.
  var name: String {
    switch self {
    case .net: "a network"
    case .mean: "a mean picture"
    case .solverState: "a solver's state"
    case .onnx: "an ONNX model"
    case .prototxt: "a network's description as text"
    case .unknown: "something else"
    }
  }

  /// Looks at the outermost fields, at most so many that all kinds are told apart.
  init(_ file: CaffeFile) {
    if ProtobufFile.isPrototxt(file.bytes) {
      self = .prototxt
      return
    }
    var bytesFields: Set<Int> = []
    var varintFields: Set<Int> = []
    var hasLayers = false
    var hasFloat = false
    var hasPath = false
    var reader = WireReader(0..<file.bytes.count, of: file, place: "")
    for _ in 0..<256 {
      let start = reader.offset
      guard let field = try? reader.next() else {
        // What is cut short is known by the tag of the field that is too long.
        if file.bytes.count > 0, ProtobufFile.isLayerTag(file.bytes, at: start) { hasLayers = true }
        break
      }
      switch field.value {
      case .bytes(let content):
        bytesFields.insert(field.number)
        if field.number == 100 || field.number == 2, ProtobufFile.isLayer(content, of: file) {
          hasLayers = true
        }
        if field.number == 2 { hasPath = ProtobufFile.isText(file.bytes, content) }
      case .varint: varintFields.insert(field.number)
      case .fixed32 where field.number == 5: hasFloat = true
      default: break
      }
    }
    // A BlobProto has its shape in 1 to 4 or in 7, and its numbers in 5, 8 or 12.
    let hasNumbers = hasFloat || !bytesFields.isDisjoint(with: [5, 8, 12])
    if varintFields.contains(1) {
      if hasNumbers, bytesFields.contains(5) || varintFields.isSuperset(of: 1...4) {
        self = .mean
      } else if bytesFields.contains(7) {
        self = .onnx
      } else {
        self = bytesFields.contains(3) || hasPath ? .solverState : .unknown
      }
    } else if hasNumbers, bytesFields.contains(7), bytesFields.isSubset(of: 5...13) {
      self = .mean
    } else {
      let isNet = hasLayers || (bytesFields.contains(1) && bytesFields.isSubset(of: [1, 3, 6, 8]))
      self = isNet ? .net : .unknown
    }
  }

  /// `layers` or `layer`, with wire type 2.
  private static func isLayerTag(_ bytes: ByteRegion, at offset: Int) -> Bool {
    bytes.hasBytes([0xA2, 0x06], at: offset) || (offset > 0 && bytes.hasBytes([0x12], at: offset))
  }

  /// Whether a message begins like a layer: with fields whose numbers and kinds a layer has.
  private static func isLayer(_ message: Range<Int>, of file: CaffeFile) -> Bool {
    var reader = WireReader(message, of: file, place: "")
    guard let first = try? reader.next(), case .bytes = first.value else { return false }
    return true
  }

  private static func isText(_ bytes: ByteRegion, _ range: Range<Int>) -> Bool {
    guard !range.isEmpty, let part = bytes.slice(at: range.lowerBound, count: range.count) else {
      return false
    }
    return part.withBytes { $0.allSatisfy { $0 >= 0x20 || [0x09, 0x0A, 0x0D].contains($0) } }
  }

  private static func isPrototxt(_ bytes: ByteRegion) -> Bool {
    let head = 0..<min(bytes.count, 4096)
    guard isText(bytes, head), let part = bytes.slice(at: 0, count: head.count) else { return false }
    let text = part.withBytes { String(decoding: $0, as: UTF8.self) }.filter { !$0.isWhitespace }
    return ["layer{", "layers{", "input_dim:", "input_shape{"].contains(where: text.contains)
  }
}

extension CaffeFile {
  /// Refuses what is no network, by the name of what it is.
  func requireNet() throws(FileError) {
    let error: FileError
    switch ProtobufFile(self) {
    case .net: return
    case .mean:
      error = unsupported(
        "kind.mean", "is a mean picture (binaryproto) and holds no weights",
        advice: "give the .caffemodel, and this file with --mean")
    case .solverState:
      error = unsupported(
        "kind.solverstate", "is a solver's state and holds no weights",
        advice: "give the .caffemodel that was saved with it")
    case .onnx:
      error = unsupported(
        "kind.onnx", "is an ONNX model, not a Caffe one",
        advice: "convert from the Keras or Caffe file it was made of")
    case .prototxt:
      error = unsupported(
        "kind.prototxt", "is a network's description as text and holds no weights",
        advice: "give the .caffemodel, and this file with --prototxt")
    case .unknown:
      error = unsupported(
        "kind.unknown", "is no Caffe model", seen: "\(bytes.count) bytes of another kind",
        allowed: "a serialised NetParameter")
    }
    throw error
  }
}
