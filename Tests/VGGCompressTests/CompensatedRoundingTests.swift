import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGModel
import VGGTensors

@testable import VGGCompress

/// Codes of four bits that make up for each other.
@Suite struct CompensatedRoundingTests {
  typealias Settings = QuantizationSettings

  /// Pictures that are smooth, as photographs are, so that what layers read is correlated.
  private static func pictures(_ count: Int, seed: UInt64, side: Int = 64) throws -> FeatureMap {
    var random = SeededGenerator(seed: seed)
    let shape = FeatureShape(extent: Extent(side: side), channels: 3)
    var values: [Float] = []
    for _ in 0..<count {
      let waves = (0..<6).map { _ in (0..<4).map { _ in Float.random(in: -1...1, using: &random) } }
      for pixel in 0..<side * side {
        let (y, x) = (Float(pixel / side) / Float(side), Float(pixel % side) / Float(side))
        for channel in 0..<3 {
          var sum: Float = 0
          for wave in waves {
            let phase: Float = 9 * (wave[0] * x + wave[1] * y) + 3 * wave[2] + Float(channel) * wave[3]
            // A wave without the C library.
            let turn: Float = phase - phase.rounded(.down)
            sum += min(turn, 1 - turn) * 40 - 10
          }
          values.append(sum)
        }
      }
    }
    return try FeatureMap(count: count, shape: shape, values: values)
  }

  private static func context(_ batches: [FeatureMap]) -> PassContext {
    PassContext(calibration: PictureBatches(batches))
  }

  private static func settings(
    _ groupLength: Settings.GroupLength = .of64, zeroPoints: Bool = false, convolutions: Bool = false,
    isCompensated: Bool = true, keeping kept: [String] = []
  ) -> Pass {
    .quantize(
      Settings(
        .int4, keeping: kept, groupLength: groupLength, hasZeroPoints: zeroPoints,
        includesConvolutions: convolutions, codeRounding: isCompensated ? .compensated(nil) : .nearest))
  }

  private static func codes(_ model: Model, _ name: String) throws -> [Int8] {
    let tensor = try #require(model.tensor(name))
    guard case .codes(let codes, _) = tensor.content else { return [] }
    return try codes.array()
  }

