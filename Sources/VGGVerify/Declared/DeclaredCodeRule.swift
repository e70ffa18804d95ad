internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// How codes follow from values by a pass, stated a second time from `schemas/FORMAT.md`, section 5.1: apart from the code that
/// applies passes, and computed another way.
///
/// That one goes through the columns of a matrix side by side, all candidates for a scale at once. This one takes each group by
/// itself, candidate after candidate, and gives one up as soon as it is worse than the best.
struct DeclaredCodeRule: Sendable {
  /// What one code is stored as.
  let type: CodeType
  /// How scales follow from the values that share them.
  let scaleRule: QuantizationSettings.ScaleRule
  /// Whether there are zero points.
  let hasZeroPoints: Bool

  /// The codes' range.
  private var range: ClosedRange<Int> {
    let most = type == .int8 ? 127 : 7
    return hasZeroPoints ? -most - 1...most : -most...most
  }

  /// What the codes of a tensor must stand for.
  func codes(
    of values: any TensorValues, by grouping: Quantization.Grouping, outputs: Int
  ) throws(FileError) -> DeclaredCodes {
    var (scales, zeroPoints) = ([Float](), [Int8]())
    func add(_ group: (scale: Float, zeroPoint: Int)) {
      scales.append(group.scale)
      if hasZeroPoints { zeroPoints.append(Int8(clamping: group.zeroPoint)) }
    }
    let rows = values.count / outputs
    switch grouping {
    case .tensor: add(try parameters(of: WholeTensor(values: values)))
    case .outputChannel: try eachGroup(of: values, rows: rows, outputs: outputs, length: rows, add)
    case .inputGroups(let length):
      try eachGroup(of: values, rows: rows, outputs: outputs, length: length, add)
    }
    return DeclaredCodes(
      grouping: grouping, outputs: outputs, scales: scales, zeroPoints: zeroPoints, range: range)
  }

  /// Calls a body with the parameters of each group, in the order of a file.
  private func eachGroup(
    of values: any TensorValues, rows: Int, outputs: Int, length: Int,
    _ body: ((scale: Float, zeroPoint: Int)) -> Void
  ) throws(FileError) {
    let columnsAtOnce = max(1, min(64, (1 << 20) / length))
    let bands = (outputs + columnsAtOnce - 1) / columnsAtOnce
    let groupRows = (rows + length - 1) / length
    let found = try Workers.current.map(bands * groupRows) { index throws(FileError) in
      let tile = Tile(
        rows: index / bands * length..<min(rows, (index / bands + 1) * length),
        columns: index % bands * columnsAtOnce..<min(outputs, (index % bands + 1) * columnsAtOnce))
      let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: tile.count + tile.rows.count)
      defer { memory.deallocate() }
      guard let matrix = memory.baseAddress else { return [(scale: Float, zeroPoint: Int)]() }
      try values.read(tile, rowLength: outputs, into: matrix, rowStride: tile.columns.count)
      let column = UnsafeMutableBufferPointer(start: matrix + tile.count, count: tile.rows.count)
      return tile.columns.indices.map { index in
        let first = matrix + (index - tile.columns.lowerBound)
        for row in 0..<column.count { column[row] = first[row * tile.columns.count] }
        return parameters(of: Group(values: UnsafeBufferPointer(column)))
      }
    }
    for part in found { part.forEach(body) }
  }

  /// The scale and the zero point of a group.
  private func parameters<Values: GroupValues>(
    of group: Values
  ) throws(Values.Failure) -> (scale: Float, zeroPoint: Int) {
    var (low, high) = try group.extremes()
    if case .percentile(let percentile) = scaleRule {
      let bound = try group.percentile(percentile)
      (low, high) = (max(low, -bound), min(high, bound))
    }
    let most = Float(range.upperBound)
    let width = Float(range.count - 1)
    let first = hasZeroPoints ? high / width - low / width : max(high, -low) / most
    guard first.isFinite, first >= .leastNormalMagnitude else { return (1, 0) }
    var zeroPoint = 0
    if hasZeroPoints {
      zeroPoint = min(range.upperBound, range.lowerBound + Int((-low / first).rounded(.toNearestOrEven)))
    }
    guard scaleRule == .leastSquaredError else { return (first, zeroPoint) }
    let limits = (Float(range.lowerBound - zeroPoint), Float(range.upperBound - zeroPoint))
    var best = (part: 64, error: Double.infinity)
    func compare(_ parts: [Int]) throws(Values.Failure) {
      for part in parts where (20...64).contains(part) && part != best.part {
        let scale = first * (Float(part) / 64)
        guard scale >= .leastNormalMagnitude else { continue }
        let square = Double(scale)
        func error(_ sum: UInt64) -> Double { Double(sum) * square * square }
        let limit = best.error
        let sum = try group.squares(1 / scale, limits) { error($0) > limit }
        let isBetter = error(sum) < limit || error(sum) == limit && part > best.part
        if isBetter { best = (part, error(sum)) }
      }
    }
    best.part = 0
    try compare((5...16).reversed().map { $0 * 4 })
    let middle = best.part
    try compare((middle - 3...middle + 3).reversed())
    return (first * (Float(best.part) / 64), zeroPoint)
  }
}

