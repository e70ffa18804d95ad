internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGConv
internal import VGGEngine
internal import VGGModel
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
  let path = arguments.positionals[0]
  let options = EngineArguments.options(arguments)
  var benchmark = Benchmark(
    path: path, options: options, batch: arguments[batchOption] ?? 1, repeats: arguments[repeatOption] ?? 10
  )
  var opening = ModelOptions.modelOptions(arguments)
  let checksDigests = opening.checksDigests
  opening.checksDigests = false
  let start = Measuring.seconds()
  let opened = try OpenedModel(path, options: opening)
  benchmark.openSeconds = Measuring.seconds() - start
  opened.warn(console)
  if checksDigests { try opened.checkDigests(progress: console) }
  do throws(EngineError) {
    try benchmark.measure(opened.model, extent: arguments[ModelOptions.inputExtent], console)
  } catch {
    throw FileError(error, file: path)
  }
  console.print(console.isJSON ? benchmark.json.pretty : benchmark.text(console))
  return .success
}

/// What is measured of one layer.
private struct LayerMeasurement {
  let layer: Layer
  let output: FeatureShape
  /// The part of a dense layer's inputs that are not zero.
  let nonzeroInputs: Double?
  /// The shortest time for the batch.
  var seconds = Double.infinity

  /// Floating-point operations for the batch: two for each multiplication with a weight.
  func operations(batch: Int) -> Double {
    switch layer.operation {
    case .convolution(let convolution):
      2.0 * Double(batch * output.count) * Double(convolution.kernel.height * convolution.kernel.width)
        * Double(convolution.inputChannels)
    case .dense(let dense): 2 * Double(batch * output.count) * Double(dense.inputs)
    case .pooling, .normalization, .softmax, .sigmoid: 0
    }
  }
}

/// A measurement of a model.
private struct Benchmark {
  let path: String
  var options: EngineOptions
  let batch: Int
  let repeats: Int
  var extent = Extent(side: 0)
  var openSeconds = 0.0
  var prepareSeconds = 0.0
  /// The time of each pass.
  var passes: [Double] = []
  var layers: [LayerMeasurement] = []
  /// Floating-point operations and bytes a second that the machine can do.
  var peakOperations = 0.0
  var peakBytes = 0.0
  /// Bytes that belong to no file, and the most that was resident.
  var anonymousBytes: Int?
  var largestResidentBytes: Int?

  init(path: String, options: EngineOptions, batch: Int, repeats: Int) {
    self.path = path
    self.options = options
    self.batch = batch
    self.repeats = repeats
  }

  var minimum: Double { passes.min() ?? 0 }
  var median: Double { passes.isEmpty ? 0 : passes.sorted()[passes.count / 2] }
  var operations: Double { layers.reduce(0) { $0 + $1.operations(batch: batch) } }

  mutating func measure(_ model: Model, extent: Extent?, _ console: Console) throws(EngineError) {
    let extent = extent ?? model.network.inputExtent ?? Extent(side: 224)
    self.extent = extent
    options.extent = extent
    var prepared: (any Engine)?
    prepareSeconds = try Measuring.time { () throws(EngineError) in
      prepared = try options.engine(for: model)
    }
    guard let engine = prepared else { return }
    let input = try randomInput(count: batch, channels: model.network.inputChannels)
    let progress = console.progress("measuring", total: repeats + 2, unit: .items("passes"))
    defer { progress.finish() }
    // A first pass of one picture tells the shapes, the second warms up what the others use.
    var previous = try randomInput(count: 1, channels: model.network.inputChannels)
    var found: [LayerMeasurement] = []
    _ = try engine.run(previous) { layer, output in
      found.append(
        LayerMeasurement(
          layer: layer, output: output.shape, nonzeroInputs: layer.isDense ? previous.nonzeroPart : nil))
      previous = output
    }
    layers = found
    let indices = Dictionary(
      layers.enumerated().map { ($1.layer.name, $0) }, uniquingKeysWith: { first, _ in first })
    progress.advance(by: 1)
    for pass in 0...repeats {
      var times = layers.map { _ in 0.0 }
      let start = Measuring.seconds()
      var last = start
      _ = try engine.run(input) { layer in
        let now = Measuring.seconds()
        if let index = indices[layer.name] { times[index] += now - last }
        last = now
      }
      let end = Measuring.seconds()
      progress.advance(by: 1)
      guard pass > 0 else { continue }
      passes.append(end - start)
      for index in layers.indices { layers[index].seconds = min(layers[index].seconds, times[index]) }
    }
    anonymousBytes = Measuring.memory("RssAnon")
    largestResidentBytes = Measuring.memory("VmHWM")
    let probe = try MachineProbe(options: options)
    for _ in 0..<5 {
      var (operations, bytes) = (0.0, 0.0)
      let calculating = Measuring.time { operations = probe.calculate() }
      let reading = Measuring.time { bytes = probe.read() }
      peakOperations = max(peakOperations, operations / calculating)
      peakBytes = max(peakBytes, bytes / reading)
    }
  }