  /// Scales are those of the plain rule, each code is one of the two beside its value, and zeros stay zeros.
  @Test(arguments: Settings.GroupLength.allCases, [false, true])
  func codesAreBesideTheirValues(_ length: Settings.GroupLength, zeroPoints: Bool) throws {
    let model = try CompressTests.model().applying(.prune(fraction: 0.3))
    let context = Self.context([try Self.pictures(5, seed: 1)])
    func applied(_ isCompensated: Bool) throws -> Model {
      try model.applying(
        Self.settings(length, zeroPoints: zeroPoints, convolutions: true, isCompensated: isCompensated),
        in: context)
    }
    let (plain, compensated) = (try applied(false), try applied(true))
    var changedCount = 0
    for tensor in model.tensors where tensor.role == .weight {
      let (values, outputs) = (try tensor.values.array(), tensor.shape[tensor.shape.count - 1])
      let quantization = try #require(compensated.tensor(tensor.name)?.quantization)
      #expect(quantization == plain.tensor(tensor.name)?.quantization, "\(tensor.name)")
      let codes = try Self.codes(compensated, tensor.name)
      let range = zeroPoints ? -8...7 : -7...7 as ClosedRange<Float>
      for (index, value) in values.enumerated() {
        let (scale, zero) = quantization.parameters(ofElement: index, rowLength: outputs)
        let steps: Float = value / scale
        let both = [steps.rounded(.down), steps.rounded(.up)].map { (neighbour: Float) -> Float in
          min(max(neighbour + Float(zero), range.lowerBound), range.upperBound)
        }
        #expect(both.contains(Float(codes[index])), "\(tensor.name) \(index): \(steps)")
        if value == 0 { #expect(codes[index] == zero) }
      }
      changedCount += zip(codes, try Self.codes(plain, tensor.name)).count { $0 != $1 }
    }
    #expect(changedCount > 100, "\(changedCount)")
  }

  /// Pictures that were not calibrated with: what the layers give is nearer to the source's.
  @Test(arguments: [false, true]) func outputsAreNearer(convolutions: Bool) throws {
    let model = try CompressTests.model()
    let context = Self.context([try Self.pictures(40, seed: 2)])
    let others = try Self.pictures(20, seed: 3)
    func output(_ model: Model) throws -> [Float] {
      var logits: [Float] = []
      _ = try ReferenceEngine(model).run(others) { layer, map in
        if layer.name == "fc8" { logits = map.values }
      }
      return logits
    }
    let source = try output(model)
    for (length, zeroPoints) in [(Settings.GroupLength.of32, false), (.of64, true), (.of128, false)] {
      let errors = try [false, true].map { isCompensated in
        let seen = try output(
          model.applying(
            Self.settings(
              length, zeroPoints: zeroPoints, convolutions: convolutions, isCompensated: isCompensated),
            in: context))
        return zip(source, seen).map { Double($0 - $1) }.reduce(0.0) { $0 + $1 * $1 }
      }
      #expect(errors[1] < 0.7 * errors[0], "\(length), \(zeroPoints): \(errors)")
    }
  }

  /// The codes are those of the method as it is published, by an inverse that is computed plainly.
  @Test func factorsAreThoseOfTheInverse() throws {
    var random = SeededGenerator(seed: 4)
    let count = 24
    let products = InputProducts(inputCount: count)
    var rows: [Float] = []
    for _ in 0..<200 {
      let common = Float.random(in: -1...1, using: &random)
      for _ in 0..<count { rows.append(max(0, common + Float.random(in: -1...1, using: &random))) }
    }
    products.add(rows, toBlock: 0)
    let feedback = ErrorFeedback(products, block: 0)
    let squares = feedback.order.map { products.sum(ofBlock: 0, $0, $0) }
    #expect(zip(squares, squares.dropFirst()).allSatisfy { $0 >= $1 })
    #expect(feedback.order.sorted() == Array(0..<count))
    // What is left of the inverse behind each input, which Gaussian elimination of the inverse gives as well.
    let damping: Double = 0.01 * squares.reduce(0, +) / Double(count)
    var matrix: [[Double]] = feedback.order.map { row in
      feedback.order.map { column in
        let sum = products.sum(ofBlock: 0, row, column)
        return row == column ? sum + damping : sum
      }
    }
    var inverse: [[Double]] = (0..<count).map { row in (0..<count).map { row == $0 ? 1.0 : 0.0 } }
    for pivot in 0..<count {
      let divisor = matrix[pivot][pivot]
      for column in 0..<count {
        matrix[pivot][column] /= divisor
        inverse[pivot][column] /= divisor
      }
      for row in 0..<count where row != pivot {
        let factor = matrix[row][pivot]
        for column in 0..<count {
          matrix[row][column] -= factor * matrix[pivot][column]
          inverse[row][column] -= factor * inverse[pivot][column]
        }
      }
    }
    for first in 0..<count {
      for place in first + 1..<max(first + 1, count) {
        let expected = inverse[first][place] / inverse[first][first]
        let seen = Double(feedback.factors[place * count + first])
        #expect((seen - expected).magnitude < 1e-5 * max(1, expected.magnitude), "\(first), \(place)")
      }
      let eliminated = inverse[first]
      for row in first + 1..<max(first + 1, count) {
        let factor = inverse[row][first] / eliminated[first]
        for column in 0..<count { inverse[row][column] -= factor * eliminated[column] }
      }
    }
  }

  /// Not the threads, not the instruction set, not the batches: the codes depend on the pictures alone.
  @Test func codesAreTheSameEverywhere() throws {
    let model = try CompressTests.model()
    let pictures = try Self.pictures(6, seed: 5)
    func run(_ context: PassContext, threads: Int) throws -> Model {
      try Workers.$current.withValue(Workers(count: threads)) {
        try model.applying(Self.settings(convolutions: true), in: context)
      }
    }
    let expected = try run(Self.context([pictures]), threads: 1)
    let single = try (0..<6).map { index in
      try FeatureMap(
        count: 1, shape: pictures.shape,
        values: Array(pictures.values[index * pictures.shape.count..<(index + 1) * pictures.shape.count]))
    }
    var plain = Self.context([pictures])
    plain.engine.instructionSet = .portable
    for seen in [
      try run(Self.context([pictures]), threads: 3), try run(Self.context(single), threads: 2),
      try run(plain, threads: 2),
    ] {
      for tensor in expected.tensors where tensor.role == .weight {
        #expect(try Self.codes(seen, tensor.name) == Self.codes(expected, tensor.name), "\(tensor.name)")
      }
      #expect(seen.provenance == expected.provenance)
    }
  }

  /// The provenance says by which pictures.
  @Test func thePicturesAreDeclared() throws {
    let model = try CompressTests.model()
    func data(_ pictures: FeatureMap) throws -> CalibrationData {
      let passes = try model.applying(Self.settings(), in: Self.context([pictures])).provenance.passes
      guard case .quantize(let settings)? = passes.last, case .compensated(let data?) = settings.codeRounding
      else { throw EngineError.memory(byteCount: 0) }
      return data
    }
    let (one, other) = (try data(Self.pictures(2, seed: 6)), try data(Self.pictures(2, seed: 7)))
    #expect(one.pictureCount == 2 && one.sha256.count == 32 && one != other)
    #expect(try data(Self.pictures(2, seed: 6)) == one)
    // Of int8 there is nothing to declare.
    let int8 = Pass.quantize(Settings(.int8, codeRounding: .compensated(nil)))
    #expect(try model.applying(int8).provenance.passes == [.quantize(to: .int8)])
  }

  @Test func onlyLayersOfInt4AreLookedAt() throws {
    let model = try CompressTests.model()
    let context = Self.context([try Self.pictures(3, seed: 8)])
    let seen = try model.applying(Self.settings(keeping: ["fc7"]), in: context)
    #expect(seen.tensor("fc7/weight")?.quantization == nil)
    #expect(seen.tensor("conv3_1/weight")?.elementType == .code(.int8))
    let int8 = try model.applying(.quantize(to: .int8))
    #expect(try Self.codes(seen, "conv3_1/weight") == Self.codes(int8, "conv3_1/weight"))
  }

  /// Pictures that tell nothing, or that are none.
  @Test func uselessPicturesAreToldOf() throws {
    let model = try CompressTests.model()
    let shape = FeatureShape(extent: Extent(side: 64), channels: 3)
    for value in [0, -120] as [Float] {
      var warnings: [CalibrationWarning] = []
      var context = Self.context([
        try FeatureMap(count: 2, shape: shape, values: Array(repeating: value, count: 2 * shape.count))
      ])
      context.warn = { warnings.append($0) }
      _ = try model.applying(Self.settings(convolutions: true), in: context)
      #expect(warnings == [.uniformPictures])
    }
    var warnings: [CalibrationWarning] = []
    var context = Self.context([try Self.pictures(1, seed: 9)])
    context.warn = { warnings.append($0) }
    _ = try model.applying(Self.settings(), in: context)
    #expect(warnings == [.singlePicture])
    for (batches, code) in [
      ([], "calibrate.pictures"),
      (
        [try FeatureMap(count: 1, shape: shape, values: Array(repeating: .nan, count: shape.count))],
        "calibrate.nonfinite"
      ),
      ([try Self.pictures(1, seed: 1, side: 96)], "quantize.calibration_size"),
    ] as [([FeatureMap], String)] {
      let error = #expect(throws: FileError.self) {
        try model.applying(Self.settings(), in: Self.context(batches))
      }
      #expect(error?.code == code, "\(code)")
    }
  }

