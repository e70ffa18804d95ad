import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGModel
import VGGTensors
import VGGVerify

@Suite struct RecordedActivationsTests {
  /// What the engine computes, as another program would record it.
  private func recording(_ sample: Sample, channelsFirst: Bool) throws -> [RecordedActivations.Array] {
    let input = try VerificationInputs.generated(for: sample.network, preprocessing: nil, seed: 1)
    func array(_ name: String, _ map: FeatureMap) -> RecordedActivations.Array {
      let (height, width, channels) = (map.shape.extent.height, map.shape.extent.width, map.shape.channels)
      let values = map.values
      if height * width == 1 { return .init(name: name, shape: [map.count, channels], values: values) }
      guard channelsFirst else {
        return .init(name: name, shape: [map.count, height, width, channels], values: values)
      }
      var reordered: [Float] = []
      for picture in 0..<map.count {
        for channel in 0..<channels {
          for pixel in 0..<height * width {
            reordered.append(values[(picture * height * width + pixel) * channels + channel])
          }
        }
      }
      return .init(name: name, shape: [map.count, channels, height, width], values: reordered)
    }
    var arrays = [array("input", input)]
    _ = try ReferenceEngine(sample.source()).run(input) { layer, map in
      let name = channelsFirst ? layer.name : kerasName(layer.name)
      arrays.append(array(name, map))
    }
    return arrays
  }

  private func kerasName(_ name: String) -> String {
    let names = ["fc6": "fc1", "fc7": "fc2", "fc8": "logits", "prob": "predictions"]
    if let known = names[name] { return known }
    if name.hasPrefix("pool") { return "block\(name.dropFirst(4))_pool" }
    return "block" + name.dropFirst(4).replacing("_", with: "_conv")
  }

  @Test(arguments: [false, true])
  func recordingsOfOtherProgramsAreUnderstood(_ channelsFirst: Bool) throws {
    let sample = try Sample()
    let recorded = try RecordedActivations(
      recording(sample, channelsFirst: channelsFirst), of: sample.network, file: "r.npz")
    let verification = try sample.verify(sample.native(), recording: recorded)
    #expect(verification.verdict == .exact, "\(verification.reasons)")
    #expect(verification.recorded.count == sample.network.layers.count)
    #expect(verification.recorded.allSatisfy { $0.error.relativeError < 1e-5 })
    let reference = try sample.verify(
      sample.native(), recording: recorded, options: EngineOptions(kind: .reference))
    #expect(reference.verdict == .exact && reference.recorded.allSatisfy { $0.error.largestError == 0 })
  }

  @Test func aWrongRecordingIsADifference() throws {
    let sample = try Sample()
    var arrays = try recording(sample, channelsFirst: false)
    let index = try #require(arrays.firstIndex { $0.name == "block4_conv2" })
    arrays[index].values[5] += 1000
    let recorded = try RecordedActivations(arrays, of: sample.network, file: "r.npz")
    let verification = try sample.verify(sample.native(), recording: recorded)
    #expect(verification.verdict == .different)
    #expect(verification.reasons.first?.hasPrefix("conv4_2: differs from the recorded") == true)
  }

  @Test func arraysThatCannotBeComparedAreErrors() throws {
    let sample = try Sample()
    let arrays = try recording(sample, channelsFirst: false)
    func code(_ arrays: [RecordedActivations.Array]) -> String? {
      #expect(throws: FileError.self) { try RecordedActivations(arrays, of: sample.network, file: "r.npz") }?
        .place
    }
    #expect(code(Array(arrays.dropFirst())) == "array input")
    #expect(code([arrays[0]]) == "array input")
    #expect(
      code(arrays + [.init(name: "fc9", shape: [3, 10], values: Array(repeating: 0, count: 30))])
        == "array fc9")
    var wrong = arrays
    wrong[1].shape[3] = 9
    #expect(code(wrong) == "array \(wrong[1].name)")
  }
}
