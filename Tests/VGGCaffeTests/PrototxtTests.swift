import Testing
import VGGBytes
import VGGCaffe
import VGGModel
import VGGTensors

@testable import CaffeTestSupport

/// Text descriptions: the grammar, and what they add to weights or contradict.
@Suite struct PrototxtTests {
  /// A small A as text, with a part of it replaced.
  static func text(replacing old: String = "", with new: String = "") -> String {
    var text = "name: \"A\"\ninput: \"data\"\ninput_dim: 10 input_dim: 3 input_dim: 64 input_dim: 64\n"
    var bottom = "data"
    func add(_ name: String, _ type: String, _ settings: String = "", inPlace: Bool = false) {
      text +=
        "layer { name: \"\(name)\" type: \"\(type)\" bottom: \"\(bottom)\" top: \"\(inPlace ? bottom : name)\" \(settings) }\n"
      if !inPlace { bottom = name }
    }
    for (block, count) in [1, 1, 2, 2, 2].enumerated() {
      for index in 1...count {
        let name = "\(block + 1)_\(index)"
        add(
          "conv\(name)", "Convolution",
          "convolution_param { num_output: \(TestNet.widths[block]) pad: 1 kernel_size: 3 }")
        add("relu\(name)", "ReLU", inPlace: true)
      }
      add("pool\(block + 1)", "Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
    }
    for (index, width) in TestNet.denseWidths.enumerated() {
      add("fc\(index + 6)", "InnerProduct", "inner_product_param { num_output: \(width) }")
      if index < 2 { add("relu\(index + 6)", "ReLU", inPlace: true) }
    }
    add("prob", "Softmax")
    guard !old.isEmpty, let range = text.firstRange(of: old) else { return text }
    return text.replacingCharacters(in: range, with: new)
  }

  /// Weights without anything else.
  static var bare: TestNet {
    var net = TestNet()
    net.layers.removeAll { $0.blobs.isEmpty }
    for index in net.layers.indices { net.layers[index].lacksSettings = true }
    return net
  }

  @Test func describesFilesWithOnlyWeights() throws {
    let model = try Self.bare.model(prototxt: Self.text())
    #expect(try model.network == TestNet().model().network)
    #expect(!model.provenance.decisions.contains { $0.subject == "structure" })
  }

  /// Other ways to write the same thing.
  @Test(arguments: [
    ("pad: 1 kernel_size: 3", "pad: 1, kernel_size: 3;"),
    ("pad: 1 kernel_size: 3", "pad_h: 1 pad_w: 1 kernel_h: 3 kernel_w: 3"),
    ("pad: 1 kernel_size: 3", "pad: [1, 1] kernel_size: [3]"),
    ("pad: 1 kernel_size: 3", "pad: 1 pad: 1 kernel_size: 0x3"),
    ("pad: 1 kernel_size: 3", "pad: 01 kernel_size: 003 bias_term: true"),
    (
      "pad: 1 kernel_size: 3",
      "pad: 1 kernel_size: 3 engine: CUDNN weight_filler { type: 'xavier' std: -1e-3 }"
    ),
    ("pad: 1 kernel_size: 3", "pad: 1 kernel_size: 3 unknown: [1, 2.5f, \"x\"] other < a: -inf b { } >"),
    ("pad: 1 kernel_size: 3", "pad: 1 kernel_size: 3 group: 1 dilation: 1 stride: [ ]"),
    (
      "convolution_param { num_output: 2 pad: 1 kernel_size: 3 }",
      "convolution_param: < num_output: 2 pad: 1 kernel_size: 3 >"
    ),
    ("pool: MAX", "pool: 0"), ("pool: MAX", "ceil_mode: t round_mode: CEIL"),
    ("\"conv1_1\" type", "'con' \"v1\" '_\\x31' type"), ("\"conv1_1\" type", "\"conv\\061_1\" type"),
    ("name: \"A\"\n", "\u{FEFF}# a comment\r\nname: \"A\" # another\r\n\t"), ("name: \"A\"\n", ""),
    ("input_dim: 10 input_dim: 3 input_dim: 64 input_dim: 64", "input_dim: [1, 3, 64, 64]"),
    (
      "input_dim: 10 input_dim: 3 input_dim: 64 input_dim: 64",
      "input_shape { dim: 1 dim: 3 dim: 64 dim: 64 }"
    ),
    (
      "input: \"data\"\ninput_dim: 10 input_dim: 3 input_dim: 64 input_dim: 64",
      "layer { name: 'data' type: 'Input' top: 'data' input_param { shape: { dim: [1, 3] dim: 64 dim: 64 } } }"
    ),
  ])
  func otherWaysToWriteIt(_ old: String, new: String) throws {
    let text = Self.text(replacing: old, with: new)
    #expect(text.contains(new))
    #expect(try Self.bare.model(prototxt: text).network == TestNet().model().network)
  }

  @Test(arguments: [
    ("name: \"A\"", "name: A"), ("name: \"A\"", "name \"A\""), ("name: \"A\"", "name: \"A"),
    ("name: \"A\"", "name: \"A\" name: \"B\""), ("name: \"A\"", "name: \"\\q\""),
    ("name: \"A\"", "name: \"\\x\""), ("name: \"A\"", "name: \"\\ud800\""), ("name: \"A\"", "= 3"),
    ("name: \"A\"", "unknown"), ("name: \"A\"", "unknown: }"), ("name: \"A\"", "unknown: [1, 2"),
    ("name: \"A\"", "unknown { a: 1"), ("pad: 1", "pad: 1.0"), ("pad: 1", "pad: -1"), ("pad: 1", "pad: 09"),
    ("pad: 1", "pad: 4294967296"), ("pad: 1", "pad: 99999999999999999999"), ("pad: 1", "pad: MAX"),
    ("pad: 1", "pad:"), ("pad: 1", "pad { }"), ("pool: MAX", "pool: \"MAX\""), ("pool: MAX", "pool: MAXIMUM"),
    ("pool: MAX", "global_pooling: 2"), ("pool: MAX", "pool: MAX pool: MAX"),
    ("convolution_param {", "convolution_param: 3"), ("input_dim: 10", "input_dim: 2147483648"),
    ("type: \"Convolution\"", "type: CONVOLUTION"),
  ])
  func whatIsNoTextOfANetwork(_ old: String, new: String) throws {
    let text = Self.text(replacing: old, with: new)
    #expect(text.contains(new))
    let error = #expect(throws: FileError.self) { try Self.bare.model(prototxt: text) }
    #expect(error?.code == "caffe.prototxt")
    #expect(error?.file == "test.prototxt")
    #expect(error?.place?.hasPrefix("line ") == true)
  }

  static let inputDims = "input: \"data\"\ninput_dim: 10 input_dim: 3 input_dim: 64 input_dim: 64"

  /// An input that is only named, as in many weight files, and data layers of both phases under one name.
  @Test(arguments: [
    "input: 'data'",
    "layer { name: 'data' type: 'Data' top: 'data' top: 'label' include { phase: TRAIN } } layer { name: 'data' type: 'Data' top: 'data' top: 'label' include { phase: TEST } data_param { source: 'db' batch_size: 50 backend: LMDB } }",
    "layer { name: 'data' type: 'ImageData' top: 'data' top: 'label' exclude { phase: TRAIN } }",
    "layer { name: 'data' type: 'MemoryData' top: 'data' top: 'label' } input: []",
    "layer: [{ name: 'data' type: 'Data' top: 'data' include: [{ phase: TRAIN }, { phase: TEST min_level: 0 not_stage: 'deploy' }] }, { name: 'x' type: 'Python' bottom: 'data' top: 'x' include < stage: 'check' > }]",
  ])
  func otherInputs(_ input: String) throws {
    let text = Self.text(replacing: Self.inputDims, with: input)
    #expect(text.contains(input))
    let model = try Self.bare.model(prototxt: text)
    #expect(try model.network == TestNet().model().network)
    #expect(!model.provenance.decisions.contains { $0.subject == "prototxt-fields" })
  }

  @Test func skippedFieldsAreSaid() throws {
    let text = Self.text(
      replacing: "pad: 1 kernel_size: 3",
      with:
        "pad: 1 kernel_size: 3 engine: CUDNN\n quantum: [{ a: 1 }]\n hole_h: 2 weight_filler { type: 'x' }")
    let decisions = try Self.bare.model(prototxt: text).provenance.decisions
    let decision = try #require(decisions.first { $0.subject == "prototxt-fields" })
    #expect(decision.choice == "skipped: quantum (line 5), hole_h (line 6)")
    #expect(decision.evidence.hasPrefix("test.prototxt has fields that Caffe does not have"))
  }

  @Test(arguments: ["", "name: 'A'", "net: \"train_val.prototxt\"\nbase_lr: 0.01\n"])
  func textWithoutLayersIsRefused(_ text: String) {
    let error = #expect(throws: FileError.self) { try TestNet().model(prototxt: text) }
    #expect(error?.code == "caffe.prototxt.empty")
    #expect(error?.file == "test.prototxt")
  }

  /// Caffe copies each layer of the weights into the network's layer of that name, so the last one stays.
  @Test func theLastOfTwoLayersOfOneNameHolds() throws {
    var net = Self.bare
    let index = try #require(net.layers.firstIndex { $0.name == "conv3_1" })
    var first = net.layers[index]
    first.blobs = [
      .blob([4, 3, 3, 3], Array(repeating: 7, count: 108)), .blob([4], Array(repeating: 7, count: 4)),
    ]
    net.layers.insert(first, at: index)
    let model = try net.model(prototxt: Self.text())
    #expect(try GenerationTests.values(model) == GenerationTests.values(TestNet().model()))
    #expect(model.provenance.dropped.map(\.name) == ["conv3_1/0", "conv3_1/1"])
    #expect(#expect(throws: FileError.self) { try net.model() }?.code == "caffe.duplicate")
  }

  /// An old description of an old net, with the forms of the day.
  @Test func textOfV1() throws {
    var text = Self.text()
    for (new, old) in [
      ("\"Convolution\"", "CONVOLUTION"), ("\"ReLU\"", "RELU"), ("\"Pooling\"", "POOLING"),
      ("\"InnerProduct\"", "INNER_PRODUCT"), ("\"Softmax\"", "SOFTMAX"), ("layer {", "layers {"),
    ] {
      text = text.replacing(new, with: old)
    }
    text = text.replacing(
      "top: \"conv1_1\" ", with: "top: \"conv1_1\" blobs_lr: 1 blobs_lr: 2 weight_decay: 1 ")
    let model = try TestNet(.v1).model(prototxt: text)
    #expect(try model.network == TestNet().model().network)
    #expect(!model.provenance.decisions.contains { $0.subject == "prototxt-fields" })
  }

  @Test func nestingHasALimit() {
    for text in [String(repeating: "a{", count: 5000), "a:" + String(repeating: "[", count: 5000)] {
      let error = #expect(throws: FileError.self) { try Self.bare.model(prototxt: text) }
      #expect(error?.code == "caffe.prototxt")
    }
  }

  /// What the weights file says itself must agree.
  @Test(arguments: [
    ("num_output: 2 pad: 1", "num_output: 3 pad: 1"), ("pad: 1 kernel_size: 3", "pad: 0 kernel_size: 3"),
    ("type: \"ReLU\"", "type: \"Sigmoid\""), ("kernel_size: 2 stride: 2", "kernel_size: 3 stride: 2"),
    ("pool: MAX", "pool: AVE"), ("input_dim: 64", "input_dim: 96"),
    ("inner_product_param { num_output: 7 }", "inner_product_param { num_output: 7 transpose: true }"),
    (
      "layer { name: \"pool1\"",
      "layer { name: \"n\" type: \"LRN\" bottom: \"conv1_1\" top: \"conv1_1\" } layer { name: \"pool1\""
    ),
  ])
  func contradictionsAreRefused(_ old: String, new: String) throws {
    let text = Self.text(replacing: old, with: new)
    #expect(text.contains(new))
    let error = #expect(throws: FileError.self) { try TestNet().model(prototxt: text) }
    #expect(error?.code == "caffe.prototxt.contradiction")
    #expect(error?.file == "folder/test.caffemodel")
    #expect(error?.allowed?.contains("test.prototxt") == true)
  }

  @Test func constantsThatOldWeightsCannotHoldComeFromTheText() throws {
    let net = TestNet(.v1, lrn: .lrn(size: 5, alpha: 0.0005, beta: 0.75, k: nil))
    let text = Self.text(
      replacing: "layer { name: \"pool1\"",
      with:
        "layer { name: \"norm1\" type: \"LRN\" bottom: \"conv1_1\" top: \"norm1\" lrn_param { alpha: 5e-4 k: 2 } } layer { name: \"pool1\""
    ).replacing("bottom: \"conv1_1\" top: \"pool1\"", with: "bottom: \"norm1\" top: \"pool1\"")
    let model = try net.model(prototxt: text)
    guard case .normalization(let found) = model.network.layers[1].operation else {
      Issue.record("no normalisation")
      return
    }
    #expect(found.k == 2)
  }

  @Test func roundingIsThatOfTheText() throws {
    for word in ["ceil_mode: false", "round_mode: FLOOR"] {
      let model = try TestNet().model(
        prototxt: Self.text(replacing: "pool: MAX", with: "pool: MAX \(word)"))
      guard case .pooling(let pooling) = model.network.layers[1].operation else {
        Issue.record("no pooling")
        continue
      }
      #expect(pooling.rounding == .floor)
      #expect(
        model.provenance.decisions.contains { $0.subject == "pooling-rounding" && $0.choice != "ceiling" })
    }
  }