  /// Weights near the largest number, and ones so small that nothing is left of them: codes are defined whatever happens.
  @Test(arguments: [0x1p123, 0x1p-133] as [Float]) func extremeWeightsHaveCodes(_ magnitude: Float) throws {
    let model = try CompressTests.model()
    let extreme = model.mappingTensors { tensor in
      guard tensor.name == "fc8/weight" else { return tensor }
      let values: [Float] = (0..<tensor.count).map { index in
        let step = Float((index * 7919) % 17 - 8)
        return step / 8 * magnitude
      }
      return tensor.replacing(values: MemoryValues(values))
    }
    let seen = try? extreme.applying(Self.settings(), in: Self.context([Self.pictures(2, seed: 10)]))
    if let seen { #expect(try Self.codes(seen, "fc8/weight").allSatisfy { (-7...7).contains($0) }) }
    #expect(seen != nil || magnitude > 1)
  }

  /// Windows of a convolution are taken from all over the picture, each of them as the convolution reads it.
  @Test func windowsComeFromEverywhere() throws {
    let convolution = Convolution(kernel: Extent(side: 3), inputChannels: 2, outputChannels: 1)
    let sample = InputSample(layer: Layer(name: "conv", operation: .convolution(convolution)))
    let (side, channels) = (20, 2)
    let values = (0..<side * side * channels).map { Float($0 + 1) }
    let map = try FeatureMap(
      count: 1, shape: FeatureShape(extent: Extent(side: side), channels: channels), values: values)
    var seen: Set<Int> = []
    for picture in 0..<8 {
      let rows = try #require(sample.rows(of: map, firstPicture: picture))
      #expect(rows.count == 32 * 18)
      for start in stride(from: 0, to: rows.count, by: 18) {
        // The value in the middle tells where the window is.
        let pixel = (Int(rows[start + 8]) - 1) / channels
        seen.insert(pixel)
        for (index, value) in rows[start..<start + 18].enumerated() {
          let y = pixel / side + index / 6 - 1
          let x = pixel % side + index / 2 % 3 - 1
          let isInside = (0..<side).contains(y) && (0..<side).contains(x)
          #expect(value == (isInside ? values[(y * side + x) * channels + index % 2] : 0))
        }
      }
    }
    #expect(seen.count > 200)
    let quarters = Set(seen.map { ($0 / side / 10) * 2 + $0 % side / 10 })
    #expect(quarters.count == 4 && Set(seen.map { $0 / side }).count == side)
  }
}
