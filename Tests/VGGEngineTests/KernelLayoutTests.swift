import CVGGKernels
import TestSupport
import Testing

/// Turned matrices, for every instruction set.
@Suite struct KernelLayoutTests {
  @Test(arguments: availableISAs, [1, 7, 8, 9, 16, 17, 64])
  func transposition(isa: VGKISA, columnCount: Int) {
    for rowCount in [1, 5, 8, 24, 33] {
      let columnLength = rowCount + 3
      let source = (0..<columnCount * columnLength).map(Float.init)
      var random = SeededGenerator(seed: UInt64(rowCount))
      let rows = (0..<UInt32(rowCount)).shuffled(using: &random)
      let rowStride = columnCount + 2
      var target = [Float](repeating: -1, count: rowCount * rowStride)
      vgk_transpose_f32(
        isa, source, columnLength * MemoryLayout<Float>.size, columnCount, rowCount, rows, &target, rowStride)
      for k in 0..<rowCount {
        let row = Int(rows[k]) * rowStride
        let expected = (0..<columnCount).map { source[$0 * columnLength + k] } + [-1, -1]
        #expect(Array(target[row..<row + rowStride]) == expected)
      }
    }
  }

  /// Each value is looked at: one bit of any of them is enough.
  @Test(arguments: availableISAs, [1, 7, 8, 19])
  func aTurnedMatrixIsKnown(isa: VGKISA, columnCount: Int) {
    for rowCount in [1, 8, 13, 40] {
      let rowLength = columnCount + 3
      let source = (0..<rowCount * rowLength).map(Float.init)
      var random = SeededGenerator(seed: UInt64(rowCount))
      let places = (0..<columnCount).map { $0 * (rowCount + 2) }.shuffled(using: &random)
      var model = [Float](repeating: .nan, count: columnCount * (rowCount + 2))
      for (column, place) in places.enumerated() {
        for row in 0..<rowCount { model[place + row] = source[row * rowLength + column] }
      }
      func isTransposed() -> Bool {
        vgk_is_transposed_f32(
          isa, source, rowLength * MemoryLayout<Float>.size, rowCount, columnCount, model, places)
      }
      #expect(isTransposed())
      for place in places {
        for index in place..<place + rowCount {
          let value = model[index]
          model[index] = Float(bitPattern: value.bitPattern ^ 1)
          #expect(!isTransposed(), "\(index)")
          model[index] = value
        }
      }
    }
  }
}