/// Values that share a scale.
private protocol GroupValues {
  associatedtype Failure: Error
  /// The smallest and the largest value, or zero where that is beyond; not finite where a value is not.
  func extremes() throws(Failure) -> (low: Float, high: Float)
  /// The percentile of the magnitudes other than zero; zero where there are none.
  func percentile(_ percentile: Double) throws(Failure) -> Float
  /// The sum of the squares of what a scale loses, in 64ths of the scale.
  ///
  /// - Parameters:
  ///   - reciprocal: One over the scale.
  ///   - limits: The least and the largest code less the zero point.
  ///   - isEnough: Whether a sum is so large that the rest does not matter.
  func squares(
    _ reciprocal: Float, _ limits: (least: Float, most: Float), until isEnough: (UInt64) -> Bool
  ) throws(Failure) -> UInt64
}

/// Values that are neighbours in memory.
private struct Group: GroupValues {
  typealias Failure = Never
  let values: UnsafeBufferPointer<Float>

  func extremes() -> (low: Float, high: Float) {
    var (low, high, bits) = (Float(0), Float(0), UInt32(0))
    for value in values {
      low = value < low ? value : low
      high = value > high ? value : high
      bits = max(bits, value.magnitudeBits)
    }
    return Float(bitPattern: bits).isFinite ? (low, high) : (-.infinity, .infinity)
  }

  func percentile(_ percentile: Double) -> Float {
    let sorted = values.map(\.magnitude).filter { $0 > 0 }.sorted()
    return sorted.isEmpty ? 0 : sorted[rank(percentile, of: sorted.count) - 1]
  }

  func squares(
    _ reciprocal: Float, _ limits: (least: Float, most: Float), until isEnough: (UInt64) -> Bool
  ) -> UInt64 {
    var total: UInt64 = 0
    for start in stride(from: 0, to: values.count, by: 1024) {
      for index in start..<min(values.count, start + 1024) {
        let steps = values[index] * reciprocal
        let within = steps < limits.least ? limits.least : steps > limits.most ? limits.most : steps
        let code = (within + 0x1.8p23) - 0x1.8p23
        // Beside 2^23 the fraction is rounded away, and the bits count up.
        let missing = ((steps - code).magnitude * 64 + 0x1p23).bitPattern & 0x7F_FFFF
        total &+= UInt64(missing) &* UInt64(missing)
      }
      if isEnough(total) { break }
    }
    return total
  }
}

/// All values of a tensor.
private struct WholeTensor: GroupValues {
  typealias Failure = FileError
  let values: any TensorValues

  func extremes() throws(FileError) -> (low: Float, high: Float) {
    try values.reducePieces(rowLength: 1, into: (Float(0), Float(0))) { _, piece in
      Group(values: piece).extremes()
    } combine: {
      $0 = (min($0.0, $1.low), max($0.1, $1.high))
    }
  }

  func percentile(_ percentile: Double) throws(FileError) -> Float {
    let zeros = try values.reducePieces(rowLength: 1, into: 0) { _, piece in
      piece.count { $0 == 0 }
    } combine: {
      $0 += $1
    }
    guard zeros < values.count else { return 0 }
    let rank = rank(percentile, of: values.count - zeros)
    return Float(bitPattern: try values.smallestKept(dropping: zeros + rank - 1))
  }

  func squares(
    _ reciprocal: Float, _ limits: (least: Float, most: Float), until isEnough: (UInt64) -> Bool
  ) throws(FileError) -> UInt64 {
    try values.reducePieces(rowLength: 1, into: 0 as UInt64) { _, piece in
      Group(values: piece).squares(reciprocal, limits) { _ in false }
    } combine: {
      $0 &+= $1
    }
  }
}

/// The place of a percentile among so many values in ascending order, counted from 1.
private func rank(_ percentile: Double, of count: Int) -> Int {
  min(count, max(1, Int((percentile * Double(count) / 100).rounded(.up))))
}
