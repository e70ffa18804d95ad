/// Finds offsets for the maps between groups, and for what each group needs besides.
struct Placement {
  private let schedules: [StripSchedule]
  private let limit: Int

  /// - Parameters:
  ///   - schedules: The groups, in order.
  ///   - limit: The bytes below which no arena needs to be tried.
  init(_ schedules: [StripSchedule], limit: Int) { (self.schedules, self.limit) = (schedules, limit) }

  /// The plan of the smallest arena that was found.
  func plan(windowByteCount: Int) -> BoardPlan {
    var (tooSmall, length, step) = (limit - 1, limit, Int.alignment)
    var found = offsets(in: length)
    while found == nil {
      (tooSmall, length, step) = (length, length + step, step * 2)
      found = offsets(in: length)
    }
    while length - tooSmall > Int.alignment {
      let middle = (tooSmall + (length - tooSmall) / 2).aligned
      guard middle < length else { break }
      if let better = offsets(in: middle) { (length, found) = (middle, better) } else { tooSmall = middle }
    }
    return plan(found ?? [], in: length, windowByteCount: windowByteCount)
  }

  /// The offsets of the maps between groups, the input and the output, in an arena; nil where none were found.
  ///
  /// Tried are the ends of the arena, and where a map would best lie as seen by the group before it and the group behind it.
  private func offsets(in length: Int) -> [Int]? {
    guard schedules.allSatisfy({ $0.byteCount <= length }) else { return nil }
    // For each map: offsets that can be reached, and from which one.
    var reached: [[Int: Int]] = [[:]]
    for offset in candidates(for: schedules.first, schedules[0].inputByteCount, in: length) {
      reached[0][offset] = offset
    }
    for (index, schedule) in schedules.enumerated() {
      let next = index + 1 < schedules.count ? schedules[index + 1] : nil
      let general = candidates(for: next, schedule.outputByteCount, in: length)
      var outputs: [Int: Int] = [:]
      for input in reached[index].keys.sorted() {
        let near = [input - schedule.leastLead, input + schedule.inputByteCount, input]
        for output in general + near where outputs[output] == nil {
          if rooms(of: schedule, input: input, output: output, in: length) != nil { outputs[output] = input }
        }
      }
      guard !outputs.isEmpty else { return nil }
      reached.append(outputs)
    }
    var offset = reached[schedules.count].keys.min() ?? 0
    var offsets = [offset]
    for outputs in reached.dropFirst().reversed() {
      offset = outputs[offset] ?? 0
      offsets.append(offset)
    }
    return offsets.reversed()
  }

  /// Where a map of a length might lie, before a group.
  private func candidates(for schedule: StripSchedule?, _ byteCount: Int, in length: Int) -> [Int] {
    var offsets = [0, length - byteCount]
    if let schedule {
      let rooms = schedule.rooms.reduce(0, +)
      let (lead, output) = (schedule.leastLead, schedule.outputByteCount)
      offsets += [lead, output, rooms, rooms + lead, rooms + output, length - output + lead]
      offsets += [length - output - byteCount, length - rooms - byteCount]
    }
    return Set(offsets).filter { 0...max(0, length - byteCount) ~= $0 && $0 % Int.alignment == 0 }.sorted()
  }

  /// The offsets of a group's rings, scratch and window in what input and output leave free; nil where it cannot run like this.
  private func rooms(of schedule: StripSchedule, input: Int, output: Int, in length: Int) -> [Int]? {
    let inputEnd = input + schedule.inputByteCount
    let outputEnd = output + schedule.outputByteCount
    guard output >= 0, max(inputEnd, outputEnd) <= length else { return nil }
    let isFree =
      outputEnd <= input || inputEnd <= output
      || (schedule.isInPlace ? input == output : input - output >= schedule.leastLead)
    guard isFree else { return nil }
    var holes: [Range<Int>] = []
    var position = 0
    for taken in [input..<inputEnd, output..<outputEnd].sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if position < taken.lowerBound { holes.append(position..<taken.lowerBound) }
      position = max(position, taken.upperBound)
    }
    if position < length { holes.append(position..<length) }
    var offsets = [Int](repeating: 0, count: schedule.rooms.count)
    for (index, room) in schedule.rooms.enumerated().sorted(by: {
      ($1.element, $0.offset) < ($0.element, $1.offset)
    })
    where room > 0 {
      guard let hole = holes.firstIndex(where: { $0.count >= room }) else { return nil }
      offsets[index] = holes[hole].lowerBound
      holes[hole] = holes[hole].lowerBound + room..<holes[hole].upperBound
    }
    return offsets
  }

  /// The plan of offsets that were found in an arena; it ends with the last byte that is used.
  private func plan(_ offsets: [Int], in length: Int, windowByteCount: Int) -> BoardPlan {
    var plan = BoardPlan(
      maps: [], groups: [], arenaByteCount: 0, windowByteCount: windowByteCount,
      weightBytesRead: schedules.reduce(0) { $0 + $1.weightBytesRead })
    for (index, schedule) in schedules.enumerated() {
      let (input, output) = (offsets[index], offsets[index + 1])
      let rooms = rooms(of: schedule, input: input, output: output, in: length) ?? []
      let rings = rooms.dropLast(2)
      plan.maps.append(BoardPlan.Map(offset: input, rows: schedule.inputRows))
      plan.maps += zip(rings, schedule.ringRows).map { BoardPlan.Map(offset: $0, rows: $1) }
      plan.groups.append(
        BoardPlan.Group(
          layers: schedule.layers, stripRows: schedule.stripRows, scratchOffset: rooms[rings.count],
          windowOffset: rooms[rings.count + 1]))
      let ends = zip(rooms, schedule.rooms).map { $0 + $1 }
      plan.arenaByteCount = max(
        plan.arenaByteCount, input + schedule.inputByteCount, output + schedule.outputByteCount,
        ends.max() ?? 0)
    }
    if let last = schedules.last {
      plan.maps.append(BoardPlan.Map(offset: offsets[schedules.count], rows: last.outputRows))
    }
    return plan
  }
}

extension Int {
  /// What offsets in an arena are multiples of.
  fileprivate static var alignment: Int { 1.aligned }
}
