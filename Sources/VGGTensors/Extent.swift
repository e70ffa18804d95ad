/// A height and a width.
public struct Extent: Equatable, Hashable, Sendable, CustomStringConvertible {
  /// The number of rows.
  public var height: Int
  /// The number of columns.
  public var width: Int

  /// Creates an extent.
  public init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  /// Creates an extent with equal sides.
  public init(side: Int) { self.init(height: side, width: side) }

  /// `3x3`.
  public var description: String { "\(height)x\(width)" }
}
