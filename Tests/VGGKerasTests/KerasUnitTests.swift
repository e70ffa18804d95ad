import JSONKit
import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

@testable import VGGKeras

@Suite struct KerasUnitTests {
  /// What `keras.src.utils.naming.to_snake_case` gives.
  @Test(arguments: [
    ("Conv2D", "conv2d"), ("MaxPooling2D", "max_pooling2d"), ("Dense", "dense"),
    ("InputLayer", "input_layer"),
    ("GlobalAveragePooling2D", "global_average_pooling2d"), ("BatchNormalization", "batch_normalization"),
    ("ZeroPadding2D", "zero_padding2d"), ("LRN", "lrn"), ("MyLRNLayer", "my_lrn_layer"), ("ReLU", "re_lu"),
  ])
  func groupsAreNamedAfterClasses(_ className: String, _ group: String) {
    #expect(ModelConfiguration.snakeCase(className) == group)
  }

  @Test func numbersInNamesCountAsNumbers() {
    let names = ["conv2d", "conv2d_1", "conv2d_2", "conv2d_9", "conv2d_10"]
    #expect(names.shuffled().map(NaturalName.init).sorted() == names.map(NaturalName.init))
    #expect(Set(names.map { NaturalName($0).stem }).count == 1)
    #expect(NaturalName("block5_conv1") < NaturalName("block5_conv2"))
    #expect(NaturalName("block4_conv10") < NaturalName("block5_conv1"))
    #expect(NaturalName("fc1").stem != NaturalName("predictions").stem)
    #expect(NaturalName("x99999999999999999999") < NaturalName("y1"))
  }

  /// Widths of 3 make both ends of a kernel's shape look like its sides: then the channels decide.
  @Test func ambiguousKernelsAreDecidedByTheChain() {
    func layout(_ shapes: [[Int]]) -> SourceLayout {
      KernelConvention(
        KernelConvention.Evidence(
          writer: .keras1, backend: nil, kernels: shapes.map { ($0, "W") }, flattens: false,
          configuration: nil),
        options: ImportOptions()
      ).layout
    }
    #expect(layout([[3, 3, 3, 3], [3, 3, 3, 8]]) == .hwio)
    #expect(layout([[3, 3, 3, 3], [8, 3, 3, 3]]) == .oihw)
    #expect(layout([[1, 1, 3, 3], [3, 3, 3, 3]]) == .hwio)
    #expect(layout([[3, 3, 1, 1], [1, 3, 3, 3]]) == .oihw)
  }

  @Test(arguments: [
    ("norm1", true), ("lrn", true), ("block1_lrn", true), ("LRN2D", true),
    ("LocalResponseNormalization", true),
    ("local_response_norm", true), ("norm", false), ("normalization", false),
    ("batch_normalization_1", false),
    ("layer_normalization", false), ("block1_pool", false),
  ])
  func namesThatSpeakOfNormalisation(_ name: String, _ isOne: Bool) {
    #expect(LayerName.isNormalization(name) == isOne)
  }

  @Test func onlyNamesMadeOfAClassAreTakenForIt() {
    #expect(LayerName.isForeign("add") && LayerName.isForeign("add_12") && LayerName.isForeign("merge_1"))
    #expect(!LayerName.isForeign("address") && !LayerName.isForeign("add_noise"))
    #expect(LayerName.isLambda("lambda_1") && !LayerName.isLambda("lambda_conv"))
    #expect(LayerName.pooling("global_average_pooling2d_3") == Pooling(global: .average))
  }

  @Test func modelsInModelsKeepOrderAndPlaces() throws {
    func layer(_ kind: String, _ name: String) -> JSONValue {
      ["class_name": .string(kind), "config": ["name": .string(name)]]
    }
    let inner: JSONValue = [
      "class_name": "Functional",
      "config": ["name": "vgg16", "layers": [layer("Conv2D", "a"), layer("Conv2D", "b")]],
    ]
    let model: JSONValue = [
      "class_name": "Sequential",
      "config": ["name": "all", "layers": [inner, layer("Dense", "c"), layer("Mine>Dense", "d")]],
    ]
    let layers = try ModelConfiguration(model, file: "f").layers
    #expect(layers.map(\.name) == ["a", "b", "c", "d"])
    #expect(
      layers.map(\.storePath) == [
        "layers/functional/layers/conv2d", "layers/functional/layers/conv2d_1", "layers/dense",
        "layers/dense_1",
      ])
  }

  @Test func aModelOfItsOwnClassIsRefused() throws {
    let error = try #require(throws: FileError.self) {
      try ModelConfiguration(["class_name": "MyNet", "config": [:]], file: "f")
    }
    #expect(error.code == "keras.config.class")
    #expect(error.seen == "class MyNet")
  }

  @Test func nestingHasAnEnd() throws {
    var model: JSONValue = ["class_name": "Sequential", "config": ["layers": []]]
    for _ in 0..<100 { model = ["class_name": "Sequential", "config": ["layers": [model]]] }
    let deep = model
    let error = try #require(throws: FileError.self) { try ModelConfiguration(deep, file: "f") }
    #expect(error.code == "keras.config")
  }
}
