internal import CommandLineKit
internal import JSONKit
internal import VGGBoards
internal import VGGConv
internal import VGGModel
internal import VGGTensors

private let boardOption = Option(
  "board", valueName: "NAME", help: "A board of the table that --boards prints")
private let flashOption = Option<Int>(
  byteCount: "flash", help: "The flash that is left for the model, instead of all that the board has")
private let ramOption = Option<Int>(
  byteCount: "ram", help: "The RAM that is left for the model, instead of all that the board has")
private let windowOption = Option<Int>(
  byteCount: "window", help: "Read weights from elsewhere, so many bytes at a time, as 'export --window' does"
)
private let boardsSwitch = Switch("boards", help: "Print the table of known boards")

/// Says whether a model fits a board, and what would make it fit.
let fitCommand = Command(
  "fit", abstract: "say whether a model fits a board, and what would make it",
  discussion: """
    Flash holds the weights, constants and the runtime's code; RAM the arena, which holds all maps, and the stack. Weights and arena \
    are exact, as 'export --to c' makes them; constants, code and stack are about. A board computes \
    in integers, so other models are looked at as 'quantize --to int8 --activations int8' makes them; what has to be done first is said.

    K, M and G are thousands, Ki, Mi and Gi multiples of 1024, as boards are described. An operating system and the rest of the firmware need memory \
    too: --flash and --ram say what is left. The arena has to lie in one piece of RAM, and the weights in one of flash.

    Instructions per operation were counted under qemu. Cycles are instructions times what a processor takes for one, which is \
    an assumption: the range says how sure it is. No time here was measured on a board.

    Where the model does not fit, the exit status is 1, and the changes that save some of what is missing are listed, the least harmful first, each \
    by itself, with what is needed then. What pruning costs in accuracy 'prune' says.
    """,
  examples: [
    .init("fit --boards", "The boards that are known"),
    .init("fit board.vggw --board stm32f4-discovery", "Will it run there?"),
    .init(
      "fit board.vggw --flash 1Mi --ram 192Ki", "The same for a board of one's own; in CI by its exit status"),
    .init("fit vgg16.h5 --board nucleo-h743zi", "What a model needs that has to be quantised first"),
  ],
  positionals: [
    Positional(
      "NET|FILE", help: "A network of the paper, such as D or vgg16, or a file", count: .noneOrOne,
      .fileOr(Architecture.names))
  ],
  options: [
    boardOption, flashOption, ramOption, windowOption, boardsSwitch, ModelOptions.inputExtent,
    ModelOptions.requireSandbox,
  ]
) { arguments, console in
  if arguments[boardsSwitch] {
    console.print(console.isJSON ? Board.knownJSON.pretty : Board.knownText(console))
    return .success
  }
  guard let name = arguments.positionals.first else {
    throw UsageError("NET|FILE is missing: a network, or a file; --boards prints the boards", command: "fit")
  }
  let board = try arguments[boardOption].map(board(named:))
  let limits = BoardLimits(board: board, flash: arguments[flashOption], ram: arguments[ramOption])
  let subject = try FitSubject(
    name,
    BoardBuild(processor: board?.processor ?? .cortexM4, windowByteCount: arguments[windowOption]),
    arguments, console)
  let extent = arguments[ModelOptions.inputExtent] ?? subject.network.inputExtent ?? Extent(side: 224)
  let report = try fitting(extent) { (extent) throws(ShapeError) in
    try FitReport(of: subject.network, for: extent, as: subject.build, in: limits)
  }
  let view = FitView(report: report, subject: subject, board: board)
  console.print(console.isJSON ? view.json.pretty : view.text(console))
  return report.fits ? .success : .checkSaidNo
}

private func board(named name: String) throws(UsageError) -> Board {
  guard let board = Board.named(name) else {
    let known = Board.known.map(\.name).joined(separator: ", ")
    throw UsageError("--board is '\(name)'; known: \(known)", command: "fit")
  }
  return board
}
