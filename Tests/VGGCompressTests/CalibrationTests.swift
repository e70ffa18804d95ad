import Synchronization
import TestSupport
import Testing
import VGGBytes
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

/// What is found out about a model's layers, and what is refused.
@Suite struct CalibrationTests {
  /// Pictures one by one.
  private static func pictures(_ count: Int, seed: UInt64 = 1) throws -> [[Float]] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      (0..<64 * 64 * 3).map { _ in Float.random(in: -120...130, using: &generator) }
    }
  }

  private static func batches(_ pictures: [[Float]], of size: Int = 2) throws -> PictureBatches {
    let shape = FeatureShape(extent: Extent(side: 64), channels: 3)
    return PictureBatches(
      try stride(from: 0, to: pictures.count, by: size).map { start in
        let part = pictures[start..<min(start + size, pictures.count)]
        return try FeatureMap(count: part.count, shape: shape, values: Array(part.joined()))
      })
  }

  /// The small network with weights that keep the values of layers in one order of magnitude.
  static func model(_ change: (Tensor, [Float]) -> [Float] = { $1 }) throws -> Model {
    try CompressTests.model().mappingTensors { tensor in
      let fanIn = tensor.shape.dropLast().reduce(1, *)
      let scale = tensor.role == .weight ? (3 / Float(fanIn)).squareRoot() : 1
      let values = try tensor.values.array().map { $0 * scale }
      return tensor.replacing(values: MemoryValues(change(tensor, values)))
    }
  }

  /// The model with all weights and biases of a layer replaced by a number.
  private static func model(_ layer: String, all value: Float) throws -> Model {
    try model { tensor, values in tensor.name.hasPrefix("\(layer)/") ? values.map { _ in value } : values }
  }

  @Test func rangesAreThoseOfTheLayers() throws {
    let model = try Self.model()
    let pictures = try Self.pictures(3)
    let calibration = try Calibration(of: model, on: Self.batches(pictures))
    #expect(calibration.pictureCount == 3 && calibration.warnings.isEmpty)
    #expect(calibration.layers.map(\.name) == ["input"] + model.network.layers.map(\.name))
    let calibrated = try calibration.quantizations(by: .minMax)
    #expect(calibrated.layers.map(\.name) == calibration.layers.map(\.name))
    var outputs: [(name: String, channels: Int, values: [Float])] = [("input", 3, pictures.flatMap { $0 })]
    let whole = try Self.batches(pictures, of: 3).batch(0)
    _ = try EngineOptions().engine(for: model).run(whole) { layer, map in
      outputs.append((layer.name, map.shape.channels, map.values))
    }
    for (index, output) in outputs.enumerated() {
      let layer = calibration.layers[index]
      #expect(layer.histogram.count == output.values.count)
      #expect(
        layer.histogram.minimum == output.values.min() && layer.histogram.maximum == output.values.max())
      for (channel, mean) in layer.channelMeans.enumerated() {
        let own = stride(from: channel, to: output.values.count, by: output.channels).map {
          Double(output.values[$0])
        }
        #expect((mean - own.reduce(0, +) / Double(own.count)).magnitude < 1e-9 * (1 + mean.magnitude))
      }
      let integers = calibrated.layers[index]
      #expect(integers.clippedFraction == 0)
      #expect(calibrated.quantizations[output.name] == integers.quantization)
      switch index == 0 ? nil : model.network.layers[index - 1].operation {
      case .pooling: #expect(integers.quantization == calibrated.layers[index - 1].quantization)
      case .softmax:
        #expect(integers.quantization == ActivationQuantization(scale: 0.00390625, zeroPoint: -128))
      case .dense where output.name == "fc8": #expect(integers.quantization.zeroPoint > -128)
      case nil: #expect(integers.quantization.zeroPoint > -128)
      default:
        #expect(integers.quantization.zeroPoint == -128 && integers.range.low == 0)
        #expect((integers.quantization.scale * 255 / integers.range.high - 1).magnitude < 1e-6)
      }
    }
  }

  @Test func threadsAndBatchesDoNotMatter() throws {
    let model = try Self.model()
    let pictures = try Self.pictures(5)
    func calibrated(_ threads: Int, _ size: Int) throws -> Calibration {
      try Workers.$current.withValue(Workers(count: threads)) {
        try Calibration(of: model, on: Self.batches(pictures, of: size))
      }
    }
    let expected = try calibrated(1, 1)
    for (threads, size) in [(1, 5), (2, 2), (3, 1), (4, 3)] {
      let other = try calibrated(threads, size)
      for (layer, right) in zip(other.layers, expected.layers) {
        #expect(layer.histogram == right.histogram && layer.channelMeans == right.channelMeans)
      }
      for rule in [ActivationRangeRule.minMax, .percentile(99)] {
        #expect(try other.quantizations(by: rule) == expected.quantizations(by: rule))
      }
    }
  }

  @Test func eachBatchIsReadOnceAndInOrder() throws {
    let read = Mutex<[Int]>([])
    let given = try Self.batches(Self.pictures(4), of: 1)
    let watched = PictureBatches(count: given.count) { (index) throws(EngineError) in
      read.withLock { $0.append(index) }
      return try given.batch(index)
    }
    var done = 0
    _ = try Calibration(of: Self.model(), on: watched) { done += $0 }
    #expect(read.withLock { $0 } == [0, 1, 2, 3] && done == 4)
  }

  @Test func clippingIsTold() throws {
    let calibration = try Calibration(of: Self.model(), on: Self.batches(Self.pictures(2)))
    let calibrated = try calibration.quantizations(by: .percentile(95))
    let clipped = try #require(calibrated.layers.first { $0.name == "conv2_1" }).clippedFraction
    #expect(clipped > 0 && clipped <= 0.05)
    #expect(calibrated.rule == .percentile(95))
  }

  // MARK: Bad input

  @Test func withoutPicturesThereIsNoCalibration() throws {
    let error = try #require(throws: FileError.self) { try Calibration(of: Self.model(), on: .none) }
    #expect(error.code == "calibrate.pictures" && error.file == "test")
  }

  @Test func oneSinglePictureIsAllowed() throws {
    let calibration = try Calibration(of: Self.model(), on: Self.batches(Self.pictures(1)))
    #expect(calibration.warnings == [.singlePicture])
  }

  @Test func blackPicturesAreTold() throws {
    let zeros = try Calibration(
      of: Self.model(), on: Self.batches(Array(repeating: Array(repeating: 0, count: 64 * 64 * 3), count: 2)))
    // What follows is zero where no bias is positive.
    #expect(zeros.warnings.prefix(2) == [.uniformPictures, .alwaysZero("input")])
    #expect(
      zeros.warnings.dropFirst(2).allSatisfy { "\($0)".hasSuffix("gives zeros only: its scale is arbitrary") }
    )
    let integers = try zeros.quantizations(by: .minMax)
    #expect(integers.layers[0].quantization == ActivationQuantization(scale: 1, zeroPoint: -128))
    // Black less a mean.
    let black: [Float] = (0..<64 * 64 * 3).map { [-103.9, -116.8, -123.7][$0 % 3] }
    let shifted = try Calibration(of: Self.model(), on: Self.batches([black, black, black]))
    #expect(shifted.warnings == [.uniformPictures])
    #expect(try shifted.quantizations(by: .minMax).layers[0].range == ActivationRange(low: -123.7, high: 0))
  }

  @Test func aConstantLayerKeepsItsValue() throws {
    let model = try Self.model { tensor, values in
      switch tensor.name {
      case "conv3_2/weight": values.map { _ in 0 }
      case "conv3_2/bias": values.map { _ in 2.5 }
      default: values
      }
    }
    let calibrated = try Calibration(of: model, on: Self.batches(Self.pictures(2))).quantizations(by: .minMax)
    let layer = try #require(calibrated.layers.first { $0.name == "conv3_2" })
    #expect(layer.range == ActivationRange(low: 0, high: 2.5) && layer.quantization.zeroPoint == -128)
  }

  @Test func layersAndChannelsOfZeros() throws {
    let model = try Self.model("conv4_1", all: 0)
    let calibration = try Calibration(of: model, on: Self.batches(Self.pictures(2)))
    #expect(calibration.warnings == [.alwaysZero("conv4_1")])
    for rule in [ActivationRangeRule.minMax, .standardPercentile, .meanSquaredError] {
      #expect(
        try calibration.quantizations(by: rule).quantizations["conv4_1"]
          == ActivationQuantization(scale: 1, zeroPoint: -128))
    }
    // A single channel is of no consequence.
    let channel = try Self.model { tensor, values in
      let outputs = tensor.shape[tensor.shape.count - 1]
      return tensor.name.hasPrefix("conv4_1/")
        ? values.enumerated().map { $0.offset % outputs == 0 ? 0 : $0.element } : values
    }
    let other = try Calibration(of: channel, on: Self.batches(Self.pictures(2)))
    #expect(other.warnings.isEmpty && other.layer("conv4_1")?.channelMeans[0] == 0)
  }

  @Test(arguments: [Float.nan, .infinity]) func valuesThatAreNoNumbers(_ value: Float) throws {
    let model = try Self.model { tensor, values in
      tensor.name == "conv2_2/bias" ? values.enumerated().map { $0.offset == 1 ? value : $0.element } : values
    }
    let error = try #require(throws: FileError.self) {
      try Calibration(of: model, on: Self.batches(Self.pictures(2)))
    }
    #expect(error.code == "calibrate.nonfinite" && error.place == "layer conv2_2")
    var pictures = try Self.pictures(5)
    pictures[3][77] = value
    let inputError = try #require(throws: FileError.self) {
      try Calibration(of: Self.model(), on: Self.batches(pictures))
    }
    #expect(inputError.place == "layer input" && inputError.seen == "picture 3")
  }

  @Test func scalesThatUnderflowAreRefusedByName() throws {
    let calibration = try Calibration(
      of: Self.model("conv5_2", all: 100 * .leastNonzeroMagnitude), on: Self.batches(Self.pictures(2)))
    let error = try #require(throws: FileError.self) { try calibration.quantizations(by: .minMax) }
    #expect(error.code == "calibrate.range" && error.place == "layer conv5_2" && error.kind == .unsupported)
  }

  @Test func whatCannotBeReadIsTold() throws {
    let damaged = FileError(.malformed, code: "png.decode", file: "x.png", "is damaged")
    let batches = PictureBatches(count: 2) { (_) throws(EngineError) in throw .input(damaged) }
    #expect(throws: damaged) { try Calibration(of: Self.model(), on: batches) }
  }
}
