import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import VGGCompress

/// What a search for precisions promises, whatever it is measured with.
@Suite struct PrecisionSearchTests {
  /// A model, and measures that are quick and hard on a search: distances of layers do not add up, and some are smaller together.
  private struct Bench {
    let model: Model
    let seed: UInt64
    let measures: PrecisionSearch.Measures

    init(seed: UInt64, _ change: (Model) throws -> Model = { $0 }) throws {
      model = try change(CompressTests.model(seed: seed))
      self.seed = seed
      let original = model
      measures = PrecisionSearch.Measures(
        distance: { (model) throws(FileError) in try Bench.distance(model, from: original, seed) },
        size: { (model) in Bench.size(model) })
    }

    private static func distance(_ model: Model, from original: Model, _ seed: UInt64) throws(FileError)
      -> Double
    {
      var (sum, mark) = (0.0, seed)
      for tensor in original.tensors where tensor.role == .weight {
        guard let stored = model.tensor(tensor.name) else { return .infinity }
        let distortion = try TensorDistortion(from: tensor, to: stored)
        sum += distortion.errorEnergy / distortion.signalEnergy
        mark = (mark ^ UInt64(stored.elementType.bitCount)) &* 0x9E37_79B9_7F4A_7C15
      }
      var generator = SeededGenerator(seed: mark)
      return sum == 0 ? 0 : sum * Double.random(in: 0.3...3, using: &generator)
    }

    static func size(_ model: Model) -> StoredSize {
      let tensors = model.tensors.map { tensor in
        (
          tensor.name,
          tensor.elementType.byteCount(of: tensor.count) + (tensor.quantization?.scaleCount ?? 0) * 4
        )
      }
      let passes = model.provenance.passes.reduce(100) { $0 + $1.description.utf8.count }
      return StoredSize(
        byteCount: tensors.reduce(passes) { $0 + $1.1 },
        tensorBytes: Dictionary(uniqueKeysWithValues: tensors))
    }

    func search(_ settings: QuantizationSettings = .init(.int4)) throws -> PrecisionSearch {
      try PrecisionSearch(of: model, by: settings, measures: measures)
    }
  }

  private static let convolutionsToo = QuantizationSettings(.int4, includesConvolutions: true)

  @Test(arguments: 1...6) func aLargerDistanceNeverGivesALargerFile(_ seed: UInt64) throws {
    for settings in [QuantizationSettings(.int4), Self.convolutionsToo] {
      var search = try Bench(seed: seed).search(settings)
      var (last, sizes): (Int, Set<Int>) = (.max, [])
      for step in 0...120 {
        let limit = step == 0 ? 0 : 1e-9 * Double.exp2Power(step)
        let plan = try search.plan(for: .distance(limit))
        #expect(plan.distance <= limit && plan.byteCount <= last, "\(seed), \(limit)")
        last = plan.byteCount
        sizes.insert(last)
      }
      // There is something to choose from.
      #expect(sizes.count > 5)
    }
  }

  @Test(arguments: 1...6) func aLargerSizeNeverGivesALargerDistance(_ seed: UInt64) throws {
    for settings in [QuantizationSettings(.int4), Self.convolutionsToo] {
      var search = try Bench(seed: seed).search(settings)
      let smallest = try search.plan(for: .distance(.greatestFiniteMagnitude)).byteCount
      let largest = try search.plan(for: .distance(0)).byteCount
      var (last, distances): (Double, Set<Double>) = (.infinity, [])
      for size in stride(from: smallest, through: largest + 50, by: max(1, (largest - smallest) / 150)) {
        let plan = try search.plan(for: .size(size))
        #expect(plan.byteCount <= size && plan.distance <= last, "\(seed), \(size)")
        last = plan.distance
        distances.insert(last)
      }
      #expect(distances.count > 5)
      #expect(try search.plan(for: .size(.max)).distance == 0)
      let error = try #require(throws: FileError.self) { try search.plan(for: .size(smallest - 1)) }
      #expect(error.code == "search.size" && error.seen == "\(smallest - 1)")
      #expect(error.allowed?.hasPrefix("at least \(smallest), at a distance of ") == true)
    }
  }

