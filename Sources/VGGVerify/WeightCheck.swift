internal import Dispatch
internal import Glibc
internal import Synchronization
public import VGGModel

/// Whether a tensor of a model is what its source says, as far as its encoding can hold it.
public struct WeightCheck: Sendable {
  /// The canonical name.
  public var tensor: String
  /// The tensor's name in the source.
  public var sourceName: String
  /// What was required of each value.
  public var requirement: Requirement
  /// Whether the tensor has the shape that the source's has in the native layout.
  public var hasSourcesShape = true
  /// The number of values compared.
  public var comparedCount = 0
  /// The number of values that are not what is required.
  public var wrongCount = 0
  /// The first of them in the model's order, with what is there and what would be right.
  public var firstWrong: (index: Int, seen: Float, expected: Float)?
  /// The number of values that are zero because they were pruned.
  public var prunedCount = 0
  /// The largest absolute difference from the source, of all values.
  public var largestError = 0.0

  /// What is required of each value of a tensor, by its encoding.
  public enum Requirement: String, Sendable {
    /// The source's value, bit for bit.
    case exact
    /// The source's value, rounded to nearest in a narrower type.
    case rounded
    /// The multiple of the output channel's scale that is nearest to the source's value.
    case quantized
  }

  /// Whether all values are right and there were any.
  public var passes: Bool { wrongCount == 0 && comparedCount > 0 }
}

extension WeightCheck {
  /// Compares a tensor of a model with the tensor of its source.
  ///
  /// Float32 values are read back in the source's own order: element by element of the source, the place in the model
  /// is computed here a second time, independently of how the importer did it. Other encodings are compared with what
  /// they can hold of the source's value. A sparse tensor may also hold zeros.
  ///
  /// - Parameters:
  ///   - tensor: The tensor of the model.
  ///   - source: The tensor in the source file.
  public init(of tensor: Tensor, against source: SourceTensor) throws(FileError) {
    self.init(tensor: tensor.name, sourceName: source.name, requirement: tensor.encoding.requirement)
    guard tensor.shape == source.canonicalShape else {
      hasSourcesShape = false
      (comparedCount, wrongCount) = (tensor.count, tensor.count)
      return
    }
    if tensor.encoding == .float32, let inMemory = tensor.values.inMemory {
      inMemory.withBytes { bytes in
        readBack(source, model: bytes.assumingMemoryBound(to: Float.self))
      }
    } else {
      try compareInOrder(tensor, with: source.canonicalValues)
    }
  }

  /// Compares a tensor of a model with one that stands in no source file: of another model, or computed on import.
  public init(of tensor: Tensor, against original: Tensor) throws(FileError) {
    if let source = original.source {
      try self.init(of: tensor, against: source)
      return
    }
    self.init(tensor: tensor.name, sourceName: original.name, requirement: tensor.encoding.requirement)
    guard tensor.shape == original.shape else {
      hasSourcesShape = false
      (comparedCount, wrongCount) = (tensor.count, tensor.count)
      return
    }
    try compareInOrder(tensor, with: original.values)
  }

  private init(tensor: String, sourceName: String, requirement: Requirement) {
    self.tensor = tensor
    self.sourceName = sourceName
    self.requirement = requirement
  }

  /// Walks the source in its own order, on all processors, and looks each value up in the model.
  ///
  /// Where the source's first axis is the model's last one (the output channel), tiles of rows and columns are turned and
  /// compared as wholes.
  private mutating func readBack(_ source: SourceTensor, model: UnsafeBufferPointer<Float>) {
    let index = NativeIndex(of: source)
    let rowCount = source.shape.first ?? 0
    guard rowCount > 0, !model.isEmpty else { return }
    let rowLength = model.count / rowCount
    // Tiles: each row of the source gives a run of values, each column a run of the model's, and neither is read by
    // single values that are pages apart. A tile of float32 has 32 KB.
    let columnsAtOnce = 64
    let blockRows = index.firstAxisIsModelsLast ? 128 : max(1, (1 << 18) / rowLength)
    let blockCount = (rowCount + blockRows - 1) / blockRows
    let outputs = source.canonicalShape.last ?? 1
    let isPlain = source.format == .float32 && source.scaling == nil && source.elementStride == 4
    let empty = WeightCheck(tensor: tensor, sourceName: sourceName, requirement: requirement)
    let total = Mutex(self)
    nonisolated(unsafe) let model = model
    DispatchQueue.concurrentPerform(iterations: blockCount) { block in
      var part = empty
      let rows = block * blockRows..<min(rowCount, (block + 1) * blockRows)
      source.bytes.withBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        func check(_ position: Int, _ native: Int) {
          let address = base + position * source.elementStride
          let expected =
            isPlain
            ? Float(bitPattern: UInt32(littleEndian: address.loadUnaligned(as: UInt32.self)))
            : source.value(at: address, outputChannel: native % outputs)
          let seen = model[native]
          part.note(seen, expected: expected, at: native, isRight: seen.bitPattern == expected.bitPattern)
        }
        let positions = rows.lowerBound * rowLength..<rows.upperBound * rowLength
        if index.isIdentity, source.hasSameBits(as: model, in: positions) {
          part.comparedCount = positions.count
        } else if index.firstAxisIsModelsLast {
          for start in stride(from: 0, to: rowLength, by: columnsAtOnce) {
            let columns = start..<min(start + columnsAtOnce, rowLength)
            if isPlain, source.hasSameBits(columns, rows, rowLength: rowLength, as: model, index) {
              part.comparedCount += rows.count * columns.count
              continue
            }
            for column in columns {
              let first = index(rows.lowerBound * rowLength + column)
              for row in rows { check(row * rowLength + column, first + row - rows.lowerBound) }
            }
          }
        } else {
          for position in positions { check(position, index(position)) }
        }
      }
      total.withLock { $0.add(part) }
    }
    self = total.withLock { $0 }
  }

  /// Compares values that an encoding has changed, in the model's order.
  private mutating func compareInOrder(_ tensor: Tensor, with source: any TensorValues) throws(FileError) {
    let encoding = tensor.encoding
    let outputs = tensor.shape[tensor.shape.count - 1]
    let name = self
    let result = try tensor.values.reducePieces(rowLength: outputs, into: name) {
      (start, values) throws(FileError) -> WeightCheck in
      try source.withValues(start..<start + values.count) { (expected) throws(FileError) -> WeightCheck in
        var part = WeightCheck(
          tensor: name.tensor, sourceName: name.sourceName, requirement: name.requirement)
        for offset in values.indices {
          let (value, original) = (values[offset], expected[offset])
          let isPruned = encoding.isSparse && value.bitPattern == 0 && original != 0
          if isPruned { part.prunedCount += 1 }
          part.note(
            value, expected: original, at: start + offset,
            isRight: isPruned
              || encoding.element.holds(original, as: value, channel: (start + offset) % outputs))
        }
        return part
      }
    } combine: { total, part in
      total.add(part)
    }
    self = result
  }

  private mutating func note(_ value: Float, expected: Float, at index: Int, isRight: Bool) {
    comparedCount += 1
    if isRight, value.bitPattern == expected.bitPattern { return }
    let error = (Double(value) - Double(expected)).magnitude
    if error > largestError { largestError = error }
    guard !isRight else { return }
    wrongCount += 1
    if index < firstWrong?.index ?? .max { firstWrong = (index, value, expected) }
  }

  private mutating func add(_ other: WeightCheck) {
    comparedCount += other.comparedCount
    wrongCount += other.wrongCount
    prunedCount += other.prunedCount
    largestError = max(largestError, other.largestError)
    if let first = other.firstWrong, first.index < firstWrong?.index ?? .max { firstWrong = first }
  }
}

