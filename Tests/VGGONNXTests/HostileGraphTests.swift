import Testing
import VGGBytes
import VGGInterchange
import VGGONNX
import VGGProtobuf
import VGGTensors

/// Graphs that no program writes: each must be refused at once, whatever it would take to follow it.
@Suite("Hostile ONNX graphs")
struct HostileGraphTests {
  private struct Node {
    var type: String
    var inputs: [String]
    var output: String
    var domain = ""
  }

  private struct Numbers {
    var name: String
    var shape: [Int]
    var type = ONNXElement.float32
    var bytes: Int
  }

  /// A file whose graph reads "x" and gives "y".
  private func file(
    _ nodes: [Node], _ tensors: [Numbers] = [], operatorSet: Int = 13, inputs: [String] = ["x"]
  ) throws -> [UInt8] {
    var graph = MessageContent()
    for node in nodes {
      var message = MessageContent()
      for input in node.inputs { message.append(field: ONNXField.Node.input, text: input) }
      message.append(field: ONNXField.Node.output, text: node.output)
      message.append(field: ONNXField.Node.type, text: node.type)
      if !node.domain.isEmpty { message.append(field: ONNXField.Node.domain, text: node.domain) }
      graph.append(field: ONNXField.Graph.node, message: message)
    }
    for tensor in tensors {
      var message = MessageContent()
      for length in tensor.shape { message.append(field: ONNXField.Tensor.dimension, integer: length) }
      message.append(field: ONNXField.Tensor.type, integer: tensor.type.rawValue)
      message.append(field: ONNXField.Tensor.name, text: tensor.name)
      message.append(field: ONNXField.Tensor.raw, bytes: FileContent([.zeros(tensor.bytes)]))
      graph.append(field: ONNXField.Graph.initializer, message: message)
    }
    func value(_ name: String) -> MessageContent {
      var (tensor, type, value) = (MessageContent(), MessageContent(), MessageContent())
      tensor.append(field: ONNXField.TensorType.element, integer: ONNXElement.float32.rawValue)
      type.append(field: ONNXField.TensorType.tensor, message: tensor)
      value.append(field: ONNXField.Value.name, text: name)
      value.append(field: ONNXField.Value.type, message: type)
      return value
    }
    for input in inputs { graph.append(field: ONNXField.Graph.input, message: value(input)) }
    graph.append(field: ONNXField.Graph.output, message: value("y"))
    var operators = MessageContent()
    operators.append(field: ONNXField.OperatorSet.version, integer: operatorSet)
    var model = MessageContent()
    model.append(field: ONNXField.Model.irVersion, integer: 8)
    model.append(field: ONNXField.Model.graph, message: graph)
    model.append(field: ONNXField.Model.operatorSet, message: operators)
    return try model.content.bytes(0..<model.content.byteCount)
  }

  private func expectRefusal(
    _ bytes: [UInt8], _ code: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: FileError.self, sourceLocation: sourceLocation) { try imported(bytes) }
    #expect(error?.code == code, "\(String(describing: error))", sourceLocation: sourceLocation)
  }

  @Test("A value that is made of itself")
  func cycles() throws {
    let numbers = [Numbers(name: "w", shape: [4], bytes: 16)]
    expectRefusal(
      try file(
        [
          Node(type: "Reshape", inputs: ["w", "s"], output: "s"),
          Node(type: "Conv", inputs: ["x", "s"], output: "y"),
        ], numbers), "onnx.tensor")
    expectRefusal(
      try file([
        Node(type: "Concat", inputs: ["s", "s"], output: "s"),
        Node(type: "Reshape", inputs: ["x", "s"], output: "y"),
      ]), "onnx.structure")
    expectRefusal(
      try file([
        Node(type: "Identity", inputs: ["x"], output: "a"),
        Node(type: "Identity", inputs: ["a"], output: "x"),
      ]),
      "onnx.chain")
    expectRefusal(
      try file([
        Node(type: "Relu", inputs: ["x"], output: "y"), Node(type: "Relu", inputs: ["y"], output: "y"),
      ]),
      "onnx.duplicate")
  }

  @Test("Operands that have operands, and those again")
  func trees() throws {
    var nodes = (0..<200).map { index in
      Node(
        type: "Concat", inputs: Array(repeating: index == 0 ? "none" : "c\(index - 1)", count: 8),
        output: "c\(index)")
    }
    nodes.append(Node(type: "Reshape", inputs: ["x", "c199"], output: "y"))
    expectRefusal(try file(nodes), "onnx.structure")
    nodes = (0..<200).map { index in
      let before = index == 0 ? "w" : "d\(index - 1)"
      return Node(type: "DequantizeLinear", inputs: ["w", before, before], output: "d\(index)")
    }
    nodes.append(Node(type: "Conv", inputs: ["x", "d199"], output: "y"))
    expectRefusal(try file(nodes, [Numbers(name: "w", shape: [1], bytes: 4)]), "onnx.tensor")
  }

  @Test("Shapes that no file has the numbers for")
  func shapes() throws {
    let conv = [Node(type: "Conv", inputs: ["x", "w"], output: "y")]
    expectRefusal(
      try file(conv, [Numbers(name: "w", shape: Array(repeating: 1 << 30, count: 4), bytes: 4)]), "onnx.shape"
    )
    expectRefusal(try file(conv, [Numbers(name: "w", shape: [1 << 31], bytes: 4)]), "onnx.shape")
    expectRefusal(
      try file(conv, [Numbers(name: "w", shape: Array(repeating: 1, count: 9), bytes: 4)]), "onnx.shape")
    let relu = [
      Node(type: "Conv", inputs: ["x", "w"], output: "a"), Node(type: "Relu", inputs: ["a"], output: "y"),
    ]
    expectRefusal(try file(relu, [Numbers(name: "w", shape: [2, 3, 1, 1], bytes: 20)]), "onnx.length")
    expectRefusal(
      try file(relu, [Numbers(name: "w", shape: [2, 3, 1, 1], type: .int64, bytes: 48)]), "onnx.structure")
  }

  @Test("Other versions, domains and inputs")
  func others() throws {
    expectRefusal(try file([Node(type: "Relu", inputs: ["x"], output: "y")], operatorSet: 99), "onnx.opset")
    expectRefusal(
      try file([Node(type: "Relu", inputs: ["x"], output: "y", domain: "com.example")]), "onnx.structure")
    expectRefusal(
      try file([Node(type: "Relu", inputs: ["x"], output: "y")], inputs: ["x", "z"]), "onnx.inputs")
    expectRefusal(try file([]), "onnx.chain")
    expectRefusal([0x08, 0x08], "onnx.graph")
  }
}
