internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGConv
internal import VGGModel
internal import VGGNative
internal import VGGTensors

private let fileArgument = Positional("FILE", help: "A native model or a source file")
private let tensorsSwitch = Switch("tensors", help: "List all tensors")

/// Says what is in a file.
let inspectCommand = Command(
  "inspect", abstract: "show what is in a source file or a native model",
  discussion: """
    Shows the format and its generation, the network, where the weights come from and what was decided when they were \
    imported. The digest 'weights' is the same for the same weights, whatever file they came from and however they are stored.
    """,
  examples: [
    .init("inspect vgg16.h5", "Is this a VGG, and which?"),
    .init("inspect vgg16.vggw --tensors", "With the shape, encoding, offset, size and digest of each tensor"),
    .init("inspect vgg16.vggw --json", "The same as JSON"),
  ],
  positionals: [fileArgument], options: [tensorsSwitch, EngineArguments.threads] + ModelOptions.reading
) { arguments, console in
  let opened = try OpenedModel(
    arguments.positionals[0], ModelOptions.sourceOptions(arguments), console)
  let description = try ModelDescription(opened)
  if console.isJSON {
    console.print(ModelReport(description).json.pretty)
    return .success
  }
  let model = opened.model
  let provenance = model.provenance
  func line(_ title: String, _ text: String) {
    console.print(console.styled(title + String(repeating: " ", count: 15 - title.count), .bold) + text)
  }
  line("file", "\(opened.file.path), \(Format.bytes(opened.file.bytes.count))")
  line(
    "format", opened.native == nil ? provenance.generation : "vggw, imported from \(provenance.generation)")
  line("network", networkText(model.network))
  line("parameters", Format.grouped(model.parameterCount))
  line("weights", description.weightsDigest.description)
  if let preprocessing = model.preprocessing { line("preprocessing", preprocessing.text) }
  if let arithmetic = model.integerArithmetic {
    line("arithmetic", "int8 maps, sums of 32 bits, rounded as \(arithmetic.rounding.rawValue)")
  }
  if opened.native != nil {
    line("source", "\(provenance.sourceName), \(Format.bytes(provenance.sourceByteCount))")
    line("source SHA-256", Digest(provenance.sourceSHA256)?.description ?? "")
  }
  for pass in provenance.passes { line("pass", pass.text) }
  for decision in provenance.decisions {
    line("decided", "\(decision.subject): \(decision.choice) (\(decision.evidence))")
  }
  for dropped in provenance.dropped { line("left out", "\(dropped.name) (\(dropped.reason))") }
  if arguments[tensorsSwitch] {
    console.print("\n" + tensorTable(opened, console))
    if model.integerArithmetic != nil { console.print("\n" + model.mapTable(console)) }
  }
  return .success
}

private func tensorTable(_ opened: OpenedModel, _ console: Console) -> String {
  func shape(_ lengths: [Int]) -> String { lengths.map(String.init).joined(separator: "x") }
  if let native = opened.native {
    let hasScales = native.tensorRecords.contains { $0.parameters != nil }
    var table = TextTable(
      [("tensor", .left), ("shape", .left), ("layout", .left), ("element", .left)]
        + (hasScales ? [("scales", .left)] : []) + [
          ("encoding", .left), ("offset", .right), ("stored", .right), ("SHA-256 of the values", .left),
        ])
    for record in native.tensorRecords {
      table.add(
        [record.name, shape(record.shape), record.layout.rawValue, record.elementType.name]
          + (hasScales ? [record.parameters?.text ?? ""] : []) + [
            record.storage.rawValue, "\(record.offset)", Format.bytes(record.storedBytes),
            String(record.valuesDigest.description.prefix(16)),
          ])
    }
    return table.rendered(for: console)
  }
  var table = TextTable([
    ("tensor", .left), ("shape", .left), ("in the source", .left), ("shape there", .left), ("element", .left),
    ("offset", .right),
  ])
  for tensor in opened.model.tensors {
    table.add([
      tensor.name, shape(tensor.shape), tensor.source?.name ?? "", shape(tensor.source?.shape ?? []),
      tensor.source?.format.kind.rawValue ?? "", tensor.source?.fileOffset.map(String.init) ?? "decoded",
    ])
  }
  return table.rendered(for: console)
}
