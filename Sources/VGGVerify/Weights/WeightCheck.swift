internal import CVGGKernels
internal import Glibc
internal import VGGBytes
internal import VGGTensors

/// Whether a tensor of a model is what the source and the declared passes make of it.
public struct WeightCheck: Sendable {
  /// The canonical name.
  public var tensor: String
  /// The tensor's name in the source.
  public var sourceName: String
  /// What was required of each value.
  public var requirement: Requirement
  /// Whether the tensor has the shape that the source's has in the native layout.
  public var hasSourcesShape = true
  /// What is wrong with the way in which the tensor is stored, such as a scale that does not follow from the source.
  public var encodingProblem: String?
  /// The number of values that there are.
  public private(set) var valueCount = 0
  /// The number of values compared.
  public var comparedCount = 0
  /// The number of values that are not what is required.
  public var wrongCount = 0
  /// The first of them in the model's order, with what is there and what would be right.
  public var firstWrong: (index: Int, seen: Float, expected: Float)?
  /// The number of values whose bits are not the source's, right or wrong.
  public var changedCount = 0
  /// The number of values that are zero and are not in the source.
  public var prunedCount = 0
  /// The number of values that the passes make infinite: too large for their type.
  public var overflowCount = 0
  /// The largest absolute difference from the source, of all values.
  public var largestError = 0.0

  /// What is required of each value of a tensor, by the last pass that changed it.
  public enum Requirement: String, Sendable {
    /// The source's value, bit for bit; zero where it was pruned.
    case exact
    /// The source's value, rounded to nearest in a narrower type.
    case rounded
    /// What the code stands for that is nearest to the source's value.
    case quantized
    /// What a pass computes of the source's value: times a power of two, or less a correction.
    case computed
    /// What one of the two codes stands for that the source's value lies between: which one, pictures decided that are not
    /// known. Whether the choices are good the outputs must show.
    case quantizedByChoice = "quantized by choice"
  }

  /// Whether every value was compared, and there were any.
  public var isComplete: Bool { comparedCount == valueCount && comparedCount > 0 }

  /// Whether all values and the way they are stored are right.
  public var passes: Bool { wrongCount == 0 && encodingProblem == nil && isComplete }

  /// Whether every value is the source's, bit for bit.
  public var isUnchanged: Bool { changedCount == 0 && isComplete }
}

extension WeightCheck {
  /// Compares a tensor of a model with what it must be.
  ///
  /// Values that no pass has changed are read back in the source's own order: element by element of the source, the place
  /// in the model is computed here a second time, independently of how the importer did it.
  init(of tensor: Tensor, against declared: DeclaredTensor) throws(FileError) {
    let original = declared.original
    self.init(
      tensor: tensor.name, sourceName: original.source?.name ?? original.name,
      requirement: declared.requirement)
    valueCount = tensor.count
    guard tensor.shape == original.shape else {
      hasSourcesShape = false
      (comparedCount, wrongCount, changedCount) = (tensor.count, tensor.count, tensor.count)
      return
    }
    encodingProblem = declared.encodingProblem(of: tensor)
    if declared.isUnchanged, let source = original.source, let inMemory = tensor.values.inMemory {
      inMemory.withBytes { bytes in
        readBack(source, model: bytes.assumingMemoryBound(to: Float.self))
      }
    } else {
      try compareInOrder(tensor, with: declared)
    }
  }

  private init(tensor: String, sourceName: String, requirement: Requirement) {
    self.tensor = tensor
    self.sourceName = sourceName
    self.requirement = requirement
  }