  @Test func weightsThatTheTextDoesNotNeedAreListed() throws {
    let text = Self.text()
    let head = try #require(text.firstRange(of: "layer { name: \"fc6\""))
    let model = try TestNet().model(prototxt: String(text[..<head.lowerBound]))
    #expect(!model.network.hasTop)
    #expect(
      model.provenance.dropped.map(\.name) == ["fc6/0", "fc6/1", "fc7/0", "fc7/1", "fc8/0", "fc8/1"])
  }

  @Test func layersWithoutWeightsAreRefused() throws {
    let text = Self.text(replacing: "\"conv3_2\" type", with: "\"conv3_new\" type")
    let error = #expect(throws: FileError.self) { try Self.bare.model(prototxt: text) }
    #expect(error?.code == "caffe.noweights")
    #expect(error?.place == "layer conv3_new of test.prototxt")
  }

  @Test(
    arguments: [
      ("mean_value: 1 mean_value: 2 mean_value: 3 scale: 0.5", [1, 2, 3], 0.5),
      ("mean_value: 103.939", [103.939, 103.939, 103.939], 1), ("mirror: true", [0, 0, 0], 1),
      ("mean_file: 'mean.binaryproto'", [103.939, 116.779, 123.68], 1),
    ] as [(String, [Double], Double)])
  func preprocessingOfADataLayer(_ settings: String, mean: [Double], scale: Double) throws {
    let text = Self.text(
      replacing: "input: \"data\"\ninput_dim: 10 input_dim: 3 input_dim: 64 input_dim: 64",
      with:
        "layer { name: 'data' type: 'Data' top: 'data' include { phase: TEST } transform_param { crop_size: 64 \(settings) } }"
    )
    let model = try Self.bare.model(prototxt: text)
    #expect(model.preprocessing?.mean == mean)
    #expect(model.preprocessing?.scale == [scale, scale, scale])
    #expect(model.preprocessing?.channelOrder == .bgr)
    #expect(model.network.inputExtent == Extent(side: 64))
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
    String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
  }
}
