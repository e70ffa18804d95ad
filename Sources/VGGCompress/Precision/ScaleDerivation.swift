internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Finds the scales and zero points of codes by the rule of a pass.
///
/// `schemas/FORMAT.md` defines them exactly: the same bits follow from the same values on every machine, in whatever pieces
/// and by however many threads they are read.
struct ScaleDerivation: Sendable {
  /// What one code is stored as.
  let type: CodeType
  /// Which codes share a scale.
  let grouping: Quantization.Grouping
  /// How scales follow from the values that share them.
  let rule: QuantizationSettings.ScaleRule
  /// Whether there are zero points.
  let hasZeroPoints: Bool

  /// The scales and zero points of a tensor; a scale is not finite where a value that it is for is not.
  func quantization(of tensor: Tensor) throws(FileError) -> Quantization {
    if grouping == .tensor {
      let found = try parameters(ofAll: tensor.values)
      return Quantization(
        type, by: grouping, scales: [found.scale], zeroPoints: hasZeroPoints ? [found.zeroPoint] : [])
    }
    let outputs = tensor.shape.last ?? 1
    let tiles = tiles(tensor.count / outputs, outputs)
    let parts = try Workers.current.map(tiles.count) { index throws(FileError) in
      try parameters(of: tiles[index], in: tensor.values, rowLength: outputs)
    }
    let count = grouping.count(in: tensor.shape)
    var scales = [Float](repeating: 0, count: count)
    var zeroPoints = [Int8](repeating: 0, count: hasZeroPoints ? count : 0)
    for (tile, part) in zip(tiles, parts) {
      for (index, parameter) in part.enumerated() {
        let (group, column) = index.quotientAndRemainder(dividingBy: tile.columns.count)
        let place = group * outputs + tile.columns.lowerBound + column
        scales[place] = parameter.scale
        if hasZeroPoints { zeroPoints[place] = parameter.zeroPoint }
      }
    }
    return Quantization(type, by: grouping, scales: scales, zeroPoints: zeroPoints)
  }

  /// A scale and the code of zero.
  private typealias Parameters = (scale: Float, zeroPoint: Int8)

  /// Splits a matrix into tiles of whole columns, which any source is quick to read, and few of them, so that a thread needs
  /// little memory.
  private func tiles(_ rowCount: Int, _ outputs: Int) -> [Tile] {
    var columnsAtOnce = 64
    while columnsAtOnce > 1, columnsAtOnce * rowCount > 1 << 20 { columnsAtOnce /= 2 }
    return stride(from: 0, to: outputs, by: columnsAtOnce).map { column in
      Tile(rows: 0..<rowCount, columns: column..<min(outputs, column + columnsAtOnce))
    }
  }

  // MARK: Groups of rows in columns

