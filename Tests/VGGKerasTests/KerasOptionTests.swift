import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

@testable import VGGKeras

/// What a user decides counts more than the evidence.
@Suite struct KerasOptionTests {
  @Test func rotationCanBeOverridden() throws {
    let control = try importedModel("bad/control_ok.h5").values()
    // Theano's file without rotation is the control rotated: 3x3 kernels read backwards.
    let unrotated = try importedModel("keras_cases/keras1_th_theano.h5") { $0.kernelsAreRotated = false }
    #expect(unrotated.decisions["kernel-flip"]?.choice == "no")
    #expect(unrotated.decisions["kernel-flip"]?.evidence == "asked for")
    let shape = try #require(unrotated.tensor("conv1_1/weight")?.shape)
    let (kernel, wanted) = try (
      #require(unrotated.values()["conv1_1/weight"]), #require(control["conv1_1/weight"])
    )
    let (taps, perTap) = (shape[0] * shape[1], shape[2] * shape[3])
    for tap in 0..<taps {
      let other = taps - 1 - tap
      #expect(
        Array(kernel[tap * perTap..<(tap + 1) * perTap])
          == Array(wanted[other * perTap..<(other + 1) * perTap]))
    }
    let rotated = try importedModel("bad/control_ok.h5") { $0.kernelsAreRotated = true }
    #expect(try rotated.values()["conv1_1/weight"] == kernel)
  }

  @Test func flattenOrderCanBeOverridden() throws {
    let control = try importedModel("bad/control_ok.h5").values()
    let model = try importedModel("keras_cases/keras1_th_theano.h5") { $0.flattenOrder = .hwc }
    #expect(model.decisions["flatten-order"]?.evidence == "asked for")
    #expect(try model.values()["fc6/weight"] != control["fc6/weight"])
    #expect(try model.values()["fc7/weight"] == control["fc7/weight"])
    // And back: taken as C,H,W, rows of the control move; row c*4 + pixel becomes row pixel*8 + c.
    let moved = try #require(
      try importedModel("bad/control_ok.h5") { $0.flattenOrder = .chw }.values()["fc6/weight"])
    let rows = try #require(control["fc6/weight"])
    for channel in 0..<8 {
      for pixel in 0..<4 {
        let (from, to) = ((channel * 4 + pixel) * 12, (pixel * 8 + channel) * 12)
        #expect(moved[to..<to + 12].elementsEqual(rows[from..<from + 12]))
      }
    }
  }

  @Test func channelOrderCanBeOverridden() throws {
    let model = try importedModel("keras/vgg_b.h5") { $0.channelOrder = .rgb }
    #expect(model.preprocessing?.channelOrder == .rgb)
    #expect(model.preprocessing?.mean == [123.68, 116.779, 103.939])
    #expect(model.decisions["preprocessing"]?.evidence.hasSuffix("channel order asked for") == true)
  }

  @Test func nonFiniteNumbersCanBeAllowed() throws {
    let model = try importedModel("bad/nan_inf.h5") { $0.allowsNonFinite = true }
    let values = try #require(try model.values()["conv3_1/weight"])
    let firstIndex = values.firstIndex { $0.isNaN }
    #expect(firstIndex == 64)
  }

  @Test func normalisationWithoutANamedLayerIsTheUsersWord() throws {
    let model = try importedModel("bad/control_ok.h5") { $0.normalization = .paper }
    #expect(model.network.architecture == .aLRN)
    #expect(model.decisions["normalization"]?.evidence == "asked for; the file names no such layer")
    let configured = try importedModel("keras_cases/keras2_full_lrn.h5") { $0.normalization = .paper }
    #expect(configured.network.architecture == .aLRN)
    #expect(configured.decisions["normalization"]?.evidence.contains("normalise") == true)
    // A Lambda between the first convolution and its pooling is taken for it once its constants are stated.
    let lambda = try importedModel("keras_cases/bad_lambda_inside.h5") { $0.normalization = .paper }
    #expect(lambda.network.architecture == .aLRN)
  }

  /// Flip, flatten order and channel order are three switches, whatever the generation: all eight settings of each.
  @Test(arguments: KerasGenerationTests.cases)
  func allEightSettings(_ item: KerasGenerationTests.Case) throws {
    let control = try importedModel("bad/control_ok.h5")
    let automatic = try importedModel("keras_cases/\(item.name)").decisions
    for flip in [false, true] {
      for order in [FlattenOrder.hwc, .chw] {
        for channels in [Preprocessing.ChannelOrder.bgr, .rgb] {
          let model = try importedModel("keras_cases/\(item.name)") {
            ($0.kernelsAreRotated, $0.flattenOrder, $0.channelOrder) = (flip, order, channels)
          }
          let isTurned = (automatic["kernel-flip"]?.choice == "yes") != flip
          let storedOrder = automatic["flatten-order"]?.choice
          for tensor in control.tensors {
            var wanted = try tensor.values.array()
            if tensor.shape.count == 4, isTurned { wanted = Self.rotated(wanted, taps: 9) }
            if tensor.name == "fc6/weight", storedOrder != order.rawValue {
              wanted = Self.reordered(wanted, channels: 8, pixels: 4, asCHW: order == .chw)
            }
            #expect(
              try model.tensor(tensor.name)?.values.array() == wanted, "\(flip) \(order) \(tensor.name)")
          }
          #expect(model.preprocessing?.channelOrder == channels)
          #expect(model.decisions["kernel-flip"]?.evidence == "asked for")
        }
      }
    }
  }

  /// The architecture and a normalisation asked for count in every generation.
  @Test(arguments: KerasGenerationTests.cases)
  func architectureAndNormalisation(_ item: KerasGenerationTests.Case) throws {
    let name = "keras_cases/\(item.name)"
    let error = try #require(throws: FileError.self) { try importedModel(name) { $0.architecture = .e } }
    #expect(error.code == "model.architecture" && error.seen == "A" && error.allowed == "E")
    let normalized = try importedModel(name) { ($0.architecture, $0.normalization) = (.aLRN, .paper) }
    #expect(normalized.network.architecture == .aLRN)
  }

  /// The taps of a kernel in the opposite order.
  private static func rotated(_ values: [Float], taps: Int) -> [Float] {
    let length = values.count / taps
    return (0..<taps).reversed().flatMap { values[$0 * length..<($0 + 1) * length] }
  }

  /// Rows in the order row, column, channel taken for channel, row, column, or the other way round.
  private static func reordered(_ values: [Float], channels: Int, pixels: Int, asCHW: Bool) -> [Float] {
    let length = values.count / (channels * pixels)
    var result = values
    for channel in 0..<channels {
      for pixel in 0..<pixels {
        let (chw, hwc) = (channel * pixels + pixel, pixel * channels + channel)
        let (from, to) = asCHW ? (chw, hwc) : (hwc, chw)
        result.replaceSubrange(
          to * length..<(to + 1) * length, with: values[from * length..<(from + 1) * length])
      }
    }
    return result
  }
}
