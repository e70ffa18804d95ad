internal import VGGTensors

extension Quantization {
  /// The number of values that no code comes near: those more than half a step beyond the smallest or the largest one.
  ///
  /// - Parameters:
  ///   - values: Neighbouring values of a tensor.
  ///   - firstIndex: The index of the first of them.
  ///   - rowLength: The number of output channels.
  func clippedCount(_ values: UnsafeBufferPointer<Float>, firstIndex: Int, rowLength: Int) -> Int {
    let least = zeroPointCount == 0 ? -Float(type.codes.upperBound) : Float(type.codes.lowerBound)
    let most = Float(type.codes.upperBound)
    return withParameters { scales, zeroPoints in
      var (clipped, start) = (0, 0)
      var (row, channel) = firstIndex.quotientAndRemainder(dividingBy: rowLength)
      // In runs of one row, whose groups are neighbours, or one.
      while start < values.count {
        let run = start..<min(values.count, start + rowLength - channel)
        let group = grouping.index(row: row, channel: channel, rowLength: rowLength)
        let step = grouping == .tensor ? 0 : 1
        for index in run {
          let place = group + (index - start) * step
          let zero = zeroPoints.map { Float($0[place]) } ?? 0
          let steps = values[index] / scales[place]
          clipped += steps > most - zero + 0.5 || steps < least - zero - 0.5 ? 1 : 0
        }
        (start, row, channel) = (run.upperBound, row + 1, 0)
      }
      return clipped
    }
  }
}
