internal import CommandLineKit
internal import JSONKit
internal import VGGConv
internal import VGGEngine
internal import VGGTensors

private let batchOption = Option<Int>(
  "batch", valueName: "NUMBER", help: "The number of pictures in a batch", range: 1...4096, standard: "1")
private let repeatOption = Option<Int>(
  "repeat", valueName: "NUMBER", help: "The number of passes to measure", range: 1...100_000, standard: "10")

/// Measures how fast a model runs.
let benchCommand = Command(
  "bench", abstract: "measure how fast a model runs, layer by layer",
  discussion: """
    Two warm-up passes are not counted. Every other pass is timed as a whole and layer by layer; the time shown for a layer is \
    its shortest. Convolutions are counted as direct ones: Winograd's method needs fewer operations, so its share of the \
    peak may exceed 100 %. The input is random, and dense layers do not read the weights of inputs that are zero. The peak and \
    the bandwidth of the machine are measured with the same number of threads.
    """,
  examples: [
    .init("bench vgg16.vggw --threads 1", "One picture on one thread"),
    .init("bench vgg16.vggw --batch 8 --json", "Batches of eight pictures, as JSON"),
  ],
  positionals: [Positional("MODEL", help: "A native model or a source file")],
  options: [batchOption, repeatOption, ModelOptions.inputExtent] + ModelOptions.using + EngineArguments.all
) { arguments, console in
  var opening = ModelOptions.modelOptions(arguments)
  let checksDigests = opening.checksDigests
  opening.checksDigests = false
  let (opened, openSeconds) = try Measuring.time {
    try OpenedModel(arguments.positionals[0], options: opening)
  }
  opened.warn(console)
  if checksDigests { try opened.checkDigests(progress: console) }
  let (benchmark, prepareSeconds) = try Measuring.time {
    try Benchmark(
      opened, options: EngineArguments.options(arguments), extent: arguments[ModelOptions.inputExtent])
  }
  let times = try benchmark.measure(
    batch: arguments[batchOption] ?? 1, passes: arguments[repeatOption] ?? 10, seconds: Measuring.seconds,
    progress: console)
  // Before the machine is measured, which takes memory of its own.
  let memory = (Measuring.memory("RssAnon"), Measuring.memory("VmHWM"))
  let report = BenchmarkReport(
    path: opened.path, options: benchmark.options, extent: benchmark.extent, openSeconds: openSeconds,
    prepareSeconds: prepareSeconds, computesInIntegers: benchmark.computesInIntegers, times: times,
    machine: try benchmark.measureMachine(seconds: Measuring.seconds),
    anonymousBytes: memory.0, largestResidentBytes: memory.1)
  console.print(console.isJSON ? report.json.pretty : report.text(console))
  return .success
}

/// What was measured, and of what.
private struct BenchmarkReport {
  let path: String
  let options: EngineOptions
  let extent: Extent
  let openSeconds: Double
  let prepareSeconds: Double
  /// Whether operations are of integers, for which the machine's peak in floating point is no measure.
  let computesInIntegers: Bool
  let times: RunTimes
  let machine: MachineSpeed
  /// Bytes that belong to no file.
  let anonymousBytes: Int?
  /// The most that was resident.
  let largestResidentBytes: Int?

