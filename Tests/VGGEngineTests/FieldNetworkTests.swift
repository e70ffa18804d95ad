import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGInterchange
import VGGKeras
import VGGModel
import VGGSources
import VGGTensors

/// Files as people have them: beginnings of networks, nested and subclassed models, heads of all kinds. Each is read and
/// gives what the framework gave that wrote it.
@Suite struct FieldNetworkTests {
  static func model(_ name: String, head: HeadActivation? = nil) throws -> Model {
    let file = try MappedFile(path: fixture("field/\(name)"))
    var options = ImportOptions()
    options.headActivation = head
    return try KerasImporter.model(of: KerasSource(file), options: options)
  }

  static func input(_ name: String) throws -> FeatureMap {
    let array = try NumericArray(npy: MappedFile(path: fixture("field/\(name)")).bytes, file: name)
    return try FeatureMap(
      count: array.shape[0],
      shape: FeatureShape(
        extent: Extent(height: array.shape[1], width: array.shape[2]), channels: array.shape[3]),
      values: array.values())
  }

  /// The last layer's output by both engines.
  static func expect(
    _ model: Model, _ input: FeatureMap, gives expected: [Double], _ tolerance: Double = 2e-4
  )
    throws
  {
    for kind in EngineKind.allCases {
      let output = try EngineOptions(kind: kind, threadCount: 1).engine(for: model).run(input)
      let values = output.last.values
      #expect(values.count == expected.count)
      for (value, wanted) in zip(values, expected) {
        #expect(abs(Double(value) - wanted) <= tolerance * max(1, wanted.magnitude), "\(kind)")
      }
    }
  }

  static let structures = [
    "k2_deepface_age_full.h5", "k2_deepface_age_weights.h5", "k2_deepface_vggface_full.h5",
    "k2_deepface_vggface_weights.h5", "k2_nested_flatten_full.h5", "k2_nested_flatten_weights.h5",
    "k2_nested_truncated_full.h5", "k2_nested_truncated_weights.h5", "k2_pooling_avg_full.h5",
    "k2_pooling_avg_weights.h5", "k2_subclass_weights.h5", "k3_deepface_age.keras",
    "k3_deepface_age.weights.h5", "k3_deepface_vggface.keras", "k3_deepface_vggface.weights.h5",
    "k3_nested_flatten.keras", "k3_nested_flatten.weights.h5", "k3_nested_truncated.keras",
    "k3_nested_truncated.weights.h5", "k3_pooling_avg.keras", "k3_pooling_avg.weights.h5",
  ]

