internal import CVGGKernels
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
    let found: [(scale: Float, zeroPoint: Int)]
    let rows = values.count / outputs
    switch grouping {
    case .tensor: found = [try parameters(of: WholeTensor(values: values))]
    case .outputChannel: found = try parameters(of: values, rows: rows, outputs: outputs, groupLength: rows)
    case .inputGroups(let length):
      found = try parameters(of: values, rows: rows, outputs: outputs, groupLength: length)
    }
    return DeclaredCodes(
      grouping: grouping, outputs: outputs, scales: found.map(\.scale),
      zeroPoints: hasZeroPoints ? found.map { Int8(clamping: $0.zeroPoint) } : [], range: range)
  }

  /// The parameters of all groups of so many rows, in the order of a file: column after column in each row of groups.
  private func parameters(
    of values: any TensorValues, rows: Int, outputs: Int, groupLength: Int
  ) throws(FileError) -> [(scale: Float, zeroPoint: Int)] {
    // Whole columns, which any source is quick to read; no more than a few megabytes of them.
    let columnsAtOnce = max(1, min(32, (1 << 19) / rows))
    let bands = stride(from: 0, to: outputs, by: columnsAtOnce).map {
      $0..<min(outputs, $0 + columnsAtOnce)
    }
    let found = try Workers.current.map(bands.count) { index throws(FileError) in
      let (band, width) = (bands[index], bands[index].count)
      let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2 * rows * width)
      defer { memory.deallocate() }
      guard let matrix = memory.baseAddress else { return [[(scale: Float, zeroPoint: Int)]]() }
      try values.read(Tile(rows: 0..<rows, columns: band), rowLength: outputs, into: matrix, rowStride: width)
      let columns = matrix + rows * width
      let inOrder = (0..<UInt32(width)).map(\.self)
      vgk_transpose_f32(
        vgk_best_isa(), matrix, width * MemoryLayout<Float>.size, rows, width, inOrder, columns, rows)
      return (0..<width).map { place in
        stride(from: 0, to: rows, by: groupLength).map { first in
          let group = columns + (place * rows + first)
          return parameters(
            of: Group(values: UnsafeBufferPointer(start: group, count: min(groupLength, rows - first))))
        }
      }
    }
    let columns = found.flatMap(\.self)
    return (0..<(columns.first?.count ?? 0)).flatMap { group in columns.map { $0[group] } }
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
    var (low, high) = (Float(0), Float(0))
    vgk_witness_extremes_f32(vgk_best_isa(), values.baseAddress, values.count, &low, &high)
    return (low, high)
  }

  func percentile(_ percentile: Double) -> Float {
    let sorted = values.map(\.magnitude).filter { $0 > 0 }.sorted()
    return sorted.isEmpty ? 0 : sorted[rank(percentile, of: sorted.count) - 1]
  }

  func squares(
    _ reciprocal: Float, _ limits: (least: Float, most: Float), until isEnough: (UInt64) -> Bool
  ) -> UInt64 {
    let isa = vgk_best_isa()
    var total: UInt64 = 0
    for start in stride(from: 0, to: values.count, by: 1024) {
      let part = UnsafeBufferPointer(rebasing: values[start..<min(values.count, start + 1024)])
      total &+= vgk_witness_error_f32(
        isa, part.baseAddress, part.count, reciprocal, limits.least, limits.most)
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