  /// The parameters of all groups of a tile, column by column in each row of groups.
  private func parameters(
    of tile: Tile, in values: any TensorValues, rowLength: Int
  ) throws(FileError) -> [Parameters] {
    let columns = tile.columns.count
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: tile.count)
    defer { buffer.deallocate() }
    guard let first = buffer.baseAddress else { return [] }
    try values.read(tile, rowLength: rowLength, into: first, rowStride: columns)
    var groupRows = tile.rows.count
    if case .inputGroups(let length) = grouping { groupRows = length }
    return stride(from: 0, to: tile.rows.count, by: groupRows).flatMap { row in
      parameters(first + row * columns, rows: min(groupRows, tile.rows.count - row), columns: columns)
    }
  }

  /// The parameters of a matrix with a group in each column.
  private func parameters(_ values: UnsafePointer<Float>, rows: Int, columns: Int) -> [Parameters] {
    let isa = vgk_best_isa()
    var magnitudes = [Float](repeating: 0, count: columns)
    vgk_absmax_columns_f32(isa, values, rows, columns, &magnitudes)
    guard magnitudes.allSatisfy(\.isFinite) else { return magnitudes.map { ($0, 0) } }
    if case .percentile(let percentile) = rule {
      for column in 0..<columns {
        magnitudes[column] = percentile.magnitude(in: values + column, count: rows, step: columns)
      }
    }
    var ranges = magnitudes.map(CodeRange.init)
    if hasZeroPoints {
      var extremes = [CodeRange](repeating: CodeRange(0), count: columns)
      for row in 0..<rows {
        for column in 0..<columns { extremes[column].include(values[row * columns + column]) }
      }
      for column in 0..<columns { ranges[column].narrow(to: extremes[column]) }
    }
    let found = ranges.map(parameters)
    guard rule == .leastSquaredError else { return found }
    let limits = found.map { codeLimits($0.zeroPoint) }
    let (least, most) = (limits.map(\.least), limits.map(\.most))
    let scales = leastErrorScales(upTo: found.map(\.scale)) { candidates in
      // So many rows stay in a cache while all candidates are tried.
      for first in stride(from: 0, to: rows, by: 1024) {
        vgk_code_errors_f32(
          isa, values + first * columns, min(1024, rows - first), columns, least, most,
          candidates.reciprocals,
          candidates.count, &candidates.errors)
        if first + 1024 < rows { candidates.dropHopeless() }
      }
    }
    return zip(scales, found).map { ($0, $1.zeroPoint) }
  }

  // MARK: One group

  /// The parameters of all values as one group.
  private func parameters(ofAll values: any TensorValues) throws(FileError) -> Parameters {
    let isa = vgk_best_isa()
    var (range, zeroCount) = (CodeRange(0), 0)
    var magnitude: Float = 0
    try values.reducePieces(rowLength: 1, into: ()) { _, piece in
      var (extremes, largest) = (CodeRange(0), Float(0))
      if let first = piece.baseAddress { vgk_absmax_columns_f32(isa, first, piece.count, 1, &largest) }
      for value in piece { extremes.include(value) }
      return (extremes, largest, piece.count { $0 == 0 })
    } combine: { _, part in
      range.include(part.0.low)
      range.include(part.0.high)
      // By their bits, so that NaN stays.
      magnitude = Float(bitPattern: max(magnitude.bitPattern, part.1.bitPattern))
      zeroCount += part.2
    }
    guard magnitude.isFinite else { return (magnitude, 0) }
    if case .percentile(let percentile) = rule, zeroCount < values.count {
      let rank = percentile.rank(among: values.count - zeroCount)
      magnitude = Float(bitPattern: try values.magnitude(ofAtMost: zeroCount + rank - 1))
    }
    var whole = CodeRange(magnitude)
    if hasZeroPoints { whole.narrow(to: range) }
    let found = parameters(whole)
    guard rule == .leastSquaredError else { return found }
    let limits = codeLimits(found.zeroPoint)
    let columns = 64
    let (least, most) = (
      [Float](repeating: limits.least, count: columns), [Float](repeating: limits.most, count: columns)
    )
    let scales = try leastErrorScales(upTo: [found.scale]) { (candidates) throws(FileError) in
      let reciprocals = candidates.reciprocals
      let repeated = reciprocals.flatMap { [Float](repeating: $0, count: columns) }
      candidates.errors = try values.reducePieces(rowLength: 1, into: candidates.errors) { _, piece in
        var errors = [UInt64](repeating: 0, count: repeated.count)
        guard let first = piece.baseAddress else { return errors }
        let rows = piece.count / columns
        vgk_code_errors_f32(
          isa, first, rows, columns, least, most, repeated, reciprocals.count, &errors)
        let sums = reciprocals.indices.map { errors[$0 * columns..<($0 + 1) * columns].reduce(0, &+) }
        // What is left is a column.
        errors = sums
        let rest = rows * columns
        vgk_code_errors_f32(
          isa, first + rest, piece.count - rest, 1, least, most, reciprocals, reciprocals.count, &errors)
        return errors
      } combine: { total, part in
        for index in total.indices { total[index] &+= part[index] }
      }
    }
    return (scales[0], found.zeroPoint)
  }

  // MARK: Rules

  /// The scale with which the codes cover a range, and the code of zero.
  private func parameters(_ range: CodeRange) -> Parameters {
    guard hasZeroPoints else {
      let scale = range.high / Float(type.codes.upperBound)
      // A scale that underflows could not bring the largest value back.
      return (scale < .leastNormalMagnitude ? 1 : scale, 0)
    }
    let (least, most) = (Float(type.codes.lowerBound), Float(type.codes.upperBound))
    let scale = range.high / (most - least) - range.low / (most - least)
    guard scale >= .leastNormalMagnitude else { return (1, 0) }
    let zeroPoint = least + (-range.low / scale).rounded(.toNearestOrEven)
    return (scale, Int8(min(most, zeroPoint)))
  }

  /// The least and the largest code less a zero point.
  private func codeLimits(_ zeroPoint: Int8) -> (least: Float, most: Float) {
    let most = Float(type.codes.upperBound)
    guard hasZeroPoints else { return (-most, most) }
    return (Float(type.codes.lowerBound) - Float(zeroPoint), most - Float(zeroPoint))
  }

  /// For each of some groups the scale of least squared error: first of twelve that are 16ths of the largest one, then of
  /// those up to three 64ths beside the best of them. Of equal errors the larger scale's counts.
  ///
  /// - Parameters:
  ///   - largest: The largest scale for each group.
  ///   - addErrors: Adds the errors of all values to those of the candidates that are left.
  private func leastErrorScales<Failure: Error>(
    upTo largest: [Float], addErrors: (inout ScaleCandidates) throws(Failure) -> Void
  ) throws(Failure) -> [Float] {
    var best = ScaleCandidates.Best(largest: largest)
    func choose(_ parts: [[Int]]) throws(Failure) {
      var candidates = ScaleCandidates(parts, against: best)
      try addErrors(&candidates)
      best = candidates.best
    }
    // What two of them lose is more than most of the others may.
    let coarse = [64, 56] + stride(from: 60, through: 20, by: -4).filter { $0 != 56 }
    for parts in [coarse.prefix(2), coarse.dropFirst(2)] {
      try choose(parts.map { Array(repeating: $0, count: largest.count) })
    }
    let middle = best.parts
    try choose([3, 2, 1, -1, -2, -3].map { step in middle.map { $0 + step } })
    return best.scales
  }
}