  @Test(arguments: structures)
  func structuresGiveWhatKerasGave(_ name: String) throws {
    let expected = try JSONDecoder().decode(
      [String: [Double]].self,
      from: Data(contentsOf: URL(filePath: fixture("field/keras-structures/expected.json"))))
    let key = ["_full.h5", "_weights.h5", ".weights.h5", ".keras"].reduce(name) { $0.replacing($1, with: "") }
    let model = try Self.model("keras-structures/\(name)")
    try Self.expect(
      model, try Self.input("keras-structures/input.npy"), gives: try #require(expected[key]))
    #expect(model.network.cut == (name.contains("truncated") ? "pool4" : nil))
    // What the file does not say is said to be assumed.
    let isWeightsOnly = name.hasSuffix("weights.h5")
    let assumed = model.provenance.decisions.filter {
      $0.subject == "head-activation" && $0.evidence.hasPrefix("assumed")
    }
    #expect(assumed.isEmpty == (!isWeightsOnly || !model.network.hasTop))
  }

  @Test(arguments: [
    ("k2_top_only_full.h5", "keras.top"), ("k2_top_only_weights.h5", "keras.top"),
    ("k3_top_only.keras", "keras.top"), ("k3_top_only.weights.h5", "keras.top"),
    ("k3_subclass.keras", "keras.config.class"), ("k3_subclass.weights.h5", "keras.order"),
  ])
  func whatCannotBeReadIsRefusedByName(_ name: String, _ code: String) throws {
    let error = try #require(throws: FileError.self) { try Self.model("keras-structures/\(name)") }
    #expect(error.code == code)
  }

  @Test(arguments: [
    ("vgg16_to_block4_conv3.h5", "VGG-16 (D) up to conv4_3"),
    ("vgg16_to_block4_pool.h5", "VGG-16 (D) up to pool4"),
    ("vgg16_to_block4_keras0.h5", "VGG-16 (D) up to pool4"),
    ("vgg16_to_block4_keras1.h5", "VGG-16 (D) up to pool4"),
    ("vgg19_to_block3_conv4.h5", "VGG-19 (E) up to conv3_4"),
    ("vgg19_to_block5_conv1.h5", "VGG-19 (E) up to conv5_1"), ("fer_2222.h5", "VGG-13 (B) up to pool4"),
  ])
  func beginningsAreReadAsWhatTheyAre(_ name: String, _ title: String) throws {
    #expect(try Self.model("truncated-vgg/\(name)").network.title == title)
  }

  @Test func aNetworkOfFourBlocksGivesItsClasses() throws {
    let model = try Self.model("truncated-vgg/fer_2222.h5")
    #expect(model.network.inputExtent == Extent(side: 48))
    let expected = try NumericArray(
      npy: MappedFile(path: fixture("field/truncated-vgg/fer_expected_prob.npy")).bytes, file: "expected")
    try Self.expect(
      model, try Self.input("truncated-vgg/fer_input.npy"), gives: try expected.values().map(Double.init),
      1e-6)
  }

  @Test(arguments: [
    ("avgpool_auto.h5", [0.0, 1, 0], nil as HeadActivation?), ("avgpool_named.h5", [0, 1, 0], nil),
    ("sixth_pool.h5", [0, 0, 1], nil), ("sigmoid_1.h5", [0.687343199034321], .sigmoid),
    ("sigmoid_1.h5", [0.7877276229703467], .linear),
  ])
  func headsGiveWhatTheyWereMadeFor(_ name: String, _ expected: [Double], _ head: HeadActivation?) throws {
    let model = try Self.model("heads-weights-only/\(name)", head: head)
    try Self.expect(model, try Self.input("heads-weights-only/input64.npy"), gives: expected)
  }

  @Test func aNetworkCutAtItsSecondHiddenLayerGivesFeatures() throws {
    let model = try Self.model("heads-weights-only/fc2_features.h5")
    #expect(model.network.head?.activation == .relu && model.network.classCount == nil)
    let output = try FastEngine(model).run(try Self.input("heads-weights-only/input64.npy"))
    guard case .features(let features) = output else {
      Issue.record("features have a ReLU")
      return
    }
    for (value, wanted) in zip(features.values, [0, 125.1817, 18.3148, 0, 0]) {
      #expect(abs(Double(value) - wanted) < 1e-3)
    }
  }

  /// Whether Flatten reorders a map whose channels come first is its own setting, in every generation.
  @Test(arguments: ["k3_first_flatten_last", "k3_first_flatten_first"], [".keras", "_full.h5"])
  func flatteningIsAsConfigured(_ name: String, _ ending: String) throws {
    let expected = try JSONDecoder().decode(
      [String: [Double]].self,
      from: Data(contentsOf: URL(filePath: fixture("field/flatten-order/expected.json"))))
    let model = try Self.model("flatten-order/\(name)\(ending)")
    try Self.expect(
      model, try Self.input("keras-structures/input.npy"), gives: try #require(expected[name]))
  }

  @Test func aFlattenThatMixesTheAxesIsRefused() throws {
    let error = try #require(throws: FileError.self) {
      try Self.model("flatten-order/k3_last_flatten_first.keras")
    }
    #expect(error.code == "keras.config.value" && error.place?.hasSuffix("data_format") == true)
  }

  @Test func aSingleOutputIsAskedFor() throws {
    let error = try #require(throws: FileError.self) { try Self.model("heads-weights-only/sigmoid_1.h5") }
    #expect(error.code == "model.head" && error.advice == "state it: --head-activation sigmoid or linear")
  }
}

extension EngineOutput {
  /// What the last layer gives.
  fileprivate var last: FeatureMap {
    switch self {
    case .classes(_, let map), .labels(_, let map), .values(let map), .features(let map): map
    }
  }
}