  /// Walks the source in its own order, on several threads, and looks each value up in the model.
  ///
  /// Where the source's first axis is the model's last one (the output channel), tiles of rows and columns are turned and
  /// compared as wholes.
  private mutating func readBack(_ source: SourceTensor, model: UnsafeBufferPointer<Float>) {
    let index = NativeIndex(of: source)
    let rowCount = source.shape.first ?? 0
    guard rowCount > 0, !model.isEmpty else { return }
    let rowLength = model.count / rowCount
    // Tiles: each row of the source gives a run of values, each column a run of the model's, and neither is read by
    // single values that are pages apart. A tile of float32 has 64 KB.
    let columnsAtOnce = 64
    let blockRows = index.firstAxisIsModelsLast ? 256 : max(1, (1 << 18) / rowLength)
    let blockCount = (rowCount + blockRows - 1) / blockRows
    let outputs = source.canonicalShape.last ?? 1
    let isPlain = source.format == .float32 && source.scaling == nil && source.elementStride == 4
    let empty = WeightCheck(tensor: tensor, sourceName: sourceName, requirement: requirement)
    nonisolated(unsafe) let model = model
    let parts = Workers.current.map(blockCount) { block in
      var part = empty
      let rows = block * blockRows..<min(rowCount, (block + 1) * blockRows)
      source.bytes.withBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        func check(_ position: Int, _ native: Int) {
          let address = base + position * source.elementStride
          let expected =
            isPlain
            ? Float(bitPattern: UInt32(littleEndian: address.loadUnaligned(as: UInt32.self)))
            : source.value(at: address, row: native / outputs, outputChannel: native % outputs)
          let seen = model[native]
          part.note(seen, expected: expected, source: expected, at: native)
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
      return part
    }
    for part in parts { add(part) }
  }

  /// Compares values tile by tile, and repeats the passes with the source's values on the way.
  private mutating func compareInOrder(_ tensor: Tensor, with declared: DeclaredTensor) throws(FileError) {
    let outputs = tensor.shape[tensor.shape.count - 1]
    let (name, steps, original, seen) = (self, declared.steps, declared.original.values, tensor.values)
    let tiles = original.tiles(rowLength: outputs)
    let parts = try Workers.current.map(tiles.count) { index throws(FileError) in
      var part = WeightCheck(
        tensor: name.tensor, sourceName: name.sourceName, requirement: name.requirement)
      var room: [Float] = []
      try original.forEachBlock(of: tiles[index], rowLength: outputs) { block, source throws(FileError) in
        // Blocks of a tile are of one size, but for the last one.
        if room.count < 2 * source.count { room = Array(repeating: 0, count: 2 * source.count) }
        try part.compare(seen, with: source, steps: steps, in: block, rowLength: outputs, &room)
      }
      return part
    }
    for part in parts { add(part) }
  }

  /// Compares the values of a block with what the passes make of the source's.
  ///
  /// - Parameter room: Memory for twice the block's values.
  private mutating func compare(
    _ model: any TensorValues, with source: UnsafeBufferPointer<Float>, steps: [DeclaredStep],
    in block: Block, rowLength: Int, _ room: inout [Float]
  ) throws(FileError) {
    var failure: FileError?
    room.withUnsafeMutableBufferPointer { room in
      let expected = UnsafeMutableBufferPointer(rebasing: room[..<source.count])
      let seen = UnsafeMutableBufferPointer(rebasing: room[source.count..<2 * source.count])
      _ = expected.update(fromContentsOf: source)
      block.forEachRun(rowLength: rowLength) { place, run in
        let right = UnsafeMutableBufferPointer(rebasing: expected[run])
        for step in steps { step.apply(to: right, firstIndex: place) }
      }
      do throws(FileError) { try model.read(block, rowLength: rowLength, into: seen) } catch {
        failure = error
        return
      }
      if expected.hasSameBits(as: seen) {
        return noteRight(UnsafeBufferPointer(seen), source: source)
      }
      block.forEachRun(rowLength: rowLength) { place, run in
        for (offset, index) in run.enumerated() {
          note(seen[index], expected: expected[index], source: source[index], at: place + offset)
        }
      }
    }
    if let failure { throw failure }
  }

  private mutating func note(_ value: Float, expected: Float, source: Float, at index: Int) {
    withUnsafePointer(to: value) { value in
      withUnsafePointer(to: source) { source in
        noteRight(
          UnsafeBufferPointer(start: value, count: 1), source: UnsafeBufferPointer(start: source, count: 1))
      }
    }
    guard value.bitPattern != expected.bitPattern else { return }
    wrongCount += 1
    if !value.isFinite, source.isFinite { overflowCount -= 1 }  // no pass made it so
    if index < firstWrong?.index ?? .max { firstWrong = (index, value, expected) }
  }

  /// Takes in values that are what is required.
  private mutating func noteRight(_ values: UnsafeBufferPointer<Float>, source: UnsafeBufferPointer<Float>) {
    for start in stride(from: 0, to: values.count, by: 4096) {
      noteRight(values, source: source, start..<min(start + 4096, values.count))
    }
    comparedCount += values.count
  }

  /// Takes in a few of the values: integers without branches, so that it becomes vector code.
  private mutating func noteRight(
    _ values: UnsafeBufferPointer<Float>, source: UnsafeBufferPointer<Float>, _ range: Range<Int>
  ) {
    var (changed, pruned, overflow) = (UInt32(0), UInt32(0), UInt32(0))
    var largest: Int32 = 0
    for index in range {
      let (bits, originalBits) = (values[index].bitPattern, source[index].bitPattern)
      changed &+= bits != originalBits ? 1 : 0
      pruned &+= (bits &<< 1 == 0 ? 1 : 0) & (originalBits &<< 1 != 0 ? 1 : 0)
      overflow &+=
        (bits & 0x7F80_0000 == 0x7F80_0000 ? 1 : 0) & (originalBits & 0x7F80_0000 != 0x7F80_0000 ? 1 : 0)
      let error = values[index] - source[index]
      largest = max(largest, Int32(bitPattern: error.bitPattern & 0x7FFF_FFFF))
    }
    changedCount += Int(changed)
    prunedCount += Int(pruned)
    overflowCount += Int(overflow)
    // A difference in float32 is rounded: what could be a new largest one is computed again, exactly.
    let bound = Float(bitPattern: UInt32(bitPattern: largest)).nextUp
    if bound.isFinite, Double(bound) <= largestError { return }
    for index in range {
      let error = (Double(values[index]) - Double(source[index])).magnitude
      largestError = error > largestError ? error : largestError
    }
  }

  private mutating func add(_ other: WeightCheck) {
    comparedCount += other.comparedCount
    wrongCount += other.wrongCount
    changedCount += other.changedCount
    prunedCount += other.prunedCount
    overflowCount += other.overflowCount
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
      let first = rows.lowerBound * rowLength
      let places = columns.map { index(first + $0) }
      return vgk_is_transposed_f32(
        vgk_best_isa(), base + (first + columns.lowerBound) * 4, rowLength * 4, rows.count, columns.count,
        model,
        places)
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

extension UnsafeMutableBufferPointer<Float> {
  /// Whether the values are the same bits as those of a buffer of the same length.
  fileprivate func hasSameBits(as other: Self) -> Bool {
    guard let own = baseAddress, let others = other.baseAddress else { return true }
    return memcmp(own, others, count * MemoryLayout<Float>.size) == 0
  }
}

extension DeclaredTensor {
  /// What is required of the values.
  fileprivate var requirement: WeightCheck.Requirement {
    for step in steps.reversed() {
      switch step {
      case .roundedToHalf, .roundedToBFloat16: return .rounded
      case .quantized, .counted: return .quantized
      case .scaled, .corrected: return .computed
      case .chosen: return .quantizedByChoice
      case .pruned: continue
      }
    }
    return .exact
  }
}

extension DeclaredTensor {
  /// What is wrong with the way in which a tensor is stored; nil where nothing is.
  fileprivate func encodingProblem(of tensor: Tensor) -> String? {
    guard tensor.elementType == elementType, tensor.storage == storage else {
      return "is stored as \(text(tensor.elementType, tensor.storage)), "
        + "but the passes make it \(text(elementType, storage))"
    }
    if case .bias(let own) = tensor.content, let bias {
      // Values do not tell all codes apart: float32 has fewer bits.
      return problem("units", own.scales, bias.scales, .outputChannel) { $0.bitPattern == $1.bitPattern }
        ?? problem("codes", own.codes, bias.codes, .outputChannel, ==)
    }
    guard let declared = quantization, let own = tensor.quantization else { return nil }
    guard own.grouping == declared.grouping else {
      return "has \(text(own.grouping)), but the passes make it \(text(declared.grouping))"
    }
    guard own.scaleCount == declared.scaleCount else {
      return "has \(own.scaleCount) scales for \(declared.scaleCount) groups"
    }
    guard own.zeroPointCount == declared.zeroPointCount else {
      return "has \(own.zeroPointCount) zero points, but the passes make it \(declared.zeroPointCount)"
    }
    return problem("scales", own.scales, declared.scales, declared.grouping) {
      $0.bitPattern == $1.bitPattern
    }
      ?? problem("zero points", own.zeroPoints, declared.zeroPoints, declared.grouping, ==)
  }

  /// What is wrong with numbers of which there is one for each group.
  private func problem<Number>(
    _ name: String, _ own: [Number], _ declared: [Number], _ grouping: Quantization.Grouping,
    _ areEqual: (Number, Number) -> Bool
  ) -> String? {
    let wrong = own.indices.filter { !areEqual(own[$0], declared[$0]) }
    guard let first = wrong.first else { return nil }
    let unit = grouping == .outputChannel ? "channel" : "group"
    return "\(wrong.count) of \(own.count) \(name) do not follow from the source, the first that of \(unit) "
      + "\(first): \(own[first]) instead of \(declared[first])"
  }

  private func text(_ grouping: Quantization.Grouping) -> String {
    switch grouping {
    case .tensor: "one scale"
    case .outputChannel: "a scale for each channel"
    case .inputGroups(let length): "a scale for each group of \(length)"
    }
  }

  private func text(_ type: ElementType, _ storage: Storage) -> String {
    (storage == .sparse ? "sparse " : "") + type.name
  }
}
