internal import JSONKit
internal import VGGBoards
internal import VGGModel
internal import VGGTensors

extension FitView {
  /// The object that `fit --json` prints; `schemas/fit.schema.json` describes it.
  var json: JSONValue {
    let needs = report.needs
    return [
      "ok": .bool(report.fits),
      "network": .string(subject.network.title),
      "inputSize": [number(report.extent.height), number(report.extent.width)],
      "board": board.map { .string($0.name) } ?? .null,
      "preparation": .array(subject.preparation.map { .string($0) }),
      "flash": place(
        needs.flashByteCount, report.placement.flash,
        [
          ("weightBytes", needs.weightByteCount), ("constantBytes", needs.tableByteCount),
          ("codeBytes", needs.codeByteCount),
        ]),
      "readsWeights": .bool(needs.readsWeights),
      "ram": place(
        needs.ramByteCount, report.placement.ram,
        [("arenaBytes", needs.arenaByteCount), ("stackBytes", needs.stackByteCount)]),
      "plan": [
        "groups": .array(
          report.plan.groups.map { group in
            [
              "layers": .array(subject.network.layers[group.layers].map { .string($0.name) }),
              "stripRows": number(group.stripRows),
            ]
          }),
        "weightBytesRead": number(report.plan.weightBytesRead),
      ],
      "processor": .string(processor.rawValue),
      "work": .array(
        estimate.parts.map { part in
          [
            "kernel": .string(part.work.kernel.rawValue), "operationCount": number(part.work.operationCount),
            "estimatedInstructionCount": .number(part.instructionCount.rounded()),
          ]
        }),
      "estimate": time,
      "remedies": .array(report.remedies.map(remedy)),
    ]
  }

  private var time: JSONValue {
    guard let board else { return .null }
    return [
      "method": "instructions per operation, counted under qemu, times assumed cycles per instruction",
      "clockHertz": number(board.clockHertz),
      "cyclesPerInstruction": range(board.processor.cyclesPerInstruction),
      "cycleCount": range(estimate.cycleCount),
      "seconds": range(estimate.seconds(atHertz: board.clockHertz)),
    ]
  }

  private func remedy(_ remedy: Remedy) -> JSONValue {
    [
      "description": .string(remedy.text),
      "commands": .array(remedy.commands(model: subject.modelName).map { .string($0) }),
      "flashBytes": number(remedy.needs.flashByteCount),
      "flashBytesSaved": number(report.needs.flashByteCount - remedy.needs.flashByteCount),
      "ramBytes": number(remedy.needs.ramByteCount),
      "ramBytesSaved": number(report.needs.ramByteCount - remedy.needs.ramByteCount),
      "fits": .bool(remedy.placement.fits),
    ]
  }

  private func place(
    _ total: Int, _ place: BoardPlacement.Place, _ parts: [(name: String, byteCount: Int)]
  ) -> JSONValue {
    let (memory, missing): (JSONValue, JSONValue) =
      switch place {
      case .unknown: (.null, .null)
      case .memory(let name): (.string(name), 0)
      case .none(let missing): (.null, number(missing))
      }
    return .object(
      [("bytes", number(total))] + parts.map { ($0.name, number($0.byteCount)) }
        + [("memory", memory), ("missingBytes", missing)])
  }

  private func number(_ value: Int) -> JSONValue { .integer(Int64(value)) }

  private func range(_ range: ClosedRange<Double>) -> JSONValue {
    [.number(range.lowerBound), .number(range.upperBound)]
  }
}
