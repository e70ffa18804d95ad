import TestSupport
import Testing
import VGGCaffe
import VGGModel

@testable import CaffeTestSupport

/// What users of other converters ran into with Caffe's files, by the threads in which they said so.
@Suite struct UserCaseTests {
  @Test("ethereon/caffe-tensorflow 4, 5, 39: unknown layer type 4", arguments: [TestNet.Generation.v0, .v1])
  func numberedTypes(_ generation: TestNet.Generation) throws {
    let model = try TestNet(generation).model()
    #expect(model.provenance.generation == "caffe-v\(generation.rawValue)")
    #expect(try GenerationTests.values(model) == GenerationTests.values(TestNet().model()))
  }

  @Test("BVLC/caffe 3750: upgrade_net_proto_binary aborts on the official file, so none is needed")
  func noUpgrade() throws {
    let old = try FixtureTests.model("caffe/vgg_d_digits_v1.caffemodel")
    let new = try FixtureTests.model("caffe/vgg_d_digits.caffemodel")
    #expect(try FixtureTests.digest(old) == FixtureTests.digest(new))
  }

  @Test("BVLC/caffe 3381: of a net that mixes layer and layers, some are deleted silently")
  func mixedGenerations() {
    var net = TestNet()
    net.extra.message(2, Message { $0.text(4, "old") })
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.code == "caffe.mixed")
    #expect(error?.seen == "1 'layers' (V1) and \(net.layers.count) 'layer' (V2)")
  }

  @Test(
    "MarcBS/keras 5: input and input_dim instead of a data layer",
    arguments: ["input", "input_dim", "input_shape", "Input", "Data", "none"])
  func allKindsOfInput(_ kind: String) throws {
    var net = TestNet()
    if kind != "Input" { net.layers.removeFirst() }
    switch kind {
    case "input": net.extra.text(3, "data")
    case "input_dim":
      net.extra.text(3, "data")
      for length in [10, 3, 64, 64] { net.extra.varint(4, length) }
    case "input_shape":
      net.extra.text(3, "data")
      net.extra.message(8, .shape([10, 3, 64, 64]))
    case "Data":
      net.layers.insert(TestLayer(name: "data", kind: .other("Data"), bottom: "", top: "data"), at: 0)
    default: break
    }
    #expect(try net.model().network == TestNet().model().network)
  }

  @Test("caffe 279, tensorflow 1100: limits of 64 MB to 1 GB; a field of 3 GiB is no hindrance")
  func noLimitOfSize() throws { try BoundedReadingTests().gradientsAreNeverTouched(2000, isInBlob: false) }

  @Test("netscope 25, caffe 1318, TVM 9828: Caffe's poolings round up, but a fork has a switch")
  func roundingOfPoolings() throws {
    let model = try FixtureTests.model("caffe/vgg_b_ceil_100.caffemodel")
    #expect(try model.network.outputShapes(for: Extent(side: 100)).contains { $0.extent == Extent(side: 13) })
    let floor = try TestNet().model(
      prototxt: PrototxtTests.text(replacing: "pool: MAX", with: "pool: MAX ceil_mode: false"))
    guard case .pooling(let pooling) = floor.network.layers[1].operation else {
      Issue.record("no pooling")
      return
    }
    #expect(pooling.rounding == .floor)
    // A word that no fork has is not guessed at.
    let error = #expect(throws: FileError.self) {
      try TestNet().model(
        prototxt: PrototxtTests.text(replacing: "pool: MAX", with: "pool: MAX round_mode: NEAREST"))
    }
    #expect(error?.code == "caffe.prototxt")
  }

  @Test("MarcBS/keras 5, matconvnet 923: 6400 against 9216, a wrong rounding seen as a wrong dense layer")
  func aWrongRoundingIsNamed() throws {
    var net = TestNet()
    net.change("data") { $0.kind = .input([1, 3, 100, 100]) }
    net.change("fc6") {
      $0.blobs[0] = .blob([7, 54], Array(repeating: 1, count: 7 * 54))
    }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.code == "model.flatten")
    #expect(error?.seen == "54 inputs = 9 pixels" && error?.allowed?.hasPrefix("4x4 pixels") == true)
    #expect(error?.advice == "it would fit if the poolings rounded down, to 3x3 pixels")
  }

  @Test("BVLC/caffe 1138, OpenVINO 716: the constant k of the normalisation is lost")
  func theConstantOfTheNormalisation() throws {
    let model = try FixtureTests.model("caffe/vgg_a_lrn_k2.caffemodel")
    let settings = model.network.layers.lazy.compactMap { layer -> LocalResponseNormalization? in
      if case .normalization(let settings) = layer.operation { settings } else { nil }
    }.first
    #expect(settings?.k == 2)
  }

  @Test("caffe-tensorflow 173, caffe 1453: Caffe divides alpha by the size", arguments: [1, 3, 5, 7])
  func alphaIsDivided(_ size: Int) throws {
    let model = try TestNet(lrn: .lrn(size: size, alpha: 0.75, beta: 0.5, k: 2)).model()
    #expect(
      model.network.layers[1].operation
        == .normalization(
          LocalResponseNormalization(size: size, scale: 0.75 / Double(size), beta: 0.5, k: 2)))
  }

  @Test("MMdnn 805: the constants survive together, from a prototxt beside bare weights too")
  func constantsOfAPrototxt() throws {
    let text = PrototxtTests.text(
      replacing: "layer { name: \"pool1\"",
      with:
        "layer { name: \"norm1\" type: \"LRN\" bottom: \"conv1_1\" top: \"conv1_1\" lrn_param { local_size: 7 alpha: 14 beta: 0.25 k: 3 norm_region: WITHIN_CHANNEL } } layer { name: \"pool1\""
    )
    let model = try PrototxtTests.bare.model(prototxt: text)
    #expect(model.network.architecture == .aLRN)
    #expect(
      model.network.layers[1].operation
        == .normalization(
          LocalResponseNormalization(size: 7, scale: 14.0 / 49, beta: 0.25, k: 1, region: .withinChannel)))
  }

  @Test("weiliu89/caffe 258, DilatedFCN 8: fc6 reduced to a dilated convolution")
  func reducedHeads() {
    let error = #expect(throws: FileError.self) { try OtherNetworkTests.reduced().model() }
    #expect(error?.code == "caffe.fc_reduced")
  }

  @Test(
    "ncnn 515: kernels trained on transposed pictures are taken as they are; the numbers stay in their order")
  func columnMajorKernels() throws {
    let net = TestNet()
    let old = try #require(net.values["conv1_1/0"])
    let new = try #require(net.model().tensor("conv1_1/weight")).values.array()
    // [row, column] stays so.
    #expect(new[(0 * 3 + 2) * 3 * 2] == old[2] && new[(2 * 3 + 0) * 3 * 2] == old[6])
  }

  @Test("opencv 9591, NVIDIA/caffe 499: half-precision values in fields of their own, never zeros")
  func halfPrecision() throws {
    var net = TestNet()
    let shape = Message { $0.message(7, .shape([4])) }
    net.change("conv3_1") { $0.blobs[1] = shape }
    #expect(#expect(throws: FileError.self) { try net.model() }?.code == "caffe.stripped")
    net.change("conv3_1") {
      $0.blobs[1] = Message {
        $0.bytes += shape.bytes
        $0.varint(10, 2)
        $0.bytes(12, [0, 0x3C, 0, 0xC0, 0, 0, 0, 0x44])
      }
    }
    #expect(try net.model().tensor("conv3_1/bias")?.values.array() == [1, -2, 0, 4])
  }

  @Test(
    "deep-learning-models 1, 15: other class counts, and names that mean nothing", arguments: [1, 2, 2622])
  func anyClassCount(_ count: Int) throws {
    var net = TestNet()
    for index in net.layers.indices { net.layers[index].name = "layer \(index)" }
    let last = net.layers.count - 2
    net.layers[last].kind = .innerProduct(outputs: count)
    net.layers[last].blobs = [
      .blob([count, 8], Array(repeating: 1, count: count * 8)),
      .blob([count], Array(repeating: 1, count: count)),
    ]
    let model = try net.model()
    #expect(model.network.architecture == .a && model.network.classCount == count)
    #expect(model.preprocessing?.mean[0] == (count == 2622 ? 93.594 : 103.939))
  }

  @Test("tensorflow/models 2154: one of 49 positions kept, rows and columns exchanged")
  func everyPositionOfTheFirstDenseLayer() throws {
    let net = TestNet()
    let matrix = try #require(net.values["fc6/0"])
    let dense = try #require(net.model().tensor("fc6/weight")).values.array()
    #expect(dense.count == matrix.count)
    for channel in 0..<6 {
      for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for output in 0..<7 {
          #expect(
            dense[((row * 2 + column) * 6 + channel) * 7 + output]
              == matrix[output * 24 + (channel * 2 + row) * 2 + column])
        }
      }
    }
  }
}
