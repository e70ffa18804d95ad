import Testing
import VGGModel
import VGGTensors

/// The words of decisions stand in files that are compared byte by byte.
@Suite struct DecisionTests {
  typealias Kind = Provenance.Decision.Kind

  static let words: [(Kind, String, String)] = [
    (.kernelLayout(.oihw), "kernel-layout", "OIHW"),
    (.kernelFlip(true), "kernel-flip", "yes"),
    (.flattenOrder(.hwc), "flatten-order", "hwc"),
    (.quantization("int8", layers: ["fc1", "fc2"]), "quantization", "int8 in fc1, fc2"),
    (.layerOrder(first: "conv1_1", last: "fc8"), "layer-order", "conv1_1 to fc8"),
    (.network(NetworkPrefix(whole: .d)), "network", "VGG-16 (D)"),
    (.inputSize(Extent(side: 224)), "input-size", "224x224"),
    (.poolings([2, 4]), "poolings", "behind convolutions 2, 4"),
    (.poolings([]), "poolings", "none"),
    (.poolingRounding(nil), "pooling-rounding", "as each layer says"),
    (.headPooling(.window(.average)), "head-pooling", "the average of 2x2 pixels"),
    (.headOfWholeMap(.maximum), "head", "reads the maximum of each channel"),
    (.headActivation(.sigmoid), "head-activation", "sigmoid"),
    (.linearLayers(["fc1"]), "activation", "none behind fc1"),
    (
      .localResponseNormalization(.stated(.paper)), "normalization",
      "size 5, scale 0.0001, beta 0.75, k 2.0"
    ),
    (
      .localResponseNormalization(.statedForCaffe(.paper)), "normalization",
      "size 5, scale 0.0001 for each element, beta 0.75, k 2.0"
    ),
    (
      .localResponseNormalization(.caffe(alpha: 0.0005, elementCount: 5)), "normalization",
      "alpha 0.0005 divided by 5"
    ),
    (.normalizationSpread(.varianceRoot), "normalization-spread", "variance, epsilon outside the root"),
    (.normalizationEpsilon(0.001), "normalization-epsilon", "0.001"),
    (.normalizationOrder(.behindPooling), "normalization-order", "behind the poolings"),
    (.foldedNormalizations(layerCount: 13), "batch-normalization", "folded into 13 layers"),
    (
      .preprocessing(.released(for: nil), isAssumed: true), "preprocessing",
      "assumed: bgr less [103.939, 116.779, 123.68], times 1.0"
    ),
    (.preprocessing(nil, isAssumed: false), "preprocessing", "unknown"),
    (.labels(1000), "labels", "1000 names of classes"),
    (.skippedFields(["a", "b"]), "prototxt-fields", "skipped: a, b"),
    (.trainingLayers(["loss"]), "training-layers", "left out: loss"),
  ]

  @Test(arguments: words.indices)
  func areInWords(_ index: Int) {
    let (kind, subject, choice) = Self.words[index]
    let decision = Provenance.Decision(kind, because: "")
    #expect(decision.subject == subject)
    #expect(decision.choice == choice)
  }

  /// A file has words; what the program needs of them is what it was.
  @Test func whatTheProgramNeedsIsReadBack() {
    for kind in [Kind.foldedMeanAndScale, .foldedChannelOrder(.rgb), .kernelFlip(true)] {
      let written = Provenance.Decision(kind, because: "asked for")
      let read = Provenance.Decision(recorded: written.subject, written.choice, because: "asked for")
      #expect(read == written)
      #expect((read.kind == kind) == (kind != .kernelFlip(true)))
    }
    #expect(
      Provenance.Decision(recorded: "fold-channel-order", "purple", because: "").kind
        == .recorded(subject: "fold-channel-order", choice: "purple"))
  }
}
