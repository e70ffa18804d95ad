import TestSupport
import Testing
import VGGEngine
import VGGModel
import VGGTensors

/// Layers of integers against what runtimes made of the same codes, bit for bit, with every method that an engine has for them.
@Suite struct RecordedIntegerLayerTests {
  static let options =
    [EngineOptions(kind: .reference)]
    + InstructionSet.allCases.filter(\.isAvailable).flatMap {
      [EngineOptions(instructionSet: $0), EngineOptions(instructionSet: $0, savesMemory: true)]
    }

  @Test(arguments: options) func litert(_ options: EngineOptions) throws {
    let weighted = try RecordedLayer.all("conv") + RecordedLayer.all("dense")
    #expect(weighted.count == 23)
    try compare(weighted, .litert, with: ["litert", "onnxruntime"], options)
    // ONNX Runtime's averages and softmax are rules of their own.
    try compare(RecordedLayer.all("max"), .litert, with: ["litert", "onnxruntime"], options)
    try compare(RecordedLayer.all("average"), .litert, with: ["litert"], options)
    try compare(RecordedLayer.all("softmax"), .litert, with: ["litert"], options)
  }

  @Test(arguments: options) func tflm(_ options: EngineOptions) throws {
    // LiteRT's reference kernels have another rule for dense layers.
    try compare(RecordedLayer.all("dense"), .tflm, with: ["tflite_micro"], options)
    for kind in ["conv", "max", "average", "softmax"] {
      try compare(RecordedLayer.all(kind), .tflm, with: ["tflite_micro", "litert_reference"], options)
    }
  }

  private func compare(
    _ layers: [RecordedLayer], _ rounding: IntegerArithmetic.Rounding, with runtimes: [String],
    _ options: EngineOptions
  ) throws {
    #expect(!layers.isEmpty)
    for recorded in layers {
      let layer = try CodedLayer(recorded, rounding)
      var options = options
      options.extent = layer.input.shape.extent
      let codes = try layer.codes(options)
      for runtime in runtimes {
        #expect(try codes == recorded.integers(runtime), "\(recorded.name) \(runtime)")
      }
    }
  }

  /// Codes of an input that make a sum too large are possible here, though those of the fixture do not.
  @Test(arguments: options) func sumsThatMightNotFitAreRefused(_ options: EngineOptions) throws {
    let recorded = try #require(try RecordedLayer.all("dense_extreme_sums").first)
    let layer = try CodedLayer(recorded, .litert, sumsAreBiases: false)
    #expect(throws: EngineError.self) { try layer.codes(options) }
  }
}

/// A layer of integers with an input.
struct CodedLayer {
  let layer: Layer
  let integers: IntegerLayer
  let input: FeatureMap
  private let output: ActivationQuantization

  init(
    _ layer: Layer, _ rounding: IntegerArithmetic.Rounding, from: ActivationQuantization,
    to output: ActivationQuantization, input codes: [Int32], count: Int, _ shape: FeatureShape
  ) throws {
    self.layer = layer
    self.output = output
    integers = IntegerLayer(rounding: rounding, input: from, output: output)
    input = try FeatureMap(count: count, shape: shape, values: codes.map { from.value(of: Int8($0)) })
  }

