internal import CommandLineKit
internal import VGGBoards

/// The options of `export --to c`.
enum BoardArguments {
  static let embedding = Option<BoardOptions.Embedding>(
    choice: "embed", valueName: "HOW",
    help: "c: how the image of the weights becomes part of the program; incbin unless given")
  static let window = Option<Int>(
    byteCount: "window", help: "c: read weights in parts of so many bytes; without it they lie in memory")
  static let limit = Option<Int>(
    byteCount: "ram", help: "c: the arena may have so many bytes; weights are gone through less often then")
  static let digest = Option<BoardOptions.Digest>(
    choice: "digest", valueName: "WHICH", help: "c: what the image is checked by; sha256 unless given")
  static let expands = Switch(
    "weights-expanded", help: "c: faster 3x3 convolutions, whose weights take three and a half times the room"
  )

  /// What is decided.
  static func options(_ arguments: Arguments) -> BoardOptions {
    var options = BoardOptions()
    options.embedding = arguments[embedding] ?? options.embedding
    options.digest = arguments[digest] ?? options.digest
    options.windowByteCount = arguments[window] ?? 0
    options.arenaLimit = arguments[limit]
    options.expandsWeights = arguments[expands]
    return options
  }

  /// Whether any of them is given.
  static func areGiven(_ arguments: Arguments) -> Bool {
    arguments[embedding] != nil || arguments[digest] != nil || arguments[window] != nil
      || arguments[limit] != nil || arguments[expands]
  }
}