/// Scales of which each of some groups takes the one that loses least.
private struct ScaleCandidates {
  /// The best candidate of each group so far.
  struct Best {
    /// The scale that covers all values of a group, of which candidates are 64ths.
    let largest: [Float]
    /// How many 64ths of it.
    var parts: [Int]
    var scales: [Float]
    /// Sums of squares of what the scales lose.
    var errors: [Double]

    init(largest: [Float]) {
      self.largest = largest
      (parts, scales) = (largest.map { _ in 64 }, largest)
      errors = Array(repeating: .infinity, count: largest.count)
    }
  }

  private var parts: [[Int]]
  private var found: Best
  /// One over the scale for each group, candidate after candidate.
  private(set) var reciprocals: [Float]
  /// The sums of squares, in 64ths of the scale, for each group, candidate after candidate.
  var errors: [UInt64]

  /// - Parameters:
  ///   - parts: For each candidate its part of each group's largest scale, in 64ths; one that is none counts for nothing.
  ///   - best: What is there already.
  init(_ parts: [[Int]], against best: Best) {
    (self.parts, found) = (parts, best)
    (reciprocals, errors) = ([], [])
    reciprocals = parts.flatMap { parts in parts.indices.map { 1 / (scale(parts, $0) ?? 1) } }
    errors = Array(repeating: 0, count: reciprocals.count)
  }

  /// The number of candidates that are left.
  var count: Int { parts.count }

  private func scale(_ parts: [Int], _ group: Int) -> Float? {
    let scale = found.largest[group] * (Float(parts[group]) / 64)
    return (20...64).contains(parts[group]) && scale >= .leastNormalMagnitude ? scale : nil
  }

  /// What a candidate loses in a group so far; nil where it is none.
  private func error(_ candidate: Int, _ group: Int) -> Double? {
    scale(parts[candidate], group).map { scale in
      Double(errors[candidate * found.largest.count + group]) * Double(scale) * Double(scale)
    }
  }

  /// Gives up candidates that are worse than the best in every group already: errors only grow.
  mutating func dropHopeless() {
    let groups = found.largest.indices
    for candidate in parts.indices.reversed() {
      let isHopeless = groups.allSatisfy { group in
        error(candidate, group).map { $0 > found.errors[group] } ?? true
      }
      guard isHopeless else { continue }
      let places = candidate * groups.count..<(candidate + 1) * groups.count
      parts.remove(at: candidate)
      reciprocals.removeSubrange(places)
      errors.removeSubrange(places)
    }
  }

  /// The best of the candidates and of what was there before, once the errors of all values are added.
  var best: Best {
    var best = found
    for candidate in parts.indices {
      for group in best.largest.indices {
        guard let scale = scale(parts[candidate], group), let error = error(candidate, group) else {
          continue
        }
        if error < best.errors[group] || error == best.errors[group] && scale > best.scales[group] {
          (best.parts[group], best.scales[group]) = (parts[candidate][group], scale)
          best.errors[group] = error
        }
      }
    }
    return best
  }
}

/// The numbers that codes are to cover; zero is always one of them.
private struct CodeRange {
  var low: Float
  var high: Float

  /// All numbers up to a magnitude.
  init(_ magnitude: Float) { (low, high) = (-magnitude, magnitude) }

  mutating func include(_ value: Float) { (low, high) = (min(low, value), max(high, value)) }

  mutating func narrow(to other: CodeRange) { (low, high) = (max(low, other.low), min(high, other.high)) }
}

extension Double {
  /// The place of this percentile among so many values in ascending order, counted from 1.
  fileprivate func rank(among count: Int) -> Int {
    Swift.max(1, Int((self * Double(count) / 100).rounded(.up)))
  }

  /// This percentile of the magnitudes other than zero of some values, each a step behind the one before; 0 where there are
  /// none.
  fileprivate func magnitude(in values: UnsafePointer<Float>, count: Int, step: Int) -> Float {
    var magnitudes = (0..<count).map { values[$0 * step].magnitudeBits }.filter { $0 != 0 }
    guard !magnitudes.isEmpty else { return 0 }
    magnitudes.sort()
    return Float(bitPattern: magnitudes[rank(among: magnitudes.count) - 1])
  }
}
