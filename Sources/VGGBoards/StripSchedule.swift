internal import CVGGRuntime
internal import VGGModel
internal import VGGTensors

/// A group of layers with a strip height, and the memory that it needs: found by going through its strips as the runtime does.
struct StripSchedule {
  let layers: Range<Int>
  let stripRows: Int
  /// How many rows each map within the group needs at a time, that of its first layer's output first.
  let ringRows: [Int]
  /// How far the input must at least begin behind the output, where they overlap. It may be negative.
  let leastLead: Int
  /// What must lie beside input and output: the rings, the scratch and the window.
  let rooms: [Int]
  /// The bytes of weights that its layers go through.
  let weightBytesRead: Int
  /// The lengths of input and output in the arena.
  let inputByteCount: Int, outputByteCount: Int
  /// The rows of input and output.
  let inputRows: Int, outputRows: Int
  let isInPlace: Bool

  /// The fewest bytes of an arena in which it can run.
  var byteCount: Int {
    let overlapping = max(inputByteCount + max(0, leastLead), outputByteCount)
    let both =
      isInPlace ? inputByteCount : min(inputByteCount + outputByteCount, overlapping)
    return both + rooms.reduce(0, +)
  }

  /// Goes through the strips of a group.
  ///
  /// - Parameters:
  ///   - layers: Those of the group.
  ///   - network: All layers.
  ///   - stripRows: How many rows of the last one's output are computed at a time.
  ///   - windowByteCount: The bytes that weights are read to; 0: they lie in memory.
  init(_ layers: Range<Int>, of network: [BoardLayer], stripRows: Int, windowByteCount: Int) {
    (self.layers, self.stripRows) = (layers, stripRows)
    let group = network[layers]
    let first = layers.lowerBound
    let last = layers.upperBound - 1
    let height = network[last].output.extent.height
    // For each layer: how many rows of its output are there before a strip, and after it.
    var before = [Int](repeating: 0, count: layers.count)
    var after = before
    var ringRows = [Int](repeating: 1, count: layers.count - 1)
    var lead = Int.min
    for strip in 0..<(height + stripRows - 1) / stripRows {
      after[last - first] = min((strip + 1) * stripRows, height)
      for index in (first..<last).reversed() {
        after[index - first] = network[index + 1].inputRows(for: after[index + 1 - first])
      }
      for index in first..<last {
        let firstNeeded = network[index + 1].firstInputRow(of: before[index + 1 - first])
        let firstComputed = before[index - first]
        ringRows[index - first] = max(
          ringRows[index - first], after[index - first] - min(firstNeeded, firstComputed))
      }
      // A layer by itself reads while it writes; otherwise the input of this strip has been read when its output is written. The
      // input is not needed any more behind the last strip.
      let next = layers.count == 1 ? before[0] : after[0]
      if layers.count == 1 || after[last - first] < height {
        let firstNeeded = min(network[first].firstInputRow(of: next), network[first].input.extent.height)
        lead = max(
          lead,
          after[last - first] * network[last].output.rowByteCount - firstNeeded
            * network[first].input.rowByteCount)
      }
      before = after
    }
    self.ringRows = ringRows
    (inputRows, outputRows) = (network[first].input.extent.height, height)
    inputByteCount = network[first].input.count.aligned
    outputByteCount = network[last].output.count.aligned
    // One strip of several layers: the input has been read when the output begins, and they may lie anywhere.
    leastLead = max(lead, -inputByteCount).aligned
    isInPlace = layers.count == 1 && network[first].isInPlace
    let rings = zip(layers.dropLast(), ringRows).map { network[$0].output.rowByteCount * $1 }
    let scratch = group.map(\.scratchByteCount).max() ?? 0
    let window = group.contains(where: \.hasWeights) ? windowByteCount : 0
    rooms = (rings + [scratch, window]).map(\.aligned)
    weightBytesRead =
      group.reduce(0) { $0 + $1.storedByteCount } * ((height + stripRows - 1) / stripRows)
  }
}

extension StripSchedule {
  /// All groups that a plan may be made of; those of a strip height that another one is no worse than are left out.
  static func all(of network: [BoardLayer], windowByteCount: Int) -> [StripSchedule] {
    network.indices.flatMap { first -> [StripSchedule] in
      let end =
        network[first].standsAlone
        ? first + 1 : network[first...].firstIndex(where: \.standsAlone) ?? network.count
      return (first + 1...end).flatMap { end in
        let height = network[end - 1].output.extent.height
        var best: [StripSchedule] = []
        for rows in stripHeights(upTo: height) {
          let schedule = StripSchedule(
            first..<end, of: network, stripRows: rows, windowByteCount: windowByteCount)
          best.removeAll { schedule.isNoWorse(than: $0) }
          if !best.contains(where: { $0.isNoWorse(than: schedule) }) { best.append(schedule) }
        }
        return best
      }
    }
  }

  private func isNoWorse(than other: StripSchedule) -> Bool {
    byteCount <= other.byteCount && weightBytesRead <= other.weightBytesRead
  }

  /// Strip heights to try: the whole, the smallest ones for which there are up to eight strips, and powers of two.
  private static func stripHeights(upTo height: Int) -> [Int] {
    let parts = (1...8).map { (height + $0 - 1) / $0 }
    let powers = (0..<15).map { 1 << $0 }.filter { $0 < height }
    return Set(parts + powers).sorted(by: >)
  }
}

extension BoardLayer {
  /// Whether the layer is a group by itself: it needs all of its input at once, or has a single row.
  fileprivate var standsAlone: Bool { kind == .dense || isInPlace }
}

extension FeatureShape {
  /// The bytes of a row of codes.
  var rowByteCount: Int { extent.width * channels }
}

extension Int {
  /// The next multiple of what addresses in an arena are multiples of.
  var aligned: Int { (self + Int(VGGRT_ALIGNMENT) - 1) & -Int(VGGRT_ALIGNMENT) }
}
