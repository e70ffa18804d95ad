/// What a layer's integers stand for: `real = scale * (code - zeroPoint)`, with codes of -128 to 127.
public struct ActivationQuantization: Equatable, Sendable {
  /// The step from one code to the next; a normal number above 0.
  public let scale: Float
  /// The code that stands for 0, exactly.
  public let zeroPoint: Int8

  /// Describes integers.
  public init(scale: Float, zeroPoint: Int8) { (self.scale, self.zeroPoint) = (scale, zeroPoint) }
}