extension SourceTensor {
  /// Whether the values of some columns in some rows are the same bits as those in the model, where the rows of a column
  /// are neighbours; float32.
  fileprivate func hasSameBits(
    _ columns: Range<Int>, _ rows: Range<Int>, rowLength: Int, as model: UnsafeBufferPointer<Float>,
    _ index: NativeIndex
  ) -> Bool {
    bytes.withBytes { bytes in
      guard let base = bytes.baseAddress, let model = model.baseAddress else { return false }
      return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: columns.count * rows.count) { turned in
        for row in rows {
          let values = base + (row * rowLength + columns.lowerBound) * 4
          for column in 0..<columns.count {
            turned[column * rows.count + row - rows.lowerBound] =
              UInt32(littleEndian: (values + column * 4).loadUnaligned(as: UInt32.self))
          }
        }
        guard let start = turned.baseAddress else { return false }
        return columns.allSatisfy { column in
          let place = index(rows.lowerBound * rowLength + column)
          let neighbours = start + (column - columns.lowerBound) * rows.count
          return memcmp(neighbours, model + place, rows.count * 4) == 0
        }
      }
    }
  }

  /// Whether a range of the values is stored as the same bits in the same order.
  fileprivate func hasSameBits(as model: UnsafeBufferPointer<Float>, in range: Range<Int>) -> Bool {
    let size = MemoryLayout<Float>.size
    guard format == .float32, elementStride == size, scaling == nil, let other = model.baseAddress else {
      return false
    }
    return bytes.withBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      return memcmp(base + range.lowerBound * size, other + range.lowerBound, range.count * size) == 0
    }
  }
}

extension Encoding {
  /// What the values of a tensor of this encoding must be.
  fileprivate var requirement: WeightCheck.Requirement {
    switch element {
    case .float32: .exact
    case .float16, .bfloat16: .rounded
    case .int8: .quantized
    }
  }
}

extension Encoding.Element {
  /// Whether a value is what this encoding makes of an original.
  fileprivate func holds(_ original: Float, as value: Float, channel: Int) -> Bool {
    switch self {
    case .float32: value.bitPattern == original.bitPattern
    case .float16: value.bitPattern == original.roundedToHalf.bitPattern
    case .bfloat16: value.bitPattern == original.roundedToBFloat16.bitPattern
    case .int8(let scales):
      value.bitPattern == (original / scales[channel]).quantized(scale: scales[channel]).bitPattern
    }
  }
}

extension Float {
  /// The nearest multiple of a scale, at most 127 of them; zero is always +0.
  fileprivate func quantized(scale: Float) -> Float {
    let steps = min(max(rounded(.toNearestOrEven), -127), 127)
    return steps == 0 ? 0 : steps * scale
  }

  /// The nearest number of 11 significant bits in binary16's range, ties to even.
  var roundedToHalf: Float {
    guard isFinite, self != 0 else { return self }
    // Adding and subtracting a power of two rounds at the bit that binary16 ends with; in Double this is exact.
    let lastBit = max(exponent, -14) - 10
    let step = Double(sign: .plus, exponent: Int(lastBit), significand: 1)
    let steps = (Double(self) / step).rounded(.toNearestOrEven)
    let result = Float(steps * step)
    guard result.magnitude < 65520 else { return sign == .minus ? -.infinity : .infinity }
    return result == 0 ? Float(sign: sign, exponent: 0, significand: 0) : result
  }

  /// The nearest number of 8 significant bits, ties to even.
  var roundedToBFloat16: Float {
    guard isFinite else { return self }
    let kept = bitPattern &+ 0x7FFF &+ (bitPattern >> 16 & 1)
    return Float(bitPattern: kept & 0xFFFF_0000)
  }
}
