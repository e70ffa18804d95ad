internal import VGGBytes
internal import VGGProtobuf

/// What a file without a signature is, by its outermost fields, if it is a serialised message at all.
enum ProtobufFile: Equatable {
  /// Caffe's network, with or without weights.
  case net
  /// A BlobProto on its own: a mean picture.
  case mean
  /// Caffe's SolverState.
  case solverState
  case onnx
  /// TensorFlow's GraphDef (a frozen graph) and MetaGraphDef (beside a checkpoint).
  case tensorFlow
  /// TensorFlow's SavedModel, and what lies beside it in its folder: Keras' description and a fingerprint.
  case savedModel
  /// NVIDIA's Universal Framework Format.
  case uff
  /// PaddlePaddle's ProgramDesc.
  case paddle
  case coreML
  /// Caffe2's NetDef.
  case caffe2
  /// Text that describes a network.
  case prototxt
  /// Text with a solver's settings.
  case solver
  case unknown

  /// What it is, for errors.
  var name: String {
    switch self {
    case .net: "a network"
    case .mean: "a mean picture"
    case .solverState: "a solver's state"
    case .onnx: "an ONNX model"
    case .tensorFlow: "a TensorFlow graph"
    case .savedModel: "a TensorFlow SavedModel or a part of one"
    case .uff: "a UFF model"
    case .paddle: "a PaddlePaddle network"
    case .coreML: "a Core ML model"
    case .caffe2: "a Caffe2 network"
    case .prototxt: "a network's description as text"
    case .solver: "a solver's settings"
    case .unknown: "something else"
    }
  }

