import Testing
import TestSupport
import VGGModel
import VGGTensors

@testable import VGGBoards

@Suite("Plans for boards")
struct PlanTests {
  @Test("VGG-16 runs in 0.9 MB, the digits' network in half of what TensorFlow Lite Micro takes")
  func figures() throws {
    let full = try BoardLayer.layers(of: Network(.d), for: Extent(side: 224))
    #expect(try #require(BoardPlan.front(of: full).first).arenaByteCount <= 900_000)
    let digits = try Network(
      .d, inputExtent: Extent(side: 64), widths: [8, 16, 32, 64, 64], denseWidths: [64, 64, 10])
    let layers = try BoardLayer.layers(of: digits, for: Extent(side: 64))
    #expect(try #require(BoardPlan.front(of: layers).first).arenaByteCount <= 38_584)
  }

  @Test(
    "Nothing is overwritten that is still needed, and nothing beside the arena is written", arguments: 0..<9)
  func replay(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let architecture = Architecture.allCases[seed % Architecture.allCases.count]
    let extent = Extent(
      height: Int.random(in: 32...70, using: &generator), width: Int.random(in: 32...50, using: &generator))
    let widths = (0..<5).map { _ in Int.random(in: 1...12, using: &generator) }
    let network = try Network(
      architecture, inputExtent: extent, inputChannels: 3, widths: widths, denseWidths: [9, 5])
    let layers = try BoardLayer.layers(of: network, for: extent)
    let window = seed % 3 == 0 ? try #require(layers.map(\.leastWindowByteCount).max()) : 0
    let front = BoardPlan.front(of: layers, windowByteCount: window)
    #expect(!front.isEmpty)
    for (plan, next) in zip(front, front.dropFirst()) {
      #expect(plan.arenaByteCount < next.arenaByteCount)
      #expect(plan.weightBytesRead > next.weightBytesRead)
    }
    for plan in front {
      var memory = ShadowMemory(network, try network.outputShapes(for: extent), extent, plan)
      #expect(memory.replay() == nil)
    }
  }

  @Test("A ring of one row less, or an output one unit nearer to its input, is found")
  func tooSmall() throws {
    let extent = Extent(side: 40)
    let network = try Network(.b, inputExtent: extent, widths: [4, 4, 4, 4, 4], denseWidths: [9, 5])
    let shapes = try network.outputShapes(for: extent)
    let plan = try #require(BoardPlan.front(of: BoardLayer.layers(of: network, for: extent)).first)
    var rings = 0
    for group in plan.groups {
      for map in group.layers.dropFirst() where plan.maps[map].rows > 1 {
        var smaller = plan
        smaller.maps[map].rows -= 1
        var memory = ShadowMemory(network, shapes, extent, smaller)
        #expect(memory.replay() != nil, "map \(map)")
        rings += 1
      }
    }
    #expect(rings > 0)
    var shorter = plan
    shorter.arenaByteCount -= 16
    var memory = ShadowMemory(network, shapes, extent, shorter)
    #expect(memory.replay() != nil)
  }
}

/// Who wrote each byte of the arena last: replays a plan from the network alone, layer by layer, and finds the first byte that is read
/// and not the one that is meant.
struct ShadowMemory {
  private let layers: [Layer]
  private let shapes: [FeatureShape]
  private let plan: BoardPlan
  /// The map, row and column of each byte, as one number; -1: nobody's.
  private var owners: [Int]

  init(_ network: Network, _ outputs: [FeatureShape], _ extent: Extent, _ plan: BoardPlan) {
    layers = network.layers
    shapes = [FeatureShape(extent: extent, channels: network.inputChannels)] + outputs
    self.plan = plan
    owners = Array(repeating: -1, count: plan.arenaByteCount)
  }

  private func bytes(_ map: Int, _ row: Int) -> Range<Int> {
    let length = shapes[map].extent.width * shapes[map].channels
    let start = plan.maps[map].offset + row % plan.maps[map].rows * length
    return start..<start + length
  }

