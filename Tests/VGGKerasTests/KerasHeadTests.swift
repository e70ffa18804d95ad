import TestSupport
import Testing
import VGGModel
import VGGSources
import VGGTensors

@testable import VGGKeras

/// What stands in front of the first convolution and behind the last one.
@Suite struct KerasHeadTests {
  static func pooling(_ model: Model) -> [Pooling] {
    model.network.layers.compactMap { if case .pooling(let pooling) = $0.operation { pooling } else { nil } }
  }

  @Test(arguments: [
    ("keras2_global_average.h5", Pooling.Method.average), ("keras2_full_global_average.h5", .average),
    ("keras2_full_global_max.h5", .maximum), ("keras3_global_max.weights.h5", .maximum),
  ])
  func poolingsOverTheWholeMap(_ name: String, _ method: Pooling.Method) throws {
    let model = try importedModel("keras_cases/\(name)")
    let pooling = Self.pooling(model)
    #expect(pooling.count == 6)
    #expect(pooling.last == Pooling(global: method))
    #expect(model.network.layers.map(\.name).contains("pool6"))
    #expect(model.decisions["head"]?.choice == "reads the \(method) of each channel")
    #expect(model.decisions["flatten-order"] == nil)
    let isFixed = name == "keras2_full_global_max.h5"
    #expect(model.network.inputExtent == Extent(side: isFixed ? 64 : 224))
    #expect((model.decisions["input-size"] == nil) == isFixed)
    var expected = try importedModel("bad/control_ok.h5").values()
    expected["fc6/weight"] = expected["fc6/weight"].map { Array($0.prefix(8 * 12)) }
    #expect(try model.values() == expected)
  }

  /// A base inside of a new model, with the first three convolutions frozen and so listed last.
  @Test(arguments: [1, 2, 3])
  func newHeads(_ count: Int) throws {
    let model = try importedModel("keras_cases/keras2_full_head_\(count).h5")
    let control = try importedModel("bad/control_ok.h5").values()
    let values = try model.values()
    for (name, numbers) in control where name.hasPrefix("conv") {
      #expect(values[name] == numbers, "\(name)")
    }
    #expect(values["fc8/bias"] == control["fc8/bias"])
    #expect(model.network.layers.suffix(count + 1).map(\.name) == Network.headNames(count))
    #expect(model.network.inputExtent == Extent(side: 64))
    #expect(model.provenance.dropped.isEmpty)
  }

  @Test func networksOfSeveralProcessors() throws {
    let model = try importedModel("keras_cases/keras2_multi_gpu.h5")
    #expect(try model.values() == importedModel("bad/control_ok.h5").values())
  }

  /// (pixel / 255 - mean) / sqrt(variance), written as (pixel - mean') * scale.
  @Test func scalingsOfTheInputBecomePreprocessing() throws {
    let model = try importedModel("keras_cases/keras3_full_scaled.h5")
    let rule = try #require(model.preprocessing)
    #expect(rule.channelOrder == .rgb)
    for (channel, (mean, variance)) in zip([0.5, 0.25, 0.125], [0.25, 0.0625, 4]).enumerated() {
      for pixel in [0.0, 100, 255] {
        let wanted = (pixel / 255 - mean) / variance.squareRoot()
        #expect(abs((pixel - rule.mean[channel]) * rule.scale[channel] - wanted) < 1e-12)
      }
    }
    #expect(model.decisions["preprocessing"]?.evidence.contains("rescaling, normalization") == true)
    #expect(model.decisions["augmentation"]?.evidence.contains("random_flip") == true)
    let bgr = try importedModel("keras_cases/keras3_full_scaled.h5") { $0.channelOrder = .bgr }
    #expect(bgr.preprocessing?.channelOrder == .bgr)
  }

  @Test func modelsOfAClassOfTheirOwnAreReadWhereTheirOrderIsKnown() throws {
    let model = try importedModel("keras_cases/keras3_attributes.weights.h5")
    #expect(try model.values() == importedModel("bad/control_ok.h5").values())
  }

  @Test(arguments: ["keras3_bfloat16_named", "keras3_bfloat16_integers"])
  func brainFloatsInAllForms(_ name: String) throws {
    let opaque = try importedModel("keras_cases/keras2_bfloat16.h5").values()
    #expect(try importedModel("keras_cases/\(name).weights.h5").values() == opaque)
  }
}

extension Network {
  /// The canonical names of a head with so many dense layers.
  fileprivate static func headNames(_ count: Int) -> [String] {
    ["fc6", "fc7"].prefix(count - 1) + ["fc8", "prob"]
  }
}
