import TestSupport
import Testing
import VGGBytes
import VGGTensors

/// Codes and what they stand for against the definition, element by element.
@Suite struct QuantizationTests {
  /// A tensor of random codes, and the index of the scale of each element.
  private struct Sample {
    let shape: [Int]
    let quantization: Quantization
    let codes: [Int8]
    let groups: [Int]

    var rowLength: Int { shape.last ?? 1 }

    init(
      _ type: CodeType, _ grouping: Quantization.Grouping, isSymmetric: Bool, _ random: inout SeededGenerator
    ) {
      let axes = (0..<[1, 2, 4][Int.random(in: 0..<3, using: &random)])
      shape = axes.map { _ in Int.random(in: 1...(axes.count == 4 ? 6 : 40), using: &random) }
      let (count, outputs) = (shape.reduce(1, *), shape[axes.count - 1])
      groups = (0..<count).map { index in
        switch grouping {
        case .tensor: 0
        case .outputChannel: index % outputs
        case .inputGroups(let length): index / outputs / length * outputs + index % outputs
        }
      }
      let groupCount = (groups.max() ?? 0) + 1
      quantization = Quantization(
        type, by: grouping, scales: (0..<groupCount).map { _ in Float.random(in: 0.001...2, using: &random) },
        zeroPoints: isSymmetric
          ? [] : (0..<groupCount).map { _ in Int8.random(in: type.codes, using: &random) })
      codes = (0..<count).map { _ in Int8.random(in: type.codes, using: &random) }
    }

    func zeroPoint(_ index: Int) -> Int {
      quantization.zeroPoints.isEmpty ? 0 : Int(quantization.zeroPoints[groups[index]])
    }

    func code(of value: Float, at index: Int) -> Int8 {
      let isSymmetric = quantization.zeroPoints.isEmpty
      let (least, most) = (quantization.type.codes.lowerBound, quantization.type.codes.upperBound)
      guard !value.isNaN else { return Int8(zeroPoint(index)) }
      let steps = (value / quantization.scales[groups[index]]).rounded(.toNearestOrEven)
      return Int8(max(Float(isSymmetric ? -most : least), min(Float(most), steps + Float(zeroPoint(index)))))
    }
  }

  static let groupings: [Quantization.Grouping] = [
    .tensor, .outputChannel, .inputGroups(length: 1), .inputGroups(length: 7), .inputGroups(length: 32),
    .inputGroups(length: 128),
  ]

  @Test(arguments: CodeType.allCases, groupings)
  func valuesAndCodesAreWhatTheDefinitionSays(_ type: CodeType, _ grouping: Quantization.Grouping) throws {
    var random = SeededGenerator(seed: 21)
    for round in 0..<60 {
      let sample = Sample(type, grouping, isSymmetric: round % 2 == 0, &random)
      let tensor = Tensor(
        name: "t", role: .weight, shape: sample.shape,
        content: .codes(MemoryCodes(sample.codes), sample.quantization))
      let expected = sample.codes.enumerated().map { index, code in
        Float(Int(code) - sample.zeroPoint(index)) * sample.quantization.scales[sample.groups[index]]
      }
      #expect(try tensor.values.array() == expected)
      let start = Int.random(in: 0..<tensor.count, using: &random)
      let range = start..<Int.random(in: start + 1...tensor.count, using: &random)
      #expect(try tensor.values.withValues(range) { values in Array(values) } == Array(expected[range]))

      let wanted = expected.indices.map { index in
        let value =
          Float.random(in: -300...300, using: &random) * sample.quantization.scales[sample.groups[index]]
        return index % 17 == 3 ? .nan : value
      }
      let codes = wanted.indices.map { sample.code(of: wanted[$0], at: $0) }
      var found = [Int8](repeating: 0, count: range.count)
      wanted[range].withUnsafeBufferPointer { values in
        found.withUnsafeMutableBufferPointer {
          sample.quantization.quantize(
            values, firstIndex: range.lowerBound, rowLength: sample.rowLength, into: $0)
        }
      }
      #expect(found == Array(codes[range]))
      try checkTile(of: wanted, codes, sample, &random)
    }
  }

  /// Quantises a random tile of values.
  private func checkTile(
    of values: [Float], _ codes: [Int8], _ sample: Sample, _ random: inout SeededGenerator
  ) throws {
    let rowLength = sample.rowLength
    let rowCount = values.count / rowLength
    let (row, column) = (
      Int.random(in: 0..<rowCount, using: &random), Int.random(in: 0..<rowLength, using: &random)
    )
    let tile = Tile(
      rows: row..<Int.random(in: row + 1...rowCount, using: &random),
      columns: column..<Int.random(in: column + 1...rowLength, using: &random))
    let stride = tile.columns.count + Int.random(in: 0...2, using: &random)
    var found = [Int8](repeating: 99, count: tile.rows.count * stride)
    try found.withUnsafeMutableBufferPointer { found throws(FileError) in
      guard let start = found.baseAddress else { return }
      try MemoryValues(values).forEachBlock(of: tile, rowLength: rowLength) { block, part in
        sample.quantization.quantize(
          part, of: block, in: tile, rowLength: rowLength, into: start, rowStride: stride)
      }
    }
    for (place, code) in found.enumerated() {
      let (row, column) = place.quotientAndRemainder(dividingBy: stride)
      let index = (tile.rows.lowerBound + row) * rowLength + tile.columns.lowerBound + column
      #expect(code == (column < tile.columns.count ? codes[index] : 99))
    }
  }

  @Test func twoCodesOfFourBitsTakeAByte() {
    #expect(ElementType.code(.int4).byteCount(of: 5) == 3 && ElementType.code(.int4).byteCount(of: 6) == 3)
    #expect(
      ElementType.code(.int8).byteCount(of: 5) == 5 && ElementType.real(.float16).byteCount(of: 5) == 10)
  }
}
