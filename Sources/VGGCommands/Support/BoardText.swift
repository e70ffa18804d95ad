internal import CommandLineKit
internal import JSONKit
internal import VGGBoards

/// What `export --to c` says of a package.
struct BoardText {
  private let package: BoardPackage
  private let path: String
  private let console: Console
  private var needs: BoardNeeds { package.needs }

  init(_ package: BoardPackage, at path: String, _ console: Console) {
    (self.package, self.path, self.console) = (package, path, console)
  }

  func print() {
    guard !console.isJSON else {
      console.print(json.pretty)
      return
    }
    let flash = needs.weightByteCount + needs.tableByteCount + needs.codeByteCount
    console.print("\(path): \(package.files.count) files; 'make check' there runs the self-test")
    console.print(line("flash", flash, "weights, tables, and code as on Cortex-M4 with -Os"))
    console.print(line("  weights", needs.weightByteCount, "model_weights.bin"))
    console.print(line("  tables", needs.tableByteCount, "model.c"))
    console.print(line("  code", needs.codeByteCount, "about"))
    let window = package.plan.windowByteCount
    console.print(
      line(
        "arena", package.plan.arenaByteCount, window > 0 ? "with \(window) bytes to read weights to" : "RAM"))
    console.print(line("stack", needs.stackByteCount, "RAM, at most"))
    if package.front.count > 1 {
      console.print("arena and bytes of weights that a run goes through (choose with --ram):")
      for plan in package.front {
        let mark = plan == package.plan ? " <-" : ""
        console.print(
          "  " + right(Format.grouped(plan.arenaByteCount), 14)
            + right(Format.grouped(plan.weightBytesRead), 18) + mark)
      }
    }
    console.print(
      "run here as on a board: \(Format.grouped(package.proof.codeCount)) codes of "
        + "\(package.proof.layerCount) layers are the model's, bit for bit")
  }

  private func line(_ name: String, _ count: Int, _ note: String) -> String {
    name + String(repeating: " ", count: 10 - name.count) + right(Format.grouped(count), 14) + "  " + note
  }

  private func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  private var json: JSONValue {
    func plan(_ plan: BoardPlan) -> JSONValue {
      [
        "arenaBytes": .integer(Int64(plan.arenaByteCount)),
        "weightBytesRead": .integer(Int64(plan.weightBytesRead)),
      ]
    }
    return [
      "files": .array(
        package.files.map {
          ["path": .string("\(path)/\($0.name)"), "bytes": .integer(Int64($0.byteCount))] as JSONValue
        }),
      "weightBytes": .integer(Int64(needs.weightByteCount)),
      "tableBytes": .integer(Int64(needs.tableByteCount)),
      "codeBytes": .integer(Int64(needs.codeByteCount)),
      "arenaBytes": .integer(Int64(package.plan.arenaByteCount)),
      "windowBytes": .integer(Int64(package.plan.windowByteCount)),
      "stackBytes": .integer(Int64(needs.stackByteCount)),
      "weightBytesRead": .integer(Int64(package.plan.weightBytesRead)),
      "plans": .array(package.front.map(plan)),
      "codesCompared": .integer(Int64(package.proof.codeCount)),
    ]
  }
}
