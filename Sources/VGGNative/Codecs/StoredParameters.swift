internal import VGGBytes
internal import VGGTensors

extension Float {
  /// Whether a file may have this scale: finite, and neither negative nor -0.
  var isPossibleScale: Bool { isFinite && sign == .plus }
}

extension Quantization {
  /// The scales and zero points of groups from the beginning of a tensor's stored bytes; nil where these are too few.
  init?(_ type: CodeType, _ parameters: CodeParameters, storedIn bytes: ByteRegion) {
    let scaleBytes = parameters.scaleCount * MemoryLayout<Float>.size
    guard let scales = bytes.slice(at: 0, count: scaleBytes),
      let zeroPoints = bytes.slice(at: scaleBytes, count: parameters.zeroPointCount)
    else { return nil }
    self.init(type, by: parameters.grouping, ParameterTable(scales), ParameterTable(zeroPoints))
  }

  /// Writes scales, zero points and zeros up to the elements.
  func writeParameters(to memory: UnsafeMutableRawPointer) {
    withParameters { scales, zeroPoints in
      let scales = UnsafeRawBufferPointer(scales)
      let zeroPoints = zeroPoints.map { UnsafeRawBufferPointer($0) }
      let byteCount = CodeParameters(self).storedByteCount
      let output = UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
      output.copyBytes(from: scales)
      let used = scales.count + (zeroPoints?.count ?? 0)
      if let zeroPoints {
        UnsafeMutableRawBufferPointer(rebasing: output[scales.count...]).copyBytes(from: zeroPoints)
      }
      UnsafeMutableRawBufferPointer(rebasing: output[used...]).initializeMemory(as: UInt8.self, repeating: 0)
    }
  }

  /// What is wrong with some of the scales and zero points; nil where nothing is.
  ///
  /// - Returns: The index of the scale, what is seen, and what is allowed.
  func firstImpossible(_ range: Range<Int>) -> (index: Int, seen: String, allowed: String)? {
    withParameters { scales, zeroPoints in
      if let index = range.first(where: { !scales[$0].isPossibleScale }) {
        return (index, "scale \(scales[index])", "finite, not negative")
      }
      guard let zeroPoints, let index = range.first(where: { !type.codes.contains(zeroPoints[$0]) }) else {
        return nil
      }
      return (
        index, "zero point \(zeroPoints[index])", "\(type.codes.lowerBound) to \(type.codes.upperBound)"
      )
    }
  }
}

/// Codes in groups whose scales and zero points stand in the data area of a file.
///
/// There may be as many scales as a manifest has bytes, so those that some codes need are checked when the codes are read.
struct GroupedCodes: TensorCodes {
  let base: any TensorCodes
  let quantization: Quantization
  let record: TensorRecord
  let path: String

  var count: Int { base.count }

  func lent() throws(FileError) -> LentCodes? {
    try check(0..<quantization.scaleCount)
    return try base.lent()
  }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    try check(parameters(of: range))
    try base.read(range, into: destination)
  }

  private func check(_ parameters: Range<Int>) throws(FileError) {
    guard let wrong = quantization.firstImpossible(parameters) else { return }
    throw FileError(
      .malformed, code: "vggw.tensor.scales", file: path, "has an impossible scale or zero point",
      offset: record.offset + wrong.index * MemoryLayout<Float>.size,
      place: "tensor \(record.name), group \(wrong.index)", seen: wrong.seen, allowed: wrong.allowed)
  }

  /// The parameters that a range of codes needs: of one row those of its columns, of more rows those of all columns.
  private func parameters(of range: Range<Int>) -> Range<Int> {
    guard let rowLength = record.shape.last, !range.isEmpty else { return 0..<0 }
    func group(_ index: Int, channel: Int) -> Int {
      quantization.grouping.index(row: index / rowLength, channel: channel, rowLength: rowLength)
    }
    let (first, last) = (range.lowerBound, range.upperBound - 1)
    let isOneRow = first / rowLength == last / rowLength
    return group(first, channel: isOneRow ? first % rowLength : 0)..<group(
      last, channel: isOneRow ? last % rowLength : rowLength - 1) + 1
  }
}