  private mutating func write(_ map: Int, _ row: Int) -> Bool {
    let range = bytes(map, row)
    guard range.lowerBound >= 0, range.upperBound <= owners.count else { return false }
    for (place, byte) in range.enumerated() { owners[byte] = (map * 100_000 + row) * 100_000 + place }
    return true
  }

  private func holds(_ map: Int, _ row: Int) -> Bool {
    let range = bytes(map, row)
    guard range.lowerBound >= 0, range.upperBound <= owners.count else { return false }
    return range.enumerated().allSatisfy { owners[$1] == (map * 100_000 + row) * 100_000 + $0 }
  }

  /// The rows of input that a row of output reads.
  private func inputs(_ layer: Int, _ row: Int) -> [Int] {
    let height = shapes[layer].extent.height
    let rows: [Int]
    switch layers[layer].operation {
    case .convolution(let convolution):
      rows = (0..<convolution.kernel.height).map {
        row * convolution.stride.height + $0 * convolution.dilation.height - convolution.padding.height
      }
    case .pooling(let pooling):
      rows = (0..<pooling.kernel.height).map { row * pooling.stride.height + $0 - pooling.padding.height }
    case .dense: rows = Array(0..<height)
    case .normalization, .softmax, .sigmoid: rows = [row]
    }
    return rows.filter { 0..<height ~= $0 }
  }

  /// Runs the plan; what is wrong, or nil.
  mutating func replay() -> String? {
    for row in 0..<shapes[0].extent.height where !write(0, row) { return "the input is not in the arena" }
    for group in plan.groups {
      let last = group.layers.upperBound - 1
      let height = shapes[last + 1].extent.height
      var done = Array(repeating: 0, count: layers.count)
      for start in stride(from: 0, to: height, by: group.stripRows) {
        // Which rows of each layer's output this strip needs.
        var needed = [last: min(height, start + group.stripRows)]
        for layer in group.layers.dropLast().reversed() {
          let rows = (0..<(needed[layer + 1] ?? 0)).flatMap { inputs(layer + 1, $0) }
          needed[layer] = (rows.max() ?? -1) + 1
        }
        for layer in group.layers {
          // The room of kernels and weights is overwritten at any time.
          let rows = done[layer]..<max(done[layer], needed[layer] ?? 0)
          for row in rows {
            for input in inputs(layer, row) where !holds(layer, input) {
              return "\(layers[layer].name) has lost row \(input) for row \(row)"
            }
          }
          // All rows of a turn may be read, for one panel of channels after the other, while others are written.
          let isInPlace = plan.maps[layer].offset == plan.maps[layer + 1].offset && rows.count == 1
          for row in rows where !write(layer + 1, row) {
            return "\(layers[layer].name) writes beside the arena"
          }
          for row in rows {
            for input in inputs(layer, row) where !isInPlace && !holds(layer, input) {
              return "\(layers[layer].name) overwrites row \(input)"
            }
            if !holds(layer + 1, row) { return "\(layers[layer].name) overwrites its own row \(row)" }
          }
          done[layer] = rows.upperBound
          if !spoil(group, layer) { return "\(layers[layer].name) has no room" }
        }
      }
    }
    let output = layers.count
    for row in 0..<shapes[output].extent.height where !holds(output, row) { return "the output is lost" }
    return nil
  }

  /// Overwrites a layer's scratch and window.
  private mutating func spoil(_ group: BoardPlan.Group, _ layer: Int) -> Bool {
    let scratch = group.scratchOffset..<group.scratchOffset + scratchByteCounts[layer]
    let hasWeights = !layers[layer].tensorRequirements.isEmpty
    let window = group.windowOffset..<group.windowOffset + (hasWeights ? plan.windowByteCount : 0)
    for range in [scratch, window] where !range.isEmpty {
      guard range.upperBound <= owners.count else { return false }
      for byte in range { owners[byte] = -1 }
    }
    return true
  }

  /// The scratch of each layer, as the runtime says it.
  private var scratchByteCounts: [Int] {
    let network = Network(
      architecture: .a, inputChannels: shapes[0].channels, inputExtent: shapes[0].extent, layers: layers)
    return (try? BoardLayer.layers(of: network, for: shapes[0].extent).map(\.scratchByteCount)) ?? []
  }
}
