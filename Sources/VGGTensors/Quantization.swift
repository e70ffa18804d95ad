/// What the codes of a tensor stand for: `value = Float(code - zeroPoint) * scale`, a difference of whole numbers, then one
/// multiplication in float32.
public struct Quantization: Equatable, Sendable {
  /// Which elements share a scale and a zero point.
  public enum Grouping: Hashable, Sendable {
    /// All.
    case tensor
    /// Those of an output channel.
    case outputChannel
    /// In each output channel, so many neighbours along all other axes as one; the last of them may be fewer.
    case inputGroups(length: Int)
  }

  /// What one code is stored as.
  public var type: CodeType
  /// Which elements share a scale.
  public var grouping: Grouping
  private var scaleTable: ParameterTable<Float>
  private var zeroPointTable: ParameterTable<Int8>

  /// The scale of each group: of groups along the input those of all output channels for the first group, then for the
  /// next. Those of a mapped file are copied.
  public var scales: [Float] {
    get { scaleTable.array }
    set { scaleTable = .array(newValue) }
  }

  /// The code of zero in each group, in the order of the scales; none where that is 0 everywhere.
  public var zeroPoints: [Int8] {
    get { zeroPointTable.array }
    set { zeroPointTable = .array(newValue) }
  }

  /// The number of scales.
  public var scaleCount: Int { scaleTable.count }

  /// The number of zero points: none, or as many as there are scales.
  public var zeroPointCount: Int { zeroPointTable.count }

  /// Creates a quantisation.
  ///
  /// - Precondition: There are no zero points, or as many as scales.
  public init(
    _ type: CodeType = .int8, by grouping: Grouping = .outputChannel, scales: [Float], zeroPoints: [Int8] = []
  ) {
    self.init(type, by: grouping, .array(scales), .array(zeroPoints))
  }

  package init(
    _ type: CodeType, by grouping: Grouping, _ scales: ParameterTable<Float>,
    _ zeroPoints: ParameterTable<Int8>
  ) {
    precondition(zeroPoints.count == 0 || zeroPoints.count == scales.count)
    self.type = type
    self.grouping = grouping
    (scaleTable, zeroPointTable) = (scales, zeroPoints)
  }

  /// Whether there is a scale for each group of a tensor of some shape.
  package func fits(_ shape: [Int]) -> Bool { scaleCount == grouping.count(in: shape) }

  /// The scale and the code of zero of an element; see ``Grouping/index(row:channel:rowLength:)``.
  package func parameters(ofElement index: Int, rowLength: Int) -> (scale: Float, zeroPoint: Int8) {
    let (row, channel) = index.quotientAndRemainder(dividingBy: rowLength)
    let group = grouping.index(row: row, channel: channel, rowLength: rowLength)
    return withParameters { scales, zeroPoints in (scales[group], zeroPoints?[group] ?? 0) }
  }

  /// Lends the scales, and the zero points if there are any.
  package func withParameters<Result>(
    _ body: (UnsafeBufferPointer<Float>, UnsafeBufferPointer<Int8>?) -> Result
  ) -> Result {
    scaleTable.withElements { scales in
      zeroPointCount == 0 ? body(scales, nil) : zeroPointTable.withElements { body(scales, $0) }
    }
  }
}

extension Quantization.Grouping {
  /// The number of groups in a tensor of some shape.
  package func count(in shape: [Int]) -> Int {
    let outputs = shape.last ?? 1
    switch self {
    case .tensor: return 1
    case .outputChannel: return outputs
    case .inputGroups(let length):
      let rows = shape.dropLast().reduce(1, *)
      return (rows / length + (rows % length == 0 ? 0 : 1)) * outputs
    }
  }

  /// The index of the scale of an element.
  ///
  /// - Parameters:
  ///   - row: The element's index in all axes but the last, as one.
  ///   - channel: Its output channel.
  ///   - rowLength: The number of output channels.
  package func index(row: Int, channel: Int, rowLength: Int) -> Int {
    switch self {
    case .tensor: 0
    case .outputChannel: channel
    case .inputGroups(let length): row / length * rowLength + channel
    }
  }

  /// The number of rows from one on that share their scales.
  func rowCount(from row: Int) -> Int {
    if case .inputGroups(let length) = self { length - row % length } else { .max }
  }
}