  /// Neither the budgets that were asked for before nor the threads matter.
  @Test func onlyTheBudgetDecides() throws {
    let bench = try Bench(seed: 9)
    var search = try bench.search()
    let budgets = [PrecisionBudget.distance(0.01), .size(9_000), .distance(0), .distance(0.5), .size(6_000)]
    for budget in budgets.reversed() + budgets {
      var fresh = try Workers.$current.withValue(Workers(count: 3)) { try bench.search() }
      #expect(try search.plan(for: budget).passes == fresh.plan(for: budget).passes, "\(budget)")
    }
  }

  @Test(arguments: 1...4) func thePassesGiveWhatWasMeasured(_ seed: UInt64) throws {
    let bench = try Bench(seed: seed)
    let settings = QuantizationSettings(
      .fp32, keeping: ["fc7", "conv2_1"], scaleRule: .largestMagnitude, groupLength: .of32,
      hasZeroPoints: true,
      includesConvolutions: seed % 2 == 0)
    var search = try bench.search(settings)
    for limit in [0, 1e-7, 1e-4, 1e-3, 1e-2, 1] {
      let plan = try search.plan(for: .distance(limit))
      let model = try bench.model.applying(plan.passes)
      #expect(try bench.measures.distance(model) == plan.distance)
      let size = Bench.size(model)
      #expect(size.byteCount == plan.byteCount)
      for layer in plan.layers {
        #expect(model.tensor("\(layer.name)/weight")?.elementType == layer.elementType)
        #expect(size.tensorBytes["\(layer.name)/weight"] == layer.byteCount)
        let isKept = ["fc7", "conv2_1"].contains(layer.name)
        #expect((layer.reason == .kept) == isKept && (!isKept || layer.precision == nil))
      }
    }
  }

  /// What one precision throughout gives can be had, up to what the file says of the passes.
  @Test(arguments: 1...6) func neverWorseThanOnePrecision(_ seed: UInt64) throws {
    let bench = try Bench(seed: seed)
    var search = try bench.search()
    for precision in [Precision.fp16, .int8, .int4] {
      let plain = try bench.model.applying(.quantize(to: precision))
      let (distance, size) = (try bench.measures.distance(plain), Bench.size(plain).byteCount)
      #expect(try search.plan(for: .distance(distance)).byteCount <= size + 500)
      #expect(try search.plan(for: .size(size + 500)).distance <= distance)
    }
  }

