internal import VGGInterchange
internal import VGGProtobuf
internal import VGGTensors

/// A graph that is being described: nodes and initialisers in the order in which they are added.
struct ONNXGraph {
  /// An attribute of a node.
  enum Attribute {
    case integer(Int)
    case integers([Int])
    case float(Float)
  }

  /// The length of an axis of an input or output.
  enum Axis {
    case length(Int)
    /// One that only the program that runs the graph knows.
    case symbol(String)
  }

  /// Where numbers go that are not in the file itself.
  struct External {
    /// The name of the other file.
    var location: String
    /// What it holds so far.
    var content = FileContent()

    /// Tensors of fewer bytes stay in the file, as other exporters have it too.
    static let leastByteCount = 1024
    /// Tensors begin at multiples of this, so that programs can map them.
    static let alignment = 4096
  }

  /// The other file; nil: everything is in one.
  private(set) var external: External?
  private var nodes: [MessageContent] = []
  private var initializers: [MessageContent] = []

  init(external: External?) { self.external = external }

  /// Adds an operation with one output, after which it is called unless it has a name of its own.
  ///
  /// - Returns: The name of its output.
  @discardableResult
  mutating func add(
    _ type: String, _ inputs: [String], to output: String, named name: String? = nil,
    attributes: [(name: String, value: Attribute)] = []
  ) -> String {
    var node = MessageContent()
    for input in inputs { node.append(field: ONNXField.Node.input, text: input) }
    node.append(field: ONNXField.Node.output, text: output)
    node.append(field: ONNXField.Node.name, text: name ?? output)
    node.append(field: ONNXField.Node.type, text: type)
    for (name, value) in attributes {
      node.append(field: ONNXField.Node.attribute, message: ONNXGraph.message(name, value))
    }
    nodes.append(node)
    return output
  }

  /// Adds numbers.
  ///
  /// - Returns: Their name.
  @discardableResult
  mutating func add(_ name: String, _ type: ONNXElement, shape: [Int], _ numbers: FileContent.Piece) -> String
  {
    var tensor = MessageContent()
    // The schema is of proto2: such lists are not packed.
    for length in shape { tensor.append(field: ONNXField.Tensor.dimension, integer: length) }
    tensor.append(field: ONNXField.Tensor.type, integer: type.rawValue)
    tensor.append(field: ONNXField.Tensor.name, text: name)
    let isBig = numbers.byteCount >= External.leastByteCount
    if isBig, var other = external {
      other.content.pad(toMultipleOf: External.alignment)
      for (key, value) in [
        ("location", other.location), ("offset", "\(other.content.byteCount)"),
        ("length", "\(numbers.byteCount)"),
      ] {
        tensor.append(field: ONNXField.Tensor.external, message: ONNXGraph.entry(key, value))
      }
      tensor.append(field: ONNXField.Tensor.location, integer: 1)
      other.content.append(numbers)
      external = other
    } else {
      tensor.append(field: ONNXField.Tensor.raw, bytes: FileContent([numbers]))
    }
    initializers.append(tensor)
    return name
  }

  /// Adds float32.
  mutating func add(_ name: String, shape: [Int], _ values: [Float]) -> String {
    add(name, .float32, shape: shape, .reals(MemoryValues(values), as: .float32))
  }

  /// Adds integers that are the shape of something, or indices.
  mutating func add(_ name: String, integers: [Int]) -> String {
    var content = FileContent()
    for integer in integers { content.append(Int64(integer)) }
    return add(name, .int64, shape: [integers.count], content.pieces[0])
  }

  /// The graph as a message.
  func message(
    name: String, input: (name: String, type: ONNXElement, shape: [Axis]),
    output: (name: String, shape: [Axis])
  ) -> MessageContent {
    var graph = MessageContent()
    for node in nodes { graph.append(field: ONNXField.Graph.node, message: node) }
    graph.append(field: ONNXField.Graph.name, text: name)
    for initializer in initializers { graph.append(field: ONNXField.Graph.initializer, message: initializer) }
    graph.append(field: ONNXField.Graph.input, message: ONNXGraph.value(input.name, input.type, input.shape))
    graph.append(field: ONNXField.Graph.output, message: ONNXGraph.value(output.name, .float32, output.shape))
    return graph
  }

  private static func message(_ name: String, _ value: Attribute) -> MessageContent {
    var attribute = MessageContent()
    attribute.append(field: ONNXField.Attribute.name, text: name)
    let type: ONNXAttributeType
    switch value {
    case .float(let number):
      attribute.append(field: ONNXField.Attribute.float, float: number)
      type = .float
    case .integer(let number):
      attribute.append(field: ONNXField.Attribute.integer, integer: number)
      type = .integer
    case .integers(let numbers):
      for number in numbers { attribute.append(field: ONNXField.Attribute.integers, integer: number) }
      type = .integers
    }
    attribute.append(field: ONNXField.Attribute.type, integer: type.rawValue)
    return attribute
  }

  /// A pair of texts, as metadata and external data have them.
  static func entry(_ key: String, _ value: String) -> MessageContent {
    var entry = MessageContent()
    entry.append(field: ONNXField.Entry.key, text: key)
    entry.append(field: ONNXField.Entry.value, text: value)
    return entry
  }

  private static func value(_ name: String, _ type: ONNXElement, _ shape: [Axis]) -> MessageContent {
    var lengths = MessageContent()
    for axis in shape {
      var dimension = MessageContent()
      switch axis {
      case .length(let length): dimension.append(field: ONNXField.TensorType.length, integer: length)
      case .symbol(let name): dimension.append(field: ONNXField.TensorType.symbol, text: name)
      }
      lengths.append(field: ONNXField.TensorType.dimension, message: dimension)
    }
    var tensor = MessageContent()
    tensor.append(field: ONNXField.TensorType.element, integer: type.rawValue)
    tensor.append(field: ONNXField.TensorType.shape, message: lengths)
    var valueType = MessageContent()
    valueType.append(field: ONNXField.TensorType.tensor, message: tensor)
    var value = MessageContent()
    value.append(field: ONNXField.Value.name, text: name)
    value.append(field: ONNXField.Value.type, message: valueType)
    return value
  }
}
