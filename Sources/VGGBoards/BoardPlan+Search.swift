extension BoardPlan {
  /// The plans of which none needs both a smaller arena and fewer bytes of weights than another one, the smallest arena first.
  ///
  /// All plans do the same multiplications: nothing is computed twice. Where a smaller arena needs narrower strips, weights are gone through
  /// more often. What a partition needs at least is found by dynamic programming over the ends of groups; then offsets are found
  /// for it.
  ///
  /// - Parameters:
  ///   - layers: The layers of a network.
  ///   - windowByteCount: The bytes that weights are read to at a time, at least `leastWindowByteCount` of each layer; 0: they lie in memory.
  public static func front(of layers: [BoardLayer], windowByteCount: Int = 0) -> [BoardPlan] {
    plans(of: layers, windowByteCount, onlySmallest: false)
  }

  /// The first plan of the front, found in a fraction of the time; nil where there are no layers.
  public static func smallest(of layers: [BoardLayer], windowByteCount: Int = 0) -> BoardPlan? {
    plans(of: layers, windowByteCount, onlySmallest: true).first
  }

  private static func plans(
    of layers: [BoardLayer], _ windowByteCount: Int, onlySmallest: Bool
  ) -> [BoardPlan] {
    let schedules = StripSchedule.all(of: layers, windowByteCount: windowByteCount)
    var plans: [BoardPlan] = []
    var fewestRead = Int.max
    for limit in Set(schedules.map(\.byteCount)).sorted() {
      // What is new at a limit has a group that needs as much, so from here on no plan is smaller, and none as small goes through less.
      if onlySmallest, let smallest = plans.first?.arenaByteCount, smallest < limit { break }
      guard let partition = Partition(layers.count, schedules, limit: limit),
        partition.weightBytesRead < fewestRead
      else { continue }
      fewestRead = partition.weightBytesRead
      let plan = Placement(partition.schedules, limit: limit).plan(windowByteCount: windowByteCount)
      // Offsets may need a little more than the limit.
      plans.removeAll { $0.arenaByteCount >= plan.arenaByteCount }
      plans.append(plan)
    }
    return plans
  }

  /// The plan to take of a front: without a limit that of the smallest arena, otherwise that which goes through the fewest bytes of
  /// weights within the limit, in bytes.
  ///
  /// - Returns: nil where none is within the limit.
  public static func choice(of front: [BoardPlan], within limit: Int?) -> BoardPlan? {
    guard let limit else { return front.first }
    return front.last { $0.arenaByteCount <= limit }
  }
}

/// The partition of the layers into groups that goes through the fewest bytes of weights, where no group needs more than a limit.
private struct Partition {
  let schedules: [StripSchedule]
  let weightBytesRead: Int

  init?(_ layerCount: Int, _ candidates: [StripSchedule], limit: Int) {
    // For each end: the bytes read up to there, and the last group. Candidates are ordered by their first layer.
    var best = [(read: Int, groups: Int, schedule: StripSchedule?)?](repeating: nil, count: layerCount + 1)
    best[0] = (0, 0, nil)
    for candidate in candidates where candidate.byteCount <= limit {
      guard let before = best[candidate.layers.lowerBound] else { continue }
      let found = (before.read + candidate.weightBytesRead, before.groups + 1)
      let end = candidate.layers.upperBound
      // Of the same bytes, more groups: shorter ones keep fewer rings.
      if let known = best[end], (known.read, -known.groups) <= (found.0, -found.1) { continue }
      best[end] = (found.0, found.1, candidate)
    }
    guard let end = best[layerCount] else { return nil }
    weightBytesRead = end.read
    var schedules: [StripSchedule] = []
    var position = layerCount
    while let schedule = best[position]?.schedule {
      schedules.append(schedule)
      position = schedule.layers.lowerBound
    }
    self.schedules = schedules.reversed()
  }
}
