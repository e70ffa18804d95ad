/// How a network is made for a board, as far as it decides what the network needs there.
public struct BoardBuild: Equatable, Sendable {
  /// The kernels that are compiled.
  public var kernels: KernelSet
  /// The part of the dense layers' weights that is not zero; nil: they are stored one by one.
  public var keptDenseFraction: Double?
  /// The bytes that weights are read to at a time; nil: they lie in memory.
  public var windowByteCount: Int?

  /// Creates a build.
  public init(kernels: KernelSet, keptDenseFraction: Double? = nil, windowByteCount: Int? = nil) {
    self.kernels = kernels
    self.keptDenseFraction = keptDenseFraction
    self.windowByteCount = windowByteCount
  }
}