  func text(_ console: Console) -> String {
    var table = TextTable([
      ("layer", .left), ("ms", .right), ("share", .right),
      (computesInIntegers ? "GOP/s" : "GFLOP/s", .right), ("of peak", .right),
      ("GB/s", .right), ("of bandwidth", .right),
    ])
    let sum = times.layers.reduce(0) { $0 + $1.seconds }
    for layer in times.layers {
      var cells = [
        layer.name, Format.fixed(layer.seconds * 1e3, 3),
        Format.percent(layer.seconds / max(sum, .leastNormalMagnitude), decimals: 1),
      ]
      if layer.operations > 0 { cells += arithmetic(layer.operationsPerSecond) }
      if let rate = layer.bytesPerSecond {
        cells += [
          Format.fixed(rate / 1e9, 1), Format.percent(rate / machine.bytesPerSecond, decimals: 0),
        ]
      }
      table.add(cells)
    }
    table.addRule()
    table.add(
      ["all", Format.fixed(times.minimum * 1e3, 3), ""] + arithmetic(times.operationsPerSecond))
    let threads = options.threadCount == 1 ? "1 thread" : "\(options.threadCount) threads"
    let pictures = times.batch == 1 ? "1 picture" : "\(times.batch) pictures"
    return [
      "\(path): \(pictures) of \(extent), \(options.kind.rawValue) engine, \(threads), "
        + options.instructionSet.rawValue,
      "", table.rendered(for: console), "",
      "pass:    fastest \(Format.fixed(times.minimum * 1e3, 2)) ms, median of \(times.passes.count) runs "
        + "\(Format.fixed(times.median * 1e3, 2)) ms",
      "setup:   \(Format.duration(openSeconds)) to open, \(Format.duration(prepareSeconds)) to prepare the weights",
      "machine: \(Format.fixed(machine.operationsPerSecond / 1e9, 1)) GFLOP/s, \(Format.fixed(machine.bytesPerSecond / 1e9, 1)) GB/s",
      "memory:  \(anonymousBytes.map(Format.bytes) ?? "unknown"), without mapped files",
    ].joined(separator: "\n")
  }

  /// The cells of the columns of operations and of peak.
  private func arithmetic(_ rate: Double) -> [String] {
    [Format.fixed(rate / 1e9, 1), peakPart(of: rate).map { Format.percent($0, decimals: 0) } ?? ""]
  }

  /// What part a rate is of the most that the machine can do; nil where that is not known.
  private func peakPart(of rate: Double) -> Double? {
    computesInIntegers ? nil : rate / machine.operationsPerSecond
  }

  /// What operations are called, in billions a second.
  private var rateName: String { computesInIntegers ? "gops" : "gflops" }

  var json: JSONValue {
    func milliseconds(_ seconds: Double) -> JSONValue { .number(seconds * 1e3) }
    func bytes(_ count: Int?) -> JSONValue { count.map { .integer(Int64($0)) } ?? .null }
    return [
      "ok": true, "model": .string(path), "engine": .string(options.kind.rawValue),
      "isa": .string(options.instructionSet.rawValue), "threads": .integer(Int64(options.threadCount)),
      "lowMemory": .bool(options.savesMemory), "batch": .integer(Int64(times.batch)),
      "inputSize": [.integer(Int64(extent.height)), .integer(Int64(extent.width))],
      "milliseconds": ["min": milliseconds(times.minimum), "median": milliseconds(times.median)],
      "repeats": .integer(Int64(times.passes.count)),
      "openMilliseconds": milliseconds(openSeconds), "prepareMilliseconds": milliseconds(prepareSeconds),
      rateName: .number(times.operationsPerSecond / 1e9),
      "peak": [
        "gflops": .number(machine.operationsPerSecond / 1e9),
        "gigabytesPerSecond": .number(machine.bytesPerSecond / 1e9),
      ],
      "memory": [
        "anonymousBytes": bytes(anonymousBytes), "largestResidentBytes": bytes(largestResidentBytes),
      ],
      "layers": .array(
        times.layers.map { layer in
          var members: [(key: String, value: JSONValue)] = [
            ("layer", .string(layer.name)), ("milliseconds", milliseconds(layer.seconds)),
          ]
          if layer.operations > 0 {
            let rate = layer.operationsPerSecond
            members.append((rateName, .number(rate / 1e9)))
            if let part = peakPart(of: rate) { members.append(("peakPart", .number(part))) }
          }
          if let rate = layer.bytesPerSecond {
            members.append(("gigabytesPerSecond", .number(rate / 1e9)))
            members.append(("bandwidthPart", .number(rate / machine.bytesPerSecond)))
          }
          if let part = layer.nonzeroInputs { members.append(("nonzeroInputs", .number(part))) }
          return .object(members)
        }),
    ]
  }
}