  /// Values as preprocessed pixels are: between -128 and 128, always the same.
  private func randomInput(count: Int, channels: Int) throws(EngineError) -> FeatureMap {
    let shape = FeatureShape(extent: extent, channels: channels)
    var state: UInt32 = 2014
    let values = (0..<count * shape.count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(Int32(bitPattern: state) >> 8) / Float(1 << 16)
    }
    return try FeatureMap(count: count, shape: shape, values: values)
  }

  func text(_ console: Console) -> String {
    var table = TextTable([
      ("layer", .left), ("ms", .right), ("share", .right), ("GFLOP/s", .right), ("of peak", .right),
      ("GB/s", .right), ("of bandwidth", .right),
    ])
    let sum = layers.reduce(0) { $0 + $1.seconds }
    for layer in layers {
      var cells = [
        layer.layer.name, Format.fixed(layer.seconds * 1e3, 3),
        Format.percent(layer.seconds / max(sum, .leastNormalMagnitude), decimals: 1),
      ]
      let rate = layer.operations(batch: batch) / layer.seconds
      if rate > 0 {
        cells += [Format.fixed(rate / 1e9, 1), Format.percent(rate / peakOperations, decimals: 0)]
      }
      if let bytes = layer.weightBytes {
        cells += [
          Format.fixed(bytes / layer.seconds / 1e9, 1),
          Format.percent(bytes / layer.seconds / peakBytes, decimals: 0),
        ]
      }
      table.add(cells)
    }
    table.addRule()
    table.add([
      "all", Format.fixed(minimum * 1e3, 3), "", Format.fixed(operations / minimum / 1e9, 1),
      Format.percent(operations / minimum / peakOperations, decimals: 0),
    ])
    let threads = options.threadCount == 1 ? "1 thread" : "\(options.threadCount) threads"
    let pictures = batch == 1 ? "1 picture" : "\(batch) pictures"
    return [
      "\(path): \(pictures) of \(extent), \(options.kind.rawValue) engine, \(threads), "
        + options.instructionSet.rawValue,
      "", table.rendered(for: console), "",
      "pass:    fastest \(Format.fixed(minimum * 1e3, 2)) ms, median of \(passes.count) runs "
        + "\(Format.fixed(median * 1e3, 2)) ms",
      "setup:   \(Format.duration(openSeconds)) to open, \(Format.duration(prepareSeconds)) to prepare the weights",
      "machine: \(Format.fixed(peakOperations / 1e9, 1)) GFLOP/s, \(Format.fixed(peakBytes / 1e9, 1)) GB/s",
      "memory:  \(anonymousBytes.map(Format.bytes) ?? "unknown"), without mapped files",
    ].joined(separator: "\n")
  }

  var json: JSONValue {
    func milliseconds(_ seconds: Double) -> JSONValue { .number(seconds * 1e3) }
    func bytes(_ count: Int?) -> JSONValue { count.map { .integer(Int64($0)) } ?? .null }
    return [
      "ok": true, "model": .string(path), "engine": .string(options.kind.rawValue),
      "isa": .string(options.instructionSet.rawValue), "threads": .integer(Int64(options.threadCount)),
      "lowMemory": .bool(options.savesMemory), "batch": .integer(Int64(batch)),
      "inputSize": [.integer(Int64(extent.height)), .integer(Int64(extent.width))],
      "milliseconds": ["min": milliseconds(minimum), "median": milliseconds(median)],
      "repeats": .integer(Int64(passes.count)),
      "openMilliseconds": milliseconds(openSeconds), "prepareMilliseconds": milliseconds(prepareSeconds),
      "gflops": .number(operations / minimum / 1e9),
      "peak": ["gflops": .number(peakOperations / 1e9), "gigabytesPerSecond": .number(peakBytes / 1e9)],
      "memory": [
        "anonymousBytes": bytes(anonymousBytes), "largestResidentBytes": bytes(largestResidentBytes),
      ],
      "layers": .array(
        layers.map { layer in
          let rate = layer.operations(batch: batch) / layer.seconds
          var members: [(key: String, value: JSONValue)] = [
            ("layer", .string(layer.layer.name)), ("milliseconds", milliseconds(layer.seconds)),
          ]
          if rate > 0 {
            members.append(("gflops", .number(rate / 1e9)))
            members.append(("peakPart", .number(rate / peakOperations)))
          }
          if let bytes = layer.weightBytes {
            members.append(("gigabytesPerSecond", .number(bytes / layer.seconds / 1e9)))
            members.append(("bandwidthPart", .number(bytes / layer.seconds / peakBytes)))
          }
          if let part = layer.nonzeroInputs { members.append(("nonzeroInputs", .number(part))) }
          return .object(members)
        }),
    ]
  }
}

extension LayerMeasurement {
  /// The bytes of a dense layer's weights as float32, those of inputs that are zero among them.
  fileprivate var weightBytes: Double? {
    guard case .dense(let dense) = layer.operation else { return nil }
    return 4 * Double(dense.inputs) * Double(dense.outputs)
  }
}

extension FeatureMap {
  /// The part of the values that are not zero.
  fileprivate var nonzeroPart: Double {
    withValues { values in Double(values.count { $0 != 0 }) / Double(max(1, values.count)) }
  }
}
