import TestSupport
import Testing
import VGGBytes
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

/// What all passes have in common: they are declared, and may use what the context lends.
@Suite struct PassTests {
  @Test(arguments: [
    Pass.quantize(to: .fp32), .quantize(to: .fp16, keeping: ["conv1_1", "fc8"]), .quantize(to: .bf16),
    .quantize(to: .int8, keeping: ["fc6"]), .prune(fraction: 0.25), .dropDense,
    .quantize(.init(.int8, scaleRule: .percentile(99.9), int8Scales: .tensor)),
    .quantize(.init(.int4, keeping: ["fc8"], groupLength: .of128, hasZeroPoints: true)),
  ])
  func aPassDeclaresWhatWasAskedFor(_ pass: Pass) throws {
    var model = try CompressTests.model()
    model.provenance.passes = [.unknown("earlier")]
    let result = try model.applying(pass)
    var expected = model.provenance
    expected.passes.append(pass)
    #expect(result.provenance == expected)
  }

  @Test func layersToKeepAreDeclaredOnceAndInOrder() throws {
    let model = try CompressTests.model().applying(.quantize(to: .int8, keeping: ["fc8", "conv1_1", "fc8"]))
    #expect(model.provenance.passes == [.quantize(to: .int8, keeping: ["conv1_1", "fc8"])])
  }

  @Test func whatCountsForNothingIsNotDeclared() throws {
    let model = try CompressTests.model()
    for (given, declared) in [
      (
        QuantizationSettings(.bf16, scaleRule: .percentile(-3), groupLength: .of32, hasZeroPoints: true),
        QuantizationSettings(.bf16)
      ),
      (
        QuantizationSettings(.int8, scaleRule: .largestMagnitude, includesConvolutions: true),
        QuantizationSettings(.int8, scaleRule: .largestMagnitude)
      ),
    ] {
      #expect(try model.applying(.quantize(given)).provenance.passes == [.quantize(declared)])
    }
  }

  @Test(arguments: [
    (Pass.unknown("improve"), "pass.unknown", "improve"),
    (.quantize(to: .int8, keeping: ["fc9"]), "quantize.layer", "fc9"),
    (.quantize(to: .int8, keeping: ["pool1"]), "quantize.layer", "pool1"),
    (.quantize(.init(.int4, scaleRule: .percentile(0))), "quantize.percentile", "0.0"),
    (.quantize(.init(.int8, scaleRule: .percentile(101))), "quantize.percentile", "101.0"),
    (.quantize(.init(.int8, scaleRule: .percentile(.nan))), "quantize.percentile", "nan"),
    (.prune(fraction: 1.5), "prune.fraction", "1.5"), (.prune(fraction: -0.1), "prune.fraction", "-0.1"),
    (.prune(fraction: .nan), "prune.fraction", "nan"),
  ])
  func whatCannotBeDoneIsRefused(_ pass: Pass, _ code: String, _ seen: String) throws {
    let model = try CompressTests.model()
    let error = try #require(throws: FileError.self) { try model.applying([.prune(fraction: 0.1), pass]) }
    #expect(error.kind == .unsupported && error.code == code && error.seen == seen)
  }

  /// Says in its result that nothing was done, or something else.
  private struct Liar: ModelPass {
    let claims: [Pass]
    let declaration = Pass.unknown("lie")

