internal import VGGBytes
internal import VGGInterchange
internal import VGGProtobuf

/// What a file says, as far as a VGG needs it: nodes and tensors by name, with the numbers left where they are.
struct ONNXModel {
  /// Who wrote it.
  private(set) var producer = ""
  /// The version of the operators.
  private(set) var operatorSet = 1
  private var statesOperatorSet = false
  /// The metadata in their order.
  private(set) var metadata: [(key: String, value: String)] = []
  /// The operations in the order of the file.
  private(set) var nodes: [ONNXNode] = []
  /// The tensors in the order of the file.
  private(set) var tensors: [ONNXTensor] = []
  /// What the graph is given, initialisers left out, with the lengths of the axes that are known.
  private(set) var inputs: [Value] = []
  /// What it gives.
  private(set) var outputs: [Value] = []

  /// What a graph reads or gives.
  struct Value {
    var name = ""
    /// The number of the type of its elements.
    var type = 0
    /// The lengths of the axes that are known.
    var shape: [Int?] = []
  }

  /// The most nodes, and the most tensors: tens of times what any VGG has.
  private static let mostParts = 1 << 12
  /// The longest entry of the metadata: names of many thousand classes.
  private static let longestEntry = 1 << 20
  /// The versions of the operators that are known.
  private static let operatorSets = 1...27

  /// Reads a file.
  init(of file: ONNXFile) throws(FileError) {
    var graph: Range<Int>?
    var reader = file.reader(0..<file.bytes.count, "the model")
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (ONNXField.Model.producer, .bytes(let range)):
        producer = try file.text(range, "the producer's name")
      case (ONNXField.Model.graph, .bytes(let range)):
        guard graph == nil else {
          throw file.malformed("graph", "has two graphs", at: field.offset, place: "the model")
        }
        graph = range
      case (ONNXField.Model.operatorSet, .bytes(let range)): try addOperatorSet(range, file)
      case (ONNXField.Model.metadata, .bytes(let range)):
        guard metadata.count < ONNXModel.mostParts else { throw tooMany("entries of metadata", file) }
        metadata.append(try ONNXModel.entry(range, file, longest: ONNXModel.longestEntry))
      default: continue
      }
    }
    guard let graph else { throw file.malformed("graph", "has no graph", place: "the model") }
    guard ONNXModel.operatorSets.contains(operatorSet) else {
      throw file.unsupported(
        "opset", "has operators of a version that is not known", seen: "opset \(operatorSet)",
        allowed: "\(ONNXModel.operatorSets.lowerBound) to \(ONNXModel.operatorSets.upperBound)",
        advice: "export it with another opset, such as 13")
    }
    try addGraph(graph, file)
  }

  private mutating func addOperatorSet(_ range: Range<Int>, _ file: ONNXFile) throws(FileError) {
    var domain = ""
    var version = 1
    var reader = file.reader(range, "the operator set")
    while let field = try reader.next() {
      if field.number == ONNXField.OperatorSet.domain, let range = field.range {
        domain = try file.text(range, "the operator set")
      }
      if field.number == ONNXField.OperatorSet.version, let number = field.integer { version = number }
    }
    guard ONNXNode.isStandard(domain) else { return }
    guard !statesOperatorSet else {
      throw file.malformed(
        "opset", "states two versions of its operators", at: range.lowerBound, place: "the model",
        seen: "\(operatorSet) and \(version)")
    }
    (operatorSet, statesOperatorSet) = (version, true)
  }

  /// A pair of texts.
  static func entry(
    _ range: Range<Int>, _ file: ONNXFile, longest: Int
  ) throws(FileError) -> (key: String, value: String) {
    var entry = (key: "", value: "")
    var reader = file.reader(range, "an entry")
    while let field = try reader.next() {
      guard let range = field.range else { continue }
      if field.number == ONNXField.Entry.key { entry.key = try file.text(range, "an entry's key") }
      if field.number == ONNXField.Entry.value {
        entry.value = try file.text(range, "the entry \(entry.key)", longest: longest)
      }
    }
    return entry
  }

  private mutating func addGraph(_ range: Range<Int>, _ file: ONNXFile) throws(FileError) {
    var reader = file.reader(range, "the graph")
    var given: [Value] = []
    while let field = try reader.next() {
      guard let range = field.range else { continue }
      switch field.number {
      case ONNXField.Graph.node:
        guard nodes.count < ONNXModel.mostParts else { throw tooMany("nodes", file) }
        nodes.append(try ONNXNode(range, file))
      case ONNXField.Graph.initializer:
        guard tensors.count < ONNXModel.mostParts else { throw tooMany("tensors", file) }
        tensors.append(try ONNXTensor(range, file))
      case ONNXField.Graph.sparseInitializer:
        throw file.unsupported(
          "sparse", "has a sparse tensor", at: field.offset, place: "the graph", allowed: "dense ones")
      case ONNXField.Graph.input:
        guard given.count < ONNXModel.mostParts else { throw tooMany("inputs", file) }
        given.append(try ONNXModel.value(range, file))
      case ONNXField.Graph.output:
        guard outputs.count < ONNXModel.mostParts else { throw tooMany("outputs", file) }
        outputs.append(try ONNXModel.value(range, file))
      default: continue
      }
    }
    // Until 2018 initialisers were listed as inputs too.
    let names = Set(tensors.map(\.name))
    guard names.count == tensors.count else {
      throw file.malformed("duplicate", "has two tensors of one name", place: "the graph")
    }
    inputs = given.filter { !names.contains($0.name) }
  }

  private static func value(_ range: Range<Int>, _ file: ONNXFile) throws(FileError) -> Value {
    var value = Value()
    var name: String { value.name }
    var reader = file.reader(range, "a value")
    while let field = try reader.next() {
      guard let range = field.range else { continue }
      if field.number == ONNXField.Value.name { value.name = try file.text(range, "a value's name") }
      guard field.number == ONNXField.Value.type else { continue }
      var type = file.reader(range, "the type of \(name)")
      while let field = try type.next() {
        guard field.number == ONNXField.TensorType.tensor, let range = field.range else { continue }
        var tensor = file.reader(range, "the type of \(name)")
        while let field = try tensor.next() {
          if field.number == ONNXField.TensorType.element, let number = field.integer { value.type = number }
          guard field.number == ONNXField.TensorType.shape, let range = field.range else { continue }
          value.shape = try lengths(range, of: name, file)
        }
      }
    }
    return value
  }

  private static func lengths(
    _ range: Range<Int>, of name: String, _ file: ONNXFile
  ) throws(FileError) -> [Int?] {
    var lengths: [Int?] = []
    var reader = file.reader(range, "the shape of \(name)")
    while let field = try reader.next() {
      guard field.number == ONNXField.TensorType.dimension, let range = field.range else { continue }
      guard lengths.count < ONNXTensor.mostAxes else {
        throw file.malformed("shape", "has an impossible shape", at: field.offset, place: name)
      }
      var length: Int?
      var dimension = file.reader(range, "the shape of \(name)")
      while let field = try dimension.next() {
        // Exporters write 0 or -1 for what they do not know.
        if field.number == ONNXField.TensorType.length, let number = field.integer, number > 0 {
          length = number
        }
      }
      lengths.append(length)
    }
    return lengths
  }

  private func tooMany(_ parts: String, _ file: ONNXFile) -> FileError {
    file.unsupported(
      "limit", "has more \(parts) than any VGG", place: "the graph", allowed: "at most \(ONNXModel.mostParts)"
    )
  }
}
