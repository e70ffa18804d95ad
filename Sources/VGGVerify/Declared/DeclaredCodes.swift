internal import VGGTensors

/// What the codes of a tensor must stand for, as a pass makes them of its values.
struct DeclaredCodes: Equatable, Sendable {
  /// Which elements share a scale.
  let grouping: Quantization.Grouping
  /// The number of output channels.
  let outputs: Int
  /// The scale of each group, in the order of a file.
  let scales: [Float]
  /// The code of zero in each group; none where that is 0 everywhere.
  let zeroPoints: [Int8]
  /// The least and the largest code.
  let range: ClosedRange<Int>

  /// Turns values into what their nearest codes stand for, ties to even; zero is +0.
  ///
  /// - Parameters:
  ///   - values: Values that are neighbours in the tensor.
  ///   - firstIndex: The index of the first of them.
  func apply(to values: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    // In runs of neighbouring channels, without calls and branches, so that they become vector code.
    var (start, row, channel) = (0, firstIndex / outputs, firstIndex % outputs)
    while start < values.count {
      let run = start..<start + min(values.count - start, outputs - channel)
      let part = UnsafeMutableBufferPointer(rebasing: values[run])
      switch grouping {
      case .tensor: applyOne(to: part)
      case .outputChannel: apply(to: part, firstGroup: channel)
      case .inputGroups(let length): apply(to: part, firstGroup: row / length * outputs + channel)
      }
      (start, row, channel) = (run.upperBound, row + 1, 0)
    }
  }

  /// Values of neighbouring groups.
  private func apply(to values: UnsafeMutableBufferPointer<Float>, firstGroup: Int) {
    let (least, most) = (Float(range.lowerBound), Float(range.upperBound))
    if zeroPoints.isEmpty {
      for index in values.indices {
        let scale = scales[firstGroup + index]
        values[index] = DeclaredCodes.nearest(values[index], scale, least, most)
      }
    } else {
      for index in values.indices {
        let (scale, zeroPoint) = (scales[firstGroup + index], Float(zeroPoints[firstGroup + index]))
        values[index] = DeclaredCodes.nearest(values[index], scale, least - zeroPoint, most - zeroPoint)
      }
    }
  }

  /// Values of one group that is the whole tensor.
  private func applyOne(to values: UnsafeMutableBufferPointer<Float>) {
    let (scale, zeroPoint) = (scales[0], Float(zeroPoints.first ?? 0))
    let (least, most) = (Float(range.lowerBound) - zeroPoint, Float(range.upperBound) - zeroPoint)
    for index in values.indices {
      values[index] = DeclaredCodes.nearest(values[index], scale, least, most)
    }
  }

  @inline(__always)
  private static func nearest(_ value: Float, _ scale: Float, _ least: Float, _ most: Float) -> Float {
    let quotient = min(max(value / scale, least), most)
    // Numbers of 2^23 and more have no fraction: the sum is rounded to nearest, ties to even.
    let steps = (quotient + 0x1.8p23) - 0x1.8p23
    return steps * scale + 0
  }

  /// Turns values into what claimed codes stand for, where each is one of the two that its value lies between, or the nearest that
  /// there is; and into what the nearest codes stand for where a claimed one is another.
  ///
  /// So much can be known of codes that were rounded by pictures: every one is within a step of its value, and on the right side
  /// for all but one of the codes.
  ///
  /// - Parameters:
  ///   - claimed: The codes of the model that is judged.
  ///   - values: Values that are neighbours in the tensor.
  ///   - firstIndex: The index of the first of them.
  func choose(_ claimed: [Int8], for values: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    for index in values.indices {
      let group = grouping.index(
        row: (firstIndex + index) / outputs, channel: (firstIndex + index) % outputs, rowLength: outputs)
      let (scale, zeroPoint) = (scales[group], zeroPoints.isEmpty ? 0 : Float(zeroPoints[group]))
      let quotient = values[index] / scale
      // What is beyond the codes gets the last one.
      func code(_ steps: Float) -> Float {
        min(max(steps, Float(range.lowerBound) - zeroPoint), Float(range.upperBound) - zeroPoint)
      }
      let steps = Float(claimed[index]) - zeroPoint
      let isOneOfTwo = steps == code(quotient.rounded(.down)) || steps == code(quotient.rounded(.up))
      values[index] = (isOneOfTwo ? steps : code(quotient.rounded(.toNearestOrEven))) * scale + 0
    }
  }
}
