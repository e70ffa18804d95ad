/// What ONNX's definition of an operator allows in a node, whatever its version: programs refuse nodes that have anything else.
struct ONNXOperator {
  /// The types of its attributes by name.
  let attributes: [String: ONNXNode.AttributeType]
  /// The most inputs.
  let inputCount: Int
  /// The most outputs.
  let outputCount: Int

  private init(
    _ inputCount: Int, _ attributes: [String: ONNXNode.AttributeType] = [:], outputs outputCount: Int = 1
  ) {
    (self.attributes, self.inputCount, self.outputCount) = (attributes, inputCount, outputCount)
  }

  /// The definition of an operator of ONNX's own; nil: it is none that a VGG has, and is judged where it stands.
  ///
  /// Source: `docs/Operators.md` and `docs/Changelog.md` of onnx/onnx, opsets 1 to 24.
  init?(named name: String) {
    guard let known = Self.known[name] else { return nil }
    self = known
  }

  private static let window: [String: ONNXNode.AttributeType] = [
    "auto_pad": .string, "kernel_shape": .integers, "pads": .integers, "strides": .integers,
    "dilations": .integers,
  ]
  /// Until opset 6.
  private static let consumed: [String: ONNXNode.AttributeType] = ["consumed_inputs": .integers]
  private static let broadcast = consumed.merging(["axis": .integer, "broadcast": .integer]) { $1 }
  private static let codes: [String: ONNXNode.AttributeType] = [
    "axis": .integer, "block_size": .integer, "output_dtype": .integer, "precision": .integer,
    "saturate": .integer,
  ]
  private static let reduction: [String: ONNXNode.AttributeType] = [
    "axes": .integers, "keepdims": .integer, "noop_with_empty_axes": .integer,
  ]

  private static let known: [String: ONNXOperator] = [
    "Conv": .init(3, window.merging(["group": .integer]) { $1 }),
    "Gemm": .init(
      3,
      ["alpha": .float, "beta": .float, "transA": .integer, "transB": .integer, "broadcast": .integer]),
    "MatMul": .init(2),
    "BatchNormalization": .init(
      5,
      consumed.merging([
        "epsilon": .float, "momentum": .float, "spatial": .integer, "is_test": .integer,
        "training_mode": .integer,
      ]) { $1 }, outputs: 5),
    "Relu": .init(1, consumed), "Sigmoid": .init(1, consumed), "Softmax": .init(1, ["axis": .integer]),
    "MaxPool": .init(
      1, window.merging(["ceil_mode": .integer, "storage_order": .integer]) { $1 }, outputs: 2),
    "AveragePool": .init(
      1, window.merging(["ceil_mode": .integer, "count_include_pad": .integer]) { $1 }),
    "GlobalMaxPool": .init(1), "GlobalAveragePool": .init(1),
    "ReduceMean": .init(2, reduction), "ReduceMax": .init(2, reduction),
    "LRN": .init(1, ["alpha": .float, "beta": .float, "bias": .float, "size": .integer]),
    "Pad": .init(
      4, ["mode": .string, "pads": .integers, "paddings": .integers, "value": .float]),
    "Flatten": .init(1, ["axis": .integer]),
    "Reshape": .init(2, consumed.merging(["shape": .integers, "allowzero": .integer]) { $1 }),
    "Squeeze": .init(2, ["axes": .integers]), "Unsqueeze": .init(2, ["axes": .integers]),
    "Identity": .init(1), "Transpose": .init(1, ["perm": .integers]),
    "Dropout": .init(
      3, consumed.merging(["ratio": .float, "seed": .integer, "is_test": .integer]) { $1 }, outputs: 2),
    "Add": .init(2, broadcast), "Sub": .init(2, broadcast), "Mul": .init(2, broadcast),
    "Div": .init(2, broadcast),
    "QuantizeLinear": .init(3, codes), "DequantizeLinear": .init(3, codes),
    "Gather": .init(2, ["axis": .integer]),
  ]
}