  /// - Parameter sumsAreBiases: Whether a layer whose sums might be too large for other inputs gets those that it has as its biases.
  init(
    _ recorded: RecordedLayer, _ rounding: IntegerArithmetic.Rounding, sumsAreBiases: Bool = true
  ) throws {
    let (scales, zeroPoints) = (try recorded.floats("scales"), try recorded.integers("zero_points"))
    let from = ActivationQuantization(scale: scales[0], zeroPoint: Int8(zeroPoints[0]))
    output = ActivationQuantization(scale: scales[1], zeroPoint: Int8(zeroPoints[1]))
    let axes = try recorded.shape("input")
    var (codes, extent) = (try recorded.integers("input"), Extent(side: 1))
    if axes.count == 4 { extent = Extent(height: axes[1], width: axes[2]) }
    let channels = axes[axes.count - 1]

    if recorded.name.hasPrefix("softmax") {
      layer = Layer(name: recorded.name, operation: .softmax)
      integers = IntegerLayer(rounding: rounding, input: from, output: output)
    } else if recorded.name.hasPrefix("conv") || recorded.name.hasPrefix("dense") {
      let isDense = axes.count == 2
      let geometry = isDense ? [1, 1, 1, 1, 0, 0, 0, 0] : try recorded.integers("geometry").map(Int.init)
      var bias = try recorded.integers("bias")
      let activation: Activation = try recorded.integers("bounds")[0] == zeroPoints[1] ? .relu : .none
      if isDense {
        layer = Layer(
          name: recorded.name,
          operation: .dense(Dense(inputs: channels, outputs: bias.count, activation: activation)))
      } else {
        var convolution = Convolution(
          kernel: Extent(height: geometry[0], width: geometry[1]), inputChannels: channels,
          outputChannels: bias.count)
        convolution.activation = activation
        convolution.stride = Extent(side: geometry[2])
        convolution.dilation = Extent(side: geometry[3])
        convolution.padding = Extent(height: geometry[4], width: geometry[5])
        if geometry[4...5] != geometry[6...7] {
          // A layer of ours has the same padding at both ends; elsewhere it is part of the input.
          (codes, extent) = padded(codes, count: axes[0], extent, channels, geometry, by: zeroPoints[0])
          convolution.padding = Extent(side: 0)
        }
        layer = Layer(name: recorded.name, operation: .convolution(convolution))
      }
      var weights = transposed(try recorded.integers("weights").map { Int8($0) }, rows: bias.count)
      if recorded.name == "dense_extreme_sums", sumsAreBiases {
        bias = try recorded.accumulators()
        weights = weights.map { _ in 0 }
      }
      let weightScales = try recorded.floats("weight_scales")
      integers = IntegerLayer(
        rounding: rounding, input: from, output: output, weight: MemoryCodes(weights),
        weightScales: bias.indices.map { weightScales[weightScales.count == 1 ? 0 : $0] }, bias: bias)
    } else {
      let geometry = try recorded.integers("geometry").map(Int.init)
      var pooling = Pooling(rounding: geometry[4...5] == geometry[6...7] ? .floor : .ceiling)
      pooling.method = recorded.name.hasPrefix("max") ? .maximum : .average
      pooling.kernel = Extent(height: geometry[0], width: geometry[1])
      pooling.stride = Extent(side: geometry[2])
      pooling.padding = Extent(height: geometry[4], width: geometry[5])
      layer = Layer(name: recorded.name, operation: .pooling(pooling))
      integers = IntegerLayer(rounding: rounding, input: from, output: output)
    }
    input = try FeatureMap(
      count: axes[0], shape: FeatureShape(extent: extent, channels: channels),
      values: codes.map { from.value(of: Int8($0)) })
  }

  /// The codes that an engine makes.
  func codes(_ options: EngineOptions) throws -> [Int32] {
    // Values of weights are asked for, but not read.
    let counts = layer.tensorRequirements.map { $0.shape.reduce(1, *) }
    let zeros = counts.map { Array(repeating: Float(0), count: $0) }
    let weighted = try WeightedLayer(
      layer, weight: zeros.first.map { MemoryValues($0) }, bias: zeros.dropFirst().first,
      integers: integers)
    let values = try LayerEngine(weighted, options: options).evaluate(on: input).values
    return values.map { Int32(($0 / output.scale).rounded()) + Int32(output.zeroPoint) }
  }
}

/// Rows of weights as columns: outputs vary fastest.
private func transposed(_ codes: [Int8], rows: Int) -> [Int8] {
  let columns = codes.count / rows
  return codes.indices.map { codes[$0 % rows * columns + $0 / rows] }
}

private func padded(
  _ codes: [Int32], count: Int, _ extent: Extent, _ channels: Int, _ geometry: [Int], by zeroPoint: Int32
) -> ([Int32], Extent) {
  let larger = Extent(
    height: extent.height + geometry[4] + geometry[6], width: extent.width + geometry[5] + geometry[7])
  var result: [Int32] = []
  for picture in 0..<count {
    for row in 0..<larger.height {
      for column in 0..<larger.width {
        let (y, x) = (row - geometry[4], column - geometry[5])
        for channel in 0..<channels {
          let isInside = (0..<extent.height).contains(y) && (0..<extent.width).contains(x)
          let place = ((picture * extent.height + y) * extent.width + x) * channels + channel
          result.append(isInside ? codes[place] : zeroPoint)
        }
      }
    }
  }
  return (result, larger)
}
