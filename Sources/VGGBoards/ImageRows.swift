internal import CVGGRuntime
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// The rows of weights of a layer, as they lie in the image, made as they are read.
struct ImageRows: TensorCodes {
  /// The bytes of all rows.
  let count: Int
  private let layer: BoardLayer
  /// The codes, a row for each output channel.
  private let codes: any TensorCodes
  /// Where each row begins, and the end; nil: all are of the same length.
  private let starts: [Int]?

  /// Takes the codes of a layer.
  ///
  /// - Parameters:
  ///   - layer: The layer, with the encoding and the length of its rows.
  ///   - codes: Its weights, a row for each output channel, in the order row, column, input.
  ///   - nonzeroCounts: For each output channel the number of weights that are not zero; of sparse rows.
  init(_ layer: BoardLayer, _ codes: any TensorCodes, nonzeroCounts: [Int]) {
    (self.layer, self.codes) = (layer, codes)
    count = layer.weightByteCount
    guard layer.encoding == .sparse else {
      starts = nil
      return
    }
    var starts = [0]
    for nonzeros in nonzeroCounts {
      starts.append(starts[starts.count - 1] + layer.sparseRowByteCount(nonzeros))
    }
    self.starts = starts
  }

  private func start(of row: Int) -> Int { starts.map { $0[row] } ?? count / layer.output.channels * row }

  /// The row that a byte belongs to.
  private func row(of byte: Int) -> Int {
    guard let starts else { return byte / (count / layer.output.channels) }
    var (low, high) = (0, starts.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= byte { low = middle } else { high = middle }
    }
    return low
  }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    guard let target = destination.baseAddress, !range.isEmpty else { return }
    let rows = row(of: range.lowerBound)..<row(of: range.upperBound - 1) + 1
    let length = codes.count / layer.output.channels
    try codes.withCodes(rows.lowerBound * length..<rows.upperBound * length) { codes in
      for row in rows {
        let codes = UnsafeBufferPointer(
          rebasing: codes[(row - rows.lowerBound) * length..<(row + 1 - rows.lowerBound) * length])
        let bytes = encoded(codes)
        let start = start(of: row)
        let part = max(range.lowerBound, start)..<min(range.upperBound, start + bytes.count)
        bytes.withUnsafeBufferPointer { bytes in
          guard let source = bytes.baseAddress else { return }
          (target + part.lowerBound - range.lowerBound).update(
            from: source + part.lowerBound - start, count: part.count)
        }
      }
    }
  }

  private func encoded(_ codes: UnsafeBufferPointer<Int8>) -> [Int8] {
    switch layer.encoding {
    case .plain: Array(codes) + Array(repeating: 0, count: codes.count.roundedUp(to: 4) - codes.count)
    case .sparse: sparse(codes)
    case .winograd: expanded(codes)
    }
  }

  private func expanded(_ codes: UnsafeBufferPointer<Int8>) -> [Int8] {
    let channels = layer.input.channels
    var numbers = [Int16](repeating: 0, count: 16 * channels)
    if let codes = codes.baseAddress { vggrt_winograd_row(codes, UInt32(channels), &numbers) }
    return numbers.flatMap { number in
      withUnsafeBytes(of: number.littleEndian) { $0.map { Int8(bitPattern: $0) } }
    }
  }

  private func sparse(_ codes: UnsafeBufferPointer<Int8>) -> [Int8] {
    var bytes: [Int8] = []
    for start in stride(from: 0, to: codes.count, by: 256) {
      let block = codes[start..<min(codes.count, start + 256)]
      for place in stride(from: block.startIndex, to: block.endIndex, by: 8) {
        var bits: UInt8 = 0
        for index in place..<min(place + 8, block.endIndex) where codes[index] != 0 {
          bits |= 1 << (index - place)
        }
        bytes.append(Int8(bitPattern: bits))
      }
      bytes += block.filter { $0 != 0 }
    }
    let length = withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { $0.map { Int8(bitPattern: $0) } }
    return length + bytes + Array(repeating: 0, count: bytes.count.roundedUp(to: 4) - bytes.count)
  }
}

extension BoardLayer {
  /// The bytes of a sparse row of so many weights that are not zero.
  func sparseRowByteCount(_ nonzeroCount: Int) -> Int {
    4 + ((input.count + 7) / 8 + nonzeroCount).roundedUp(to: 4)
  }
}

/// What must be known of a layer's weights before its rows are written.
struct WeightCounts {
  /// For each output channel: the sum of its weights.
  private(set) var sums: [Int32]
  /// For each output channel: how many weights are not zero.
  private(set) var nonzeros: [Int]

  /// Goes through the codes once.
  ///
  /// - Parameters:
  ///   - codes: The codes in the native layout, a row of outputs for each input.
  ///   - outputs: How many outputs there are.
  init(_ codes: any TensorCodes, outputs: Int) throws(FileError) {
    var (sums, nonzeros) = ([Int32](repeating: 0, count: outputs), [Int](repeating: 0, count: outputs))
    let length = max(1, (1 << 20) / outputs) * outputs
    for start in stride(from: 0, to: codes.count, by: length) {
      try codes.withCodes(start..<min(codes.count, start + length)) { codes in
        sums.withUnsafeMutableBufferPointer { sums in
          nonzeros.withUnsafeMutableBufferPointer { nonzeros in
            for row in stride(from: 0, to: codes.count, by: outputs) {
              for output in 0..<outputs {
                let code = codes[row &+ output]
                sums[output] &+= Int32(truncatingIfNeeded: code)
                nonzeros[output] &+= code == 0 ? 0 : 1
              }
            }
          }
        }
      }
    }
    (self.sums, self.nonzeros) = (sums, nonzeros)
  }
}
