import TestSupport
import Testing
import VGGBytes

@testable import VGGTensors

@Suite("What files are to hold")
struct FileContentTests {
  /// Some of everything, with lengths that are no multiples of anything.
  private func content(seed: UInt64) -> (content: FileContent, bytes: [UInt8]) {
    var random = SeededGenerator(seed: seed)
    var content = FileContent()
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...9, using: &random) {
      let count = Int.random(in: 0...70, using: &random)
      let codes = (0..<count).map { _ in Int8.random(in: -8...7, using: &random) }
      let values = codes.map { Float($0) / 4 }
      switch Int.random(in: 0..<7, using: &random) {
      case 0:
        content.append(codes.map { UInt8(bitPattern: $0) })
        bytes += codes.map { UInt8(bitPattern: $0) }
      case 1:
        content.append(.zeros(count))
        bytes += Array(repeating: 0, count: count)
      case 2:
        content.append(.reals(MemoryValues(values), as: .float32))
        bytes += values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
      case 3:
        content.append(.reals(MemoryValues(values), as: .float16))
        bytes += values.flatMap { withUnsafeBytes(of: Float16($0).bitPattern.littleEndian) { Array($0) } }
      case 4:
        content.append(.reals(MemoryValues(values), as: .bfloat16))
        bytes += values.flatMap {
          withUnsafeBytes(of: UInt16($0.bitPattern >> 16).littleEndian) { Array($0) }
        }
      case 5:
        content.append(.codes(MemoryCodes(codes)))
        bytes += codes.map { UInt8(bitPattern: $0) }
      default:
        content.append(.nibbles(MemoryCodes(codes)))
        bytes += stride(from: 0, to: count, by: 2).map {
          UInt8(codes[$0] & 15) | ($0 + 1 < count ? UInt8(codes[$0 + 1] & 15) << 4 : 0)
        }
      }
    }
    return (content, bytes)
  }

  @Test("Written or read in parts, they are the bytes that were described", arguments: 0..<40)
  func bytes(seed: UInt64) throws {
    let (content, expected) = content(seed: seed)
    #expect(content.byteCount == expected.count)
    try withTemporaryFolder { folder in
      let file = try AtomicFile(path: "\(folder)/a", overwrite: false)
      try content.write(to: file, at: 3)
      try file.publish()
      #expect(try MappedFile(path: "\(folder)/a").bytes.withBytes { Array($0.dropFirst(3)) } == expected)
    }
    var random = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      let start = Int.random(in: 0...expected.count, using: &random)
      let end = Int.random(in: start...expected.count, using: &random)
      #expect(try content.bytes(start..<end) == Array(expected[start..<end]))
    }
  }

  @Test("Padding ends at a multiple", arguments: [0, 1, 15, 16, 17])
  func padding(count: Int) {
    var content = FileContent([.zeros(count)])
    content.pad(toMultipleOf: 16)
    #expect(content.byteCount == (count + 15) / 16 * 16)
  }

  @Test(
    "Transposed elements are those of the native order",
    arguments: [
      ([3, 3, 5, 4], [2, 0, 1]), ([3, 2, 5, 7], [0, 1, 2]), ([7, 7, 3, 9], [2, 0, 1]), ([200, 3], [0]),
      ([1, 1, 1, 1], [2, 0, 1]), ([4, 3, 70, 2], [2, 1, 0]),
    ])
  func transposed(shape: [Int], axes: [Int]) throws {
    let count = shape.reduce(1, *)
    let values = (0..<count).map(Float.init)
    let outputs = shape[shape.count - 1]
    let rowShape = Array(shape.dropLast())
    let rows = RowOrder(shape: rowShape, axes: axes)
    // Index by index, the plain way.
    var expected: [Float] = []
    func visit(_ indices: [Int], _ output: Int) {
      guard indices.count == axes.count else {
        for index in 0..<rowShape[axes[indices.count]] { visit(indices + [index], output) }
        return
      }
      var native = Array(repeating: 0, count: axes.count)
      for (place, axis) in axes.enumerated() { native[axis] = indices[place] }
      let row = zip(native, rowShape).reduce(0) { $0 * $1.1 + $1.0 }
      expected.append(values[row * outputs + output])
    }
    for output in 0..<outputs { visit([], output) }
    let view = TransposedValues(MemoryValues(values), rows: rows)
    #expect(try view.array() == expected)
    let codes = TransposedCodes(MemoryCodes(values.map { Int8(truncatingIfNeeded: Int($0)) }), rows: rows)
    #expect(try codes.array() == expected.map { Int8(truncatingIfNeeded: Int($0)) })
    var random = SeededGenerator(seed: UInt64(count))
    for _ in 0..<20 {
      let start = Int.random(in: 0..<count, using: &random)
      let range = start..<Int.random(in: start...count, using: &random)
      #expect(try view.withValues(range) { Array($0) } == Array(expected[range]))
      #expect(
        try codes.withCodes(range) { Array($0) }
          == expected[range].map { Int8(truncatingIfNeeded: Int($0)) })
    }
  }
}