  @Test func theReasonsAreWhatWasMeasured() throws {
    let bench = try Bench(seed: 3)
    var search = try bench.search()
    let plan = try search.plan(for: .distance(1e-3))
    #expect(
      plan.layers.map(\.name)
        == bench.model.network.layers.filter { !$0.tensorRequirements.isEmpty }.map(\.name))
    for layer in plan.layers {
      func alone(_ precision: Precision?) throws -> Model {
        let tensor = try #require(bench.model.tensor("\(layer.name)/weight"))
        guard let precision else { return bench.model }
        let stored = try #require(bench.model.applying(.quantize(to: precision)).tensor(tensor.name))
        return bench.model.mappingTensors { $0.name == tensor.name ? stored : $0 }
      }
      #expect(try bench.measures.distance(alone(layer.precision)) == layer.distance)
      switch layer.reason {
      case .smallest: #expect(layer.precision == (layer.name.hasPrefix("fc") ? .int4 : .int8))
      case .next(let precision, let distance, let savedBytes):
        let (now, then) = (try alone(layer.precision), try alone(precision))
        #expect(try bench.measures.distance(then) == distance)
        #expect(Bench.size(now).byteCount - Bench.size(then).byteCount == savedBytes && savedBytes > 0)
      case .kept, .unsuitable: Issue.record("\(layer)")
      }
    }
    #expect(
      plan.layers.contains { $0.reason == .smallest } && plan.layers.contains { $0.reason != .smallest })
  }

  /// A weight beyond binary16, which no output need show.
  @Test func whatOverflowsIsNotChosen() throws {
    let bench = try Bench(seed: 1) { model in
      try model.mappingTensors { tensor in
        guard tensor.name == "conv1_2/weight" else { return tensor }
        var values = try tensor.values.array()
        values[5] = 1e6
        return tensor.replacing(values: MemoryValues(values))
      }
    }
    var blind = bench.measures
    blind.distance = { (model) throws(FileError) in
      model.tensor("conv1_2/weight")?.elementType == .code(.int8) ? 1 : 0
    }
    var search = try PrecisionSearch(of: bench.model, by: .init(.int4), measures: blind)
    let plan = try search.plan(for: .distance(0.5))
    #expect(plan.layers[1].precision == nil)
    #expect(
      plan.layers[1].reason
        == .next(
          .int8, distance: 1,
          savedBytes: try #require(
            { if case .next(_, _, let saved) = plan.layers[1].reason { saved } else { nil } }())))
    #expect(plan.layers.filter { $0.precision == nil }.count == 1)
  }

  /// Nothing gets more bits than it has.
  @Test(arguments: [Precision.bf16, .fp16, .int8, .int4]) func layersOnlyGetFewerBits(_ precision: Precision)
    throws
  {
    let bench = try Bench(seed: 2) { try $0.applying(.quantize(to: precision)) }
    var search = try bench.search()
    let plan = try search.plan(for: .distance(.greatestFiniteMagnitude))
    for layer in plan.layers where layer.precision != nil {
      let before = try #require(bench.model.tensor("\(layer.name)/weight")).elementType.bitCount
      #expect(layer.elementType.bitCount < before)
    }
    if precision == .int4 { #expect(plan.passes.isEmpty && plan.measuredCount == 1) }
    #expect(plan.byteCount <= Bench.size(bench.model).byteCount)
  }

  @Test func whatCannotBeSearchedIsRefused() throws {
    let bench = try Bench(seed: 1)
    let unknown = try #require(throws: FileError.self) { try bench.search(.init(.int4, keeping: ["fc9"])) }
    #expect(unknown.code == "quantize.layer" && unknown.seen == "fc9")
    let rule = try #require(throws: FileError.self) {
      try bench.search(.init(.int4, scaleRule: .percentile(0)))
    }
    #expect(rule.code == "quantize.percentile")
    // Outputs that are no numbers for the model itself.
    var measures = bench.measures
    measures.distance = { (_) throws(FileError) in .infinity }
    var search = try PrecisionSearch(of: bench.model, by: .init(.int4), measures: measures)
    for (budget, code) in [(PrecisionBudget.distance(2), "search.distance"), (.size(.max), "search.size")] {
      let error = try #require(throws: FileError.self) { try search.plan(for: budget) }
      #expect(error.code == code && error.allowed == "outputs that are finite numbers")
    }
    // What a measure throws is handed on.
    measures.distance = { (_) throws(FileError) in throw FileError(.fault, code: "x", file: "y", "z") }
    #expect(throws: FileError.self) {
      try PrecisionSearch(of: bench.model, by: .init(.int4), measures: measures)
    }
  }

  @Test func measurementsAreCounted() throws {
    let bench = try Bench(seed: 5)
    var (done, most) = (0, 0)
    var search = try PrecisionSearch(of: bench.model, by: .init(.int4), measures: bench.measures) {
      (done, most) = (done + 1, $0)
    }
    for limit in [0, 0.01, 1] {
      let plan = try search.plan(for: .distance(limit))
      #expect(plan.measuredCount == done && done <= most)
    }
  }
}

extension Double {
  /// 2 to the power of a quarter of a number of steps.
  fileprivate static func exp2Power(_ step: Int) -> Double {
    let fractions = [1, 1.189207115, 1.414213562, 1.681792831]
    return fractions[step % 4] * Double(sign: .plus, exponent: step / 4, significand: 1)
  }
}
