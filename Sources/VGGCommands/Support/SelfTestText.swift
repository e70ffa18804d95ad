internal import CommandLineKit
internal import JSONKit
internal import VGGConv
internal import VGGVerify

extension SelfTest {
  private struct Row {
    var kind: SeededFault.Kind
    var trials: [FaultTrial]
    var caught: Int { trials.count { $0.wasCaught } }
    var named: Int { trials.count { $0.wasCaught && $0.namesLayer } }
    var explained: Int { trials.count { $0.diagnosis != nil } }
  }

  private var rows: [Row] {
    SeededFault.Kind.allCases.map { kind in Row(kind: kind, trials: trials.filter { $0.fault.kind == kind }) }
      .filter { !$0.trials.isEmpty }
  }

  /// A table for people.
  func text(for console: Console) -> String {
    var table = TextTable([
      ("mistake", .left), ("planted", .right), ("found", .right), ("layer named", .right),
      ("explained", .right),
    ])
    for row in rows {
      table.add(
        [
          row.kind.rawValue, "\(row.trials.count)", "\(row.caught)", "\(row.named)",
          row.kind.hasDiagnosis ? "\(row.explained)" : "",
        ], style: row.named == row.trials.count ? nil : .red)
    }
    let (caught, named) = (trials.count { $0.wasCaught }, trials.count { $0.namesLayer })
    table.addRule()
    table.add(["all", "\(trials.count)", "\(caught)", "\(named)"])
    var lines = [table.rendered(for: console), ""]
    for trial in trials where !(trial.wasCaught && trial.namesLayer) {
      lines.append(
        "missed: \(trial.fault.kind.rawValue) in \(trial.fault.layer)"
          + (trial.namedLayer.map { ", \($0) was named" } ?? ""))
    }
    if skippedCount > 0 { lines.append("\(skippedCount) more would change nothing in this model") }
    var ruinTable = TextTable([("ruined model", .left), ("verdict", .left)])
    for ruin in ruins {
      ruinTable.add([ruin.name, ruin.verdict.rawValue], style: ruin.wasRefused ? nil : .red)
    }
    lines += ["", ruinTable.rendered(for: console), ""]
    lines.append("\(rate(caught, of: trials.count)) planted mistakes found (seed \(seed))")
    lines.append("\(rate(ruins.count(where: \.wasRefused), of: ruins.count)) ruined models refused")
    return lines.joined(separator: "\n")
  }

  /// `100 % of 219`
  private func rate(_ count: Int, of total: Int) -> String {
    let rate = Double(count) / Double(max(1, total))
    return "\(Format.percent(rate, decimals: rate == 1 ? 0 : 1)) of \(total)"
  }

  /// The same for scripts.
  var json: JSONValue {
    [
      "ok": .bool(passes), "seed": .integer(Int64(clamping: seed)),
      "planted": .integer(Int64(trials.count)), "skipped": .integer(Int64(skippedCount)),
      "found": .integer(Int64(trials.count { $0.wasCaught })),
      "named": .integer(Int64(trials.count { $0.namesLayer })),
      "refused": .integer(Int64(ruins.count(where: \.wasRefused))),
      "ruined": .array(
        ruins.map {
          [
            "name": .string($0.name), "verdict": .string($0.verdict.rawValue),
            "refused": .bool($0.wasRefused),
          ]
        }),
      "kinds": .array(
        rows.map { row in
          [
            "kind": .string(row.kind.rawValue), "planted": .integer(Int64(row.trials.count)),
            "found": .integer(Int64(row.caught)), "named": .integer(Int64(row.named)),
            "explained": .integer(Int64(row.explained)),
          ]
        }),
    ]
  }
}
