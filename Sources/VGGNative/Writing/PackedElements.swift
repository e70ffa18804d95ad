internal import CVGGRules
internal import VGGBytes
internal import VGGTensors

extension TensorWriter {
  /// Whether the file has two elements in a byte.
  var isPacked: Bool { tensor.elementType.bitCount < 8 }

  /// Puts codes of four bits, each in a byte of its own, in pairs; half a byte that is left over is zero.
  ///
  /// - Throws: `fault` where a code needs more bits.
  func pack(_ codes: UnsafeRawPointer, into output: UnsafeMutableRawPointer) throws(FileError) {
    let pieces = PieceLayout(elementCount: tensor.count)
    nonisolated(unsafe) let codes = codes.assumingMemoryBound(to: Int8.self)
    nonisolated(unsafe) let bytes = output.assumingMemoryBound(to: UInt8.self)
    try Workers.current.perform(pieces.count) { (index) throws(FileError) in
      let range = pieces.range(index)
      if let wrong = range.first(where: { !CodeType.int4.codes.contains(codes[$0]) }) {
        throw FileError(
          .fault, code: "vggw.encode.inexact", file: path,
          "was to hold a code that its encoding cannot represent",
          place: "tensor \(tensor.name), element \(wrong)", seen: "\(codes[wrong])", allowed: "-8 to 7")
      }
      for first in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
        let second = first + 1 < range.upperBound ? codes[first + 1] : 0
        bytes[first / 2] = vgr_nibbles(Int32(codes[first]), Int32(second))
      }
    }
  }

  /// Makes sure that no reader refuses the scales and zero points that stand in the data area.
  func checkStoredParameters() throws(FileError) {
    guard let quantization = tensor.quantization,
      let wrong = quantization.firstImpossible(0..<quantization.scaleCount)
    else { return }
    throw FileError(
      .fault, code: "vggw.encode.scales", file: path,
      "was to hold a scale or zero point that no reader accepts",
      place: "tensor \(tensor.name), group \(wrong.index)", seen: wrong.seen, allowed: wrong.allowed)
  }
}