  /// Looks at the outermost fields, at most so many that all kinds are told apart.
  init(_ file: CaffeFile) {
    if let text = ProtobufFile.text(file.bytes) {
      self = text
      return
    }
    var bytesFields: Set<Int> = []
    var varintFields: Set<Int> = []
    var hasLayers = false
    var hasFloat = false
    var first = FirstField.other
    var hasOperators = false
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
        if field.number == 1, first == .other { first = FirstField(content, of: file) }
        if field.number == 2, ProtobufFile.isOperator(content, of: file) { hasOperators = true }
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
      } else if varintFields.isSuperset(of: 1...5), bytesFields.contains(6) {
        self = .savedModel
      } else if varintFields == [1, 2], !bytesFields.isDisjoint(with: [3, 4]) {
        self = .uff
      } else if !bytesFields.isDisjoint(with: 200...3000) {
        self = .coreML
      } else if bytesFields.contains(7) {
        self = .onnx
      } else if bytesFields == [2], varintFields == [1], !hasPath {
        self = .savedModel
      } else {
        self = bytesFields.contains(3) || hasPath ? .solverState : .unknown
      }
    } else if hasNumbers, bytesFields.contains(7), bytesFields.isSubset(of: 5...13) {
      self = .mean
    } else if first == .node || first == .metaInfo {
      self = .tensorFlow
    } else if first == .kerasNode {
      self = .savedModel
    } else if first == .block {
      self = .paddle
    } else if hasOperators, !bytesFields.contains(100) {
      self = .caffe2
    } else {
      let isNet = hasLayers || (first == .name && bytesFields.isSubset(of: [1, 3, 6, 8]))
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

  /// What the first field that is not a number holds, where Caffe's network has its name.
  private enum FirstField {
    case name
    /// TensorFlow's NodeDef: a name and an operation.
    case node
    /// TensorFlow's MetaInfoDef: a list of operations, or the version of TensorFlow.
    case metaInfo
    /// A node of Keras 2 in a SavedModel: a path and, as JSON, what the layer is.
    case kerasNode
    /// A block of PaddlePaddle: its number and that of its parent.
    case block
    case other

    init(_ message: Range<Int>, of file: CaffeFile) {
      guard !isText(file.bytes, message) else {
        self = .name
        return
      }
      func text(_ field: WireField?) -> Bool {
        if case .bytes(let content)? = field?.value { isText(file.bytes, content) } else { false }
      }
      var reader = WireReader(message, of: file, place: "")
      let fields = (0..<8).compactMap { _ in try? reader.next() }
      let numbers = fields.map(\.number)
      if numbers.starts(with: [1, 2]), text(fields[0]), text(fields[1]) {
        self = .node
      } else if numbers.starts(with: [1, 2]), case .varint = fields[0].value, case .varint = fields[1].value {
        self = .block
      } else if !numbers.contains(1),
        [3, 4, 5].allSatisfy({ number in fields.contains { $0.number == number && text($0) } })
      {
        self = .kerasNode
      } else if fields.contains(where: { $0.number == 5 && text($0) })
        || fields.contains(where: { $0.number <= 2 && FirstField.isListOfOperations($0, of: file) })
      {
        self = .metaInfo
      } else {
        self = .other
      }
    }

    /// A message that begins with a message that begins with a name.
    private static func isListOfOperations(_ field: WireField, of file: CaffeFile) -> Bool {
      var content = field.value
      for _ in 0..<2 {
        guard case .bytes(let message) = content, !isText(file.bytes, message) else { break }
        var reader = WireReader(message, of: file, place: "")
        guard let first = try? reader.next(), first.number == 1 else { return false }
        content = first.value
      }
      if case .bytes(let name) = content { return isText(file.bytes, name) }
      return false
    }
  }

  /// Whether a message is like Caffe2's OperatorDef: outputs, a type, and arguments where a layer of Caffe's has the number of
  /// its type.
  private static func isOperator(_ message: Range<Int>, of file: CaffeFile) -> Bool {
    var reader = WireReader(message, of: file, place: "")
    var hasType = false
    var hasArgument = false
    while let field = try? reader.next() {
      guard case .bytes(let content) = field.value, (1...8).contains(field.number) else { return false }
      if field.number < 5, !isText(file.bytes, content), !content.isEmpty { return false }
      if field.number == 4 { hasType = true }
      if field.number == 5 { hasArgument = true }
    }
    return hasType && hasArgument
  }

  private static func isText(_ bytes: ByteRegion, _ range: Range<Int>) -> Bool {
    guard !range.isEmpty, let part = bytes.slice(at: range.lowerBound, count: range.count) else {
      return false
    }
    return part.withBytes { $0.allSatisfy { $0 >= 0x20 || [0x09, 0x0A, 0x0D].contains($0) } }
  }

  /// What a text of Caffe's is.
  private static func text(_ bytes: ByteRegion) -> ProtobufFile? {
    let head = 0..<min(bytes.count, 4096)
    guard isText(bytes, head), let part = bytes.slice(at: 0, count: head.count) else { return nil }
    let text = part.withBytes { String(decoding: $0, as: UTF8.self) }.filter { !$0.isWhitespace }
    if ["base_lr:", "lr_policy:"].contains(where: text.contains) { return .solver }
    let marks = ["layer{", "layers{", "layer:{", "layers:{", "input_dim:", "input_shape{"]
    return marks.contains(where: text.contains) ? .prototxt : nil
  }
}

extension CaffeFile {
  /// Refuses what is not a network, by the name of what it is.
  func requireNet() throws(FileError) {
    let error: FileError
    let kind = ProtobufFile(self)
    switch kind {
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
    case .tensorFlow, .savedModel, .uff, .paddle, .coreML, .caffe2:
      error = unsupported(
        "kind.foreign", "is \(kind.name), not a Caffe one",
        advice: "convert from the Keras or Caffe file it was made of")
    case .prototxt:
      error = unsupported(
        "kind.prototxt", "is a network's description as text and holds no weights",
        advice: "give the .caffemodel, and this file with --prototxt")
    case .solver:
      error = unsupported(
        "kind.solver", "is a solver's settings as text and holds no weights", advice: "give the .caffemodel")
    case .unknown:
      error = unsupported(
        "kind.unknown", "is not a Caffe model", seen: "\(bytes.count) bytes of another kind",
        allowed: "a serialised NetParameter")
    }
    throw error
  }
}
