import TestSupport
import Testing
import VGGConv
import VGGEngine
import VGGModel
import VGGTensors

/// What is measured of a run, with a clock that goes on by one second each time that it is read.
@Suite struct BenchmarkTests {
  @Test(arguments: EngineKind.allCases)
  func timesAreThoseOfTheClock(_ kind: EngineKind) throws {
    let opened = try OpenedModel(fixture("keras/vgg_d_digits.h5"))
    let benchmark = try Benchmark(opened, options: EngineOptions(kind: kind, threadCount: 1))
    #expect(
      benchmark.extent == opened.model.network.inputExtent && benchmark.options.extent == benchmark.extent)
    var now = 0.0
    let times = try benchmark.measure(batch: 2, passes: 3) {
      now += 1
      return now
    }
    #expect(times.batch == 2 && times.passes.count == 3)
    #expect(times.layers.map(\.name) == opened.model.network.layers.map(\.name))
    // All passes take the same time, all of it but the last step in one of the layers.
    #expect(times.passes.allSatisfy { $0 == times.minimum } && times.median == times.minimum)
    #expect(times.layers.reduce(1) { $0 + $1.seconds } == times.minimum)
    #expect(times.layers.allSatisfy { $0.seconds >= 1 })
  }

  @Test func operationsAreCountedForTheBatch() throws {
    let opened = try OpenedModel(fixture("keras/vgg_d_digits.h5"))
    let benchmark = try Benchmark(opened, options: EngineOptions(threadCount: 1))
    var now = 0.0
    let times = try benchmark.measure(batch: 3, passes: 1) {
      now += 0.5
      return now
    }
    let costs = try opened.model.network.costs(for: benchmark.extent)
    #expect(times.layers.count == costs.layers.count)
    for (layer, cost) in zip(times.layers, costs.layers) {
      #expect(layer.operations == 6 * Double(cost.multiplyAccumulateCount), "\(layer.name)")
      #expect(layer.operationsPerSecond == layer.operations / layer.seconds)
      #expect((layer.weightBytes != nil) == layer.name.hasPrefix("fc"))
      #expect(layer.nonzeroInputs.map { (0...1).contains($0) } ?? !layer.name.hasPrefix("fc"))
    }
  }
  /// Dense layers slide over larger pictures, so that each gives a map.
  @Test func denseLayersOnLargerPicturesAreCountedForEachPlace() throws {
    let opened = try OpenedModel(fixture("keras/vgg_d_digits.h5"))
    func fc7(_ extent: Extent?) throws -> RunTimes.Layer? {
      var now = 0.0
      let benchmark = try Benchmark(opened, options: EngineOptions(threadCount: 1), extent: extent)
      let times = try benchmark.measure(passes: 1) {
        now += 1
        return now
      }
      return times.layers.first { $0.name == "fc7" }
    }
    let (own, larger) = (try #require(try fc7(nil)), try #require(try fc7(Extent(height: 64, width: 96))))
    #expect(larger.operations == 2 * own.operations && larger.weightBytes == own.weightBytes)
  }
}
