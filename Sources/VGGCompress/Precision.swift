/// How precisely the weights are stored; biases always stay float32.
public enum Precision: String, CaseIterable, Sendable {
  /// IEEE binary32.
  case fp32
  /// IEEE binary16: 11 significant bits, magnitudes up to 65504.
  case fp16
  /// The upper half of binary32: 8 significant bits, the same range.
  case bf16
  /// A signed byte and one scale for each output channel, symmetric: zero stays zero.
  case int8
}
