internal import CommandLineKit
internal import VGGBoards
internal import VGGModel
internal import VGGTensors

/// What `fit` found, to be printed.
struct FitView {
  let report: FitReport
  let subject: FitSubject
  let board: Board?

  /// The board's processor, or the one that was assumed.
  var processor: Processor { subject.build.processor }
  var estimate: CycleEstimate { CycleEstimate(of: report.work, on: processor) }

  /// The report for people.
  func text(_ console: Console) -> String {
    [
      verdict(console), preparation, memoryTable(console), workTable(console), timeText(console),
      remedies(console),
    ].compactMap(\.self).joined(separator: "\n\n")
  }

  private func verdict(_ console: Console) -> String {
    let network = "\(subject.network.title), \(report.extent)x\(subject.network.inputChannels)"
    let place = report.placement
    let subjectText = network + (board.map { " on \($0.title)" } ?? "")
    if place.flash == .unknown, place.ram == .unknown { return subjectText }
    let missing = [
      place.flash.missingText("flash"), place.ram.missingText("RAM"),
    ].compactMap(\.self).joined(separator: ", ")
    return missing.isEmpty
      ? "\(subjectText): \(console.styled("fits", .green))"
      : "\(subjectText): \(console.styled("DOES NOT FIT", .red)), \(missing)"
  }

  private var preparation: String? {
    guard !subject.preparation.isEmpty else { return nil }
    return "A board computes in integers; the figures are those of the model that these commands make:\n"
      + subject.preparation.map { "  \($0)" }.joined(separator: "\n")
  }

  private func memoryTable(_ console: Console) -> String {
    let needs = report.needs
    var table = TextTable([("memory", .left), ("bytes", .right), ("where", .left)])
    let flash = report.placement.flash.name
    table.add([
      "weights", Format.grouped(needs.weightByteCount), needs.readsWeights ? "read from elsewhere" : flash,
    ])
    table.add(["constants", Format.grouped(needs.tableByteCount)])
    table.add(["code, about", Format.grouped(needs.codeByteCount)])
    table.add(["flash", Format.grouped(needs.flashByteCount)], style: .bold)
    table.addRule()
    table.add(["arena", Format.grouped(needs.arenaByteCount), report.placement.ram.name])
    table.add(["stack, about", Format.grouped(needs.stackByteCount)])
    table.add(["RAM", Format.grouped(needs.ramByteCount)], style: .bold)
    return table.rendered(for: console) + "\n\n"
      + Format.wrapped(planText, indent: 0, width: console.width).joined(separator: "\n")
  }

  /// In which strips the layers are computed, and what that costs.
  private var planText: String {
    let names = subject.network.layers.map(\.name)
    let strips = report.plan.groups.filter { $0.layers.count > 1 }.map { group in
      "\(names[group.layers.lowerBound]) to \(names[group.layers.upperBound - 1]) "
        + "\(group.stripRows) row\(group.stripRows == 1 ? "" : "s") at a time"
    }
    let plan = report.plan
    // Where weights are read, export takes the plan of the fewest readings unless it is told a limit.
    let choice =
      plan.windowByteCount > 0
      ? " 'export --window \(plan.windowByteCount) --ram \(plan.arenaByteCount)' takes this plan." : ""
    return (strips.isEmpty ? "Layer by layer" : strips.joined(separator: ", "))
      + "; a picture goes through \(Format.bytes(plan.weightBytesRead)) of weights." + choice
  }

  private func workTable(_ console: Console) -> String {
    var table = TextTable([
      ("one picture", .left), ("operations", .right), ("each", .right), ("instructions", .right),
    ])
    for part in estimate.parts {
      let count = Double(part.work.operationCount)
      table.add([
        part.work.kernel.text, millions(count), Format.fixed(part.instructionCount / max(1, count), 2),
        millions(part.instructionCount),
      ])
    }
    table.addRule()
    table.add(["all, on a \(processor.rawValue)", "", "", millions(estimate.instructionCount)])
    return table.rendered(for: console)
  }

  /// What a picture takes, where the processor is known.
  private func timeText(_ console: Console) -> String? {
    guard let board else { return nil }
    let cycles = estimate.cycleCount
    let seconds = estimate.seconds(atHertz: board.clockHertz)
    let each = board.processor.cyclesPerInstruction
    return Format.wrapped(
      "An estimate, not measured: \(millions(cycles.lowerBound)) to \(millions(cycles.upperBound)) cycles, "
        + "\(Format.duration(seconds.lowerBound)) to \(Format.duration(seconds.upperBound)) at "
        + "\(board.clockHertz / 1_000_000) MHz, if the \(board.processor.rawValue) takes \(each.lowerBound) to "
        + "\(each.upperBound) cycles for an instruction and does not wait for its memory.",
      indent: 0, width: console.width
    ).joined(separator: "\n")
  }

  private func remedies(_ console: Console) -> String? {
    guard !report.fits else { return nil }
    guard !report.remedies.isEmpty else {
      return
        "No command makes its maps smaller; '--input' says what a network for smaller pictures would need."
    }
    let lines = report.remedies.flatMap { remedy in
      ["", "  \(remedy.text)"] + remedy.commands(model: subject.modelName).map { "    \($0)" }
        + ["    \(remedy.effect(from: report.needs))"]
    }
    return (["What makes it take less, the least harmful first, each by itself:"] + lines)
      .joined(separator: "\n")
  }
}

extension Remedy {
  /// What it saves, and whether that is enough.
  fileprivate func effect(from before: BoardNeeds) -> String {
    let parts = [
      ("flash", before.flashByteCount, needs.flashByteCount, placement.flash),
      ("RAM", before.ramByteCount, needs.ramByteCount, placement.ram),
    ].map { name, old, new, place in
      let change = "\(name) \(Format.bytes(old)) → \(Format.bytes(new))"
      return place.isMissing ? "\(change), too much" : change
    }
    return parts.joined(separator: "; ") + (placement.fits ? ": fits" : "")
  }
}

extension BoardPlacement.Place {
  /// The memory; nothing where there is none.
  fileprivate var name: String { if case .memory(let name) = self { name } else { "" } }

  /// `lacks 12.3 kB of flash`
  fileprivate func missingText(_ kind: String) -> String? {
    if case .none(let missing) = self { "lacks \(Format.bytes(missing)) of \(kind)" } else { nil }
  }
}

extension BoardWork.Kernel {
  fileprivate var text: String {
    switch self {
    case .convolution: "convolutions, MACs"
    case .dense: "dense layers, MACs"
    case .pooling: "poolings, codes read"
    case .elements: "others, codes written"
    }
  }
}

/// `26.4 M`
private func millions(_ count: Double) -> String {
  count >= 1e9 ? "\(Format.fixed(count / 1e9, 2)) G" : "\(Format.fixed(count / 1e6, count < 1e5 ? 3 : 2)) M"
}
