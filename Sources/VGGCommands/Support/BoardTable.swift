internal import CommandLineKit
internal import JSONKit
internal import VGGBoards

extension Board {
  /// The table of known boards for people.
  static func knownText(_ console: Console) -> String {
    var table = TextTable([
      ("board", .left), ("processor", .left), ("clock", .right), ("flash", .right), ("RAM", .right),
      ("pieces of RAM", .left),
    ])
    for board in known {
      table.add([
        board.name, board.processor.rawValue, "\(board.clockHertz / 1_000_000) MHz",
        board.flash.isEmpty ? "loaded" : board.flash.map(\.sizeText).joined(separator: " + "),
        memoryText(board.ram.reduce(0) { $0 + $1.byteCount }),
        board.ram.map { "\($0.name) \($0.sizeText)" }.joined(separator: ", "),
      ])
    }
    return table.rendered(for: console)
  }

  /// The table of known boards for scripts, as `schemas/boards.json` has it.
  static var knownJSON: JSONValue { ["ok": true, "boards": .array(known.map(\.json))] }

  private var json: JSONValue {
    [
      "name": .string(name), "title": .string(title), "processor": .string(processor.rawValue),
      "kernels": .string(processor.kernels.rawValue), "clockHertz": .integer(Int64(clockHertz)),
      "flash": .array(flash.map(\.json)), "ram": .array(ram.map(\.json)), "source": .string(source),
    ]
  }
}

extension Board.Memory {
  fileprivate var sizeText: String { memoryText(byteCount) }

  fileprivate var json: JSONValue {
    ["name": .string(name), "bytes": .integer(Int64(byteCount)), "isExternal": .bool(isExternal)]
  }
}

/// A size of a memory in multiples of 1024 bytes, as manufacturers state it: `192 KiB`, `5.5 MiB`.
private func memoryText(_ byteCount: Int) -> String {
  for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20)] where byteCount >= size {
    let value = Double(byteCount) / Double(size)
    return "\(Format.fixed(value, value == value.rounded() ? 0 : 2)) \(unit)"
  }
  return "\(byteCount >> 10) KiB"
}
