import TestSupport
import Testing
import VGGModel
import VGGTensors

@testable import VGGEngine

/// Plans of memory, held against what each layer needs while it runs.
@Suite struct MemoryPlanTests {
  /// While each layer runs, its input and its output lie in the memory and do not overlap; nothing smaller would do.
  @Test(arguments: 0..<40) func mapsThatLiveTogetherDoNotOverlap(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let extent = Extent(
      height: .random(in: 32...90, using: &random), width: .random(in: 32...90, using: &random))
    let architecture = Architecture.allCases[Int(seed) % 6]
    let dense = [[], [4], [300, 5], [70, 4000, 9]][Int(seed) % 4]
    let widths = (0..<5).map { _ in Int.random(in: 1...40, using: &random) }
    let network = try Network(architecture, inputExtent: extent, widths: widths, denseWidths: dense)
    let (batch, size) = (Int.random(in: 1...3, using: &random), [1, 2, 4][Int(seed) % 3])
    let plan = try MemoryPlan(of: network, for: extent, batch: batch, elementByteCount: size)

    let input = FeatureShape(extent: extent, channels: 3)
    let counts = try [input] + network.outputShapes(for: extent)
    #expect(plan.buffers.map(\.byteCount) == counts.map { $0.count * batch * size })
    #expect(plan.buffers.map(\.name) == ["input"] + network.layers.map(\.name))
    var (largest, largestLayer) = (0, "")
    for (step, layer) in network.layers.enumerated() {
      let alive = plan.buffers.filter { $0.lifetime.contains(step) }
      #expect(alive.contains(plan.buffers[step]) && alive.contains(plan.buffers[step + 1]))
      for (index, buffer) in alive.enumerated() {
        #expect(buffer.offset >= 0 && buffer.range.upperBound <= plan.peakByteCount)
        #expect(alive[..<index].allSatisfy { !$0.range.overlaps(buffer.range) }, "\(layer.name)")
      }
      #expect(alive.allSatisfy { $0.offset % size == 0 })
      let sum = alive.map(\.byteCount).reduce(0, +)
      if sum > largest { (largest, largestLayer) = (sum, layer.name) }
    }
    #expect(plan.peakByteCount == largest && plan.peakLayer == largestLayer)
  }

  @Test func papersNetwork() throws {
    let plan = try MemoryPlan(of: Network(.d), for: Extent(side: 224))
    #expect(plan.peakByteCount == 2 * 224 * 224 * 64 * 4 && plan.peakLayer == "conv1_2")
    #expect(plan.buffers[0].lifetime == 0...0 && plan.buffers.last?.lifetime == 21...21)
    let integers = try MemoryPlan(of: Network(.d), for: Extent(side: 224), batch: 2, elementByteCount: 1)
    #expect(integers.peakByteCount * 2 == plan.peakByteCount)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let network = try Network(.d)
    #expect(throws: ShapeError.self) { try MemoryPlan(of: network, for: Extent(side: 100)) }
    #expect(throws: ShapeError.self) {
      try MemoryPlan(of: network, for: Extent(side: 224), batch: 1 << 50)
    }
  }

  /// What is said of transformed weights is what preparing takes.
  @Test func transformedWeightsAreCounted() throws {
    let network = try Network(
      .a, inputExtent: Extent(side: 64), widths: [16, 32, 64, 128, 256], denseWidths: [])
    let extent = Extent(side: 64)
    var random = SeededGenerator(seed: 1)
    let model = try random.model(network)
    for instructionSet in InstructionSet.allCases where instructionSet.isAvailable {
      var options = EngineOptions(instructionSet: instructionSet)
      let stated = try options.transformedWeightByteCount(of: network, for: extent)
      let prepared = try PreparedNetwork(model, Preparation(options)).layers.map {
        ($0.method as? WinogradConvolution)?.weightByteCount ?? ($0.method as? DirectConvolution)?
          .weightByteCount ?? 0
      }
      #expect(stated == prepared.reduce(0, +) && stated > 0)
      options.savesMemory = true
      #expect(try options.transformedWeightByteCount(of: network, for: extent) == 0)
    }
    #expect(throws: ShapeError.self) {
      try EngineOptions().transformedWeightByteCount(of: network, for: Extent(side: 8))
    }
  }
}