    func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
      var model = model
      model.provenance.passes = claims
      model.provenance.sourceName = "somewhere else"
      return model
    }
  }

  @Test(arguments: [[], [Pass.dropDense]])
  func noPassWritesProvenanceItself(_ claims: [Pass]) throws {
    let model = try CompressTests.model().applying(.quantize(to: .bf16))
    let result = try model.applying(Liar(claims: claims))
    #expect(result.provenance.passes == [.quantize(to: .bf16), .unknown("lie")])
    #expect(result.provenance.sourceName == "test")
  }

  /// Leaves out some outputs of fc7, and with them the inputs of fc8.
  private struct Narrowing: ModelPass {
    let width: Int
    var declaration: Pass { .unknown("narrow to \(width)") }

    func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
      do {
        let network = try CompressTests.network(denseWidths: [40, width, 10])
        let tensors = try network.tensorRequirements.map { requirement in
          let tensor = try #require(model.tensor(requirement.name))
          let (old, new) = (
            tensor.shape[tensor.shape.count - 1], requirement.shape[requirement.shape.count - 1]
          )
          let values = try tensor.values.array().enumerated().filter { $0.offset % old < new }.map(\.element)
          return Tensor(
            name: tensor.name, role: tensor.role, shape: requirement.shape,
            values: MemoryValues(Array(values.prefix(requirement.shape.reduce(1, *)))))
        }
        return try Model(
          network: network, tensors: tensors, preprocessing: nil, provenance: model.provenance)
      } catch {
        throw FileError(.fault, code: "test", file: "test", "\(error)")
      }
    }
  }

  @Test func aPassMayChangeShapes() throws {
    let model = try CompressTests.model().applying(Narrowing(width: 7)).applying(.prune(fraction: 0.5))
    #expect(model.tensor("fc7/weight")?.shape == [40, 7] && model.tensor("fc8/weight")?.shape == [7, 10])
    #expect(model.provenance.passes == [.unknown("narrow to 7"), .prune(fraction: 0.5)])
    _ = try EngineOptions().engine(for: model).run(Self.pictures(seed: 1))
  }

  /// Divides the first layer by its largest output.
  private struct Normalizing: ModelPass {
    let declaration = Pass.unknown("normalise conv1_1")

    func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
      let factor = 1 / (try largestOutput(of: model, in: context))
      return model.mappingTensors { tensor in
        guard tensor.name.hasPrefix("conv1_1/") else { return tensor }
        return tensor.replacing(values: ScaledValues(base: tensor.values, factor: factor))
      }
    }

    /// The largest output of conv1_1 over the calibration pictures; one number for each batch goes through a scratch file.
    func largestOutput(of model: Model, in context: PassContext) throws(FileError) -> Float {
      let count = context.calibration.count
      let scratch = try ScratchFile(
        byteCount: count * MemoryLayout<Float>.size, in: context.scratchFolder, for: "test")
      let maxima = scratch.mutableBytes.bindMemory(to: Float.self)
      do throws(EngineError) {
        let engine = try context.engine.engine(for: model)
        for index in 0..<count {
          _ = try engine.run(context.calibration.batch(index)) { layer, output in
            if layer.name == "conv1_1" { maxima[index] = output.values.max() ?? 0 }
          }
        }
      } catch {
        throw FileError(error, file: model.provenance.sourceName)
      }
      return maxima.max() ?? 0
    }
  }

  private struct ScaledValues: PointwiseValues {
    let base: any TensorValues
    let factor: Float

    func transform(_ run: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
      for index in run.indices { run[index] *= factor }
    }
  }

  private static func pictures(seed: UInt64) throws -> FeatureMap {
    var generator = SeededGenerator(seed: seed)
    let shape = FeatureShape(extent: Extent(side: 64), channels: 3)
    return try FeatureMap(
      count: 1, shape: shape,
      values: (0..<shape.count).map { _ in Float.random(in: 0...255, using: &generator) })
  }

  @Test(arguments: EngineKind.allCases)
  func aPassMayRunTheModelOnCalibrationPictures(_ kind: EngineKind) throws {
    let batches = try (1...3).map { try Self.pictures(seed: $0) }
    let context = PassContext(engine: EngineOptions(kind: kind), calibration: PictureBatches(batches))
    let model = try CompressTests.model()
    let before = try Normalizing().largestOutput(of: model, in: context)
    #expect(before > 100)
    let result = try model.applying(Normalizing(), in: context)
    #expect((try Normalizing().largestOutput(of: result, in: context) - 1).magnitude < 1e-4)
    #expect(result.provenance.passes == [Normalizing().declaration])
  }

  @Test func errorsOfWhatIsLentAreTheFiles() throws {
    let model = try CompressTests.model()
    let wrong = try FeatureMap(
      count: 1, shape: FeatureShape(extent: Extent(side: 2), channels: 3),
      values: Array(repeating: 0, count: 12))
    let shape = try #require(throws: FileError.self) {
      try model.applying(Normalizing(), in: PassContext(calibration: PictureBatches([wrong])))
    }
    #expect(shape.code == "engine.shape" && shape.file == "test")
    let scratch = try #require(throws: FileError.self) {
      try model.applying(
        Normalizing(),
        in: PassContext(calibration: PictureBatches([wrong]), scratchFolder: "/nonexistent"))
    }
    #expect(scratch.code == "scratch.create")
  }
}
