/// What the codes of a tensor stand for: `value = Float(code) * scale`, one multiplication in float32.
public struct Quantization: Equatable, Sendable {
  /// What one code is stored as.
  public var type: CodeType
  /// The scale of each output channel.
  public var scales: [Float]

  /// Creates a quantisation with a scale for each output channel.
  public init(_ type: CodeType = .int8, scales: [Float]) {
    self.type = type
    self.scales = scales
  }
}
