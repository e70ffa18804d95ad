import CVGGRules
import Foundation
import TestSupport
import Testing

/// The two rules make the codes that real runtimes made of the same integers, every one.
@Suite struct RuntimePeerTests {
  private static func weighted() throws -> [RecordedLayer] {
    try RecordedLayer.all("conv") + RecordedLayer.all("dense")
  }

  /// The scale of each output, rounded to float32 after each operation, in the order that is asked for.
  private func floatScales(
    _ layer: RecordedLayer, _ order: (Float, Float, Float) -> Float = { $0 * $1 / $2 }
  ) throws -> [Float] {
    let (scales, weights) = (try layer.floats("scales"), try layer.floats("weight_scales"))
    let computed = weights.map { order(scales[0], $0, scales[1]) }
    return weights.count == 1
      ? try Array(repeating: computed[0], count: layer.integers("bias").count) : computed
  }

  private func multipliers(_ layer: RecordedLayer) throws -> [VGRMultiplier] {
    let (scales, weights) = (try layer.floats("scales"), try layer.floats("weight_scales"))
    let computed = weights.map { vgr_tflm_multiplier(Double(scales[0]) * Double($0) / Double(scales[1])) }
    return weights.count == 1
      ? try Array(repeating: computed[0], count: layer.integers("bias").count) : computed
  }

  private func litertCodes(_ layer: RecordedLayer, _ scales: [Float]) throws -> [Int32] {
    let (zeroPoint, bounds) = (try layer.integers("zero_points")[1], try layer.integers("bounds"))
    return try layer.codes { vgr_requantize_litert($0, scales[$1], zeroPoint, bounds[0], bounds[1]) }
  }

  private func differences(_ codes: [Int32], _ layer: RecordedLayer, _ runtime: String) throws -> Int {
    let recorded = try layer.integers(runtime)
    try #require(recorded.count == codes.count)
    return zip(codes, recorded).count { $0 != $1 }
  }

  @Test func litert() throws {
    let layers = try Self.weighted()
    #expect(layers.count == 23)
    for layer in layers {
      let codes = try litertCodes(layer, floatScales(layer))
      #expect(try differences(codes, layer, "litert") == 0, "\(layer.name)")
      #expect(try differences(codes, layer, "onnxruntime") == 0, "\(layer.name)")
    }
  }

  /// LiteRT's reference follows this rule in convolutions only.
  @Test func tflm() throws {
    for layer in try Self.weighted() {
      let (factors, zeroPoint) = (try multipliers(layer), try layer.integers("zero_points")[1])
      let bounds = try layer.integers("bounds")
      let codes = try layer.codes { vgr_requantize_tflm($0, factors[$1], zeroPoint, bounds[0], bounds[1]) }
      #expect(try differences(codes, layer, "tflite_micro") == 0, "\(layer.name)")
      if layer.name.hasPrefix("conv") {
        #expect(try differences(codes, layer, "litert_reference") == 0, "\(layer.name)")
      }
    }
  }

  @Test func softmax() throws {
    let layers = try RecordedLayer.all("softmax")
    #expect(layers.count == 7)
    for layer in layers {
      let (classes, scale) = (try layer.shape("input")[1], try layer.floats("scales")[0])
      let codes = try layer.integers("input").map { Int8($0) }
      let floats = (0..<VGRDifferenceCount).map { Float(exp(Double(-scale * Float($0)))) }
      var exponentials = [Int32](repeating: 0, count: VGRDifferenceCount)
      vgr_tflm_softmax_table(scale, &exponentials)
      var (litert, tflm): ([Int8], [Int8]) = ([], [])
      for start in stride(from: 0, to: codes.count, by: classes) {
        let row = Array(codes[start..<start + classes])
        var made = row
        vgr_softmax_litert(floats, row, &made, classes)
        litert += made
        vgr_softmax_tflm(exponentials, row, &made, classes)
        tflm += made
      }
      #expect(try differences(litert.map { Int32($0) }, layer, "litert") == 0, "\(layer.name)")
      #expect(try differences(tflm.map { Int32($0) }, layer, "tflite_micro") == 0, "\(layer.name)")
    }
  }

  /// Were the layers too easy, either rule would do, and any order of a scale's operations.
  @Test func theLayersTellTheRulesApart() throws {
    let unequal = try Self.weighted().filter { try $0.integers("litert") != $0.integers("tflite_micro") }
    #expect(unequal.count >= 8)
    let layer = try #require(try RecordedLayer.all("dense_orders").first)
    let orders: [(Float, Float, Float) -> Float] = [
      { $0 * ($1 / $2) }, { $0 / $2 * $1 }, { $0 * $1 * (1 / $2) },
      { Float(Double($0) * Double($1) / Double($2)) },
    ]
    for order in orders {
      #expect(try differences(litertCodes(layer, floatScales(layer, order)), layer, "litert") >= 20)
    }
  }
}
