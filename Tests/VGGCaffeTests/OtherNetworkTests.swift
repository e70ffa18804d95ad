import TestSupport
import Testing
import VGGBytes
import VGGCaffe
import VGGModel

@testable import CaffeTestSupport

/// Files of Caffe's that hold another network: what it is is said, whatever stops the reader first.
@Suite struct OtherNetworkTests {
  struct Sample: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Outputs, inputs of a group, side, stride, groups.
    var convolutions: [[Int]]
    /// What follows the convolutions.
    var types: [String] = []
  }

  static func fires(_ count: Int) -> [[Int]] {
    Array(repeating: [[16, 96, 1, 1, 1], [64, 16, 1, 1, 1], [64, 16, 3, 1, 1]], count: count).flatMap(\.self)
  }

  static let samples = [
    Sample(
      testDescription: "AlexNet (CaffeNet)",
      convolutions: [
        [96, 3, 11, 4, 1], [256, 48, 5, 1, 2], [384, 256, 3, 1, 1], [384, 192, 3, 1, 2], [256, 192, 3, 1, 2],
      ], types: ["InnerProduct"]),
    Sample(
      testDescription: "VGG-CNN-M or VGG-CNN-S",
      convolutions: [
        [96, 3, 7, 2, 1], [256, 96, 5, 2, 1], [512, 256, 3, 1, 1], [512, 512, 3, 1, 1], [512, 512, 3, 1, 1],
      ], types: ["InnerProduct"]),
    Sample(
      testDescription: "GoogLeNet (Inception)",
      convolutions: [[64, 3, 7, 2, 1], [64, 64, 1, 1, 1], [192, 64, 3, 1, 1]]
        + Array(repeating: [32, 16, 5, 1, 1], count: 54), types: ["Concat"]),
    Sample(
      testDescription: "ResNet-50",
      convolutions: [[64, 3, 7, 2, 1]] + Array(repeating: [64, 64, 1, 1, 1], count: 52), types: ["Eltwise"]),
    Sample(
      testDescription: "SqueezeNet", convolutions: [[64, 3, 3, 2, 1]] + fires(8) + [[1000, 512, 1, 1, 1]]),
    Sample(
      testDescription: "MobileNet",
      convolutions: [[32, 3, 3, 2, 1]]
        + Array(repeating: [[32, 1, 3, 1, 32], [64, 32, 1, 1, 1]], count: 13).flatMap(\.self)),
  ]

  /// The network as a file with shapes and without values: it is known before those are missed.
  static func net(_ sample: Sample, generation: TestNet.Generation) -> TestNet {
    var net = TestNet(generation)
    net.layers.removeAll { $0.name != "data" }
    var bottom = "data"
    for (index, shape) in sample.convolutions.enumerated() {
      let name = "conv\(index + 1)"
      var layer = TestLayer(
        name: name, kind: .convolution(outputs: shape[0], kernel: shape[2], pad: shape[2] / 2),
        bottom: bottom,
        top: name)
      layer.extraSettings.varint(6, shape[3])
      layer.extraSettings.varint(5, shape[4])
      layer.blobs = [
        Message { $0.message(7, .shape([shape[0], shape[1], shape[2], shape[2]])) },
        Message { $0.message(7, .shape([shape[0]])) },
      ]
      net.layers += [layer, TestLayer(name: "relu\(name)", kind: .relu, bottom: name, top: name)]
      bottom = name
    }
    for type in sample.types {
      net.layers.append(TestLayer(name: type, kind: .other(type, number: 3), bottom: bottom, top: type))
    }
    return net
  }

  @Test(arguments: samples, [TestNet.Generation.v1, .v2])
  func isNamed(_ sample: Sample, generation: TestNet.Generation) throws {
    let net = Self.net(sample, generation: generation)
    let error = try #require(#expect(throws: FileError.self) { try net.model() })
    #expect(error.code == "model.known" && error.place == "layer conv1")
    #expect(error.problem == "is not a VGG; it looks like \(sample.testDescription)")
    #expect(error.seen?.contains("\(sample.convolutions.count) convolutions") == true)
  }

  @Test func layersOfOtherTypesAreNamedToo() throws {
    var net = TestNet()
    let index = try #require(net.layers.firstIndex { $0.name == "pool5" })
    net.layers.removeSubrange(index...)
    for (name, side, outputs, inputs) in [("fc6", 3, 7, 6), ("fc7", 1, 7, 7)] {
      var layer = TestLayer(
        name: name, kind: .convolution(outputs: outputs, kernel: side, pad: 0), bottom: "", top: name)
      layer.blobs = [
        .blob([outputs, inputs, side, side], Array(repeating: 1, count: outputs * inputs * side * side)),
        .blob([outputs], Array(repeating: 1, count: outputs)),
      ]
      net.layers.append(layer)
    }
    net.layers.removeAll { $0.blobs.isEmpty }
    for index in net.layers.indices { net.layers[index].lacksSettings = true }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.problem.contains("looks like the reduced VGG of SSD and DeepLab") == true)
  }

  /// Networks that were built on a VGG, with layers that it does not have.
  @Test(arguments: [
    ("ROIPooling", "a detector (Fast R-CNN)"), ("PriorBox", "a detector (SSD)"),
    ("Deconvolution", "a network for segmentation (FCN)"), ("LSTM", "a recurrent network"),
  ])
  func networksBuiltOnVGGAreNamed(_ type: String, name: String) {
    var net = TestNet()
    net.change("pool5") { $0.kind = .other(type) }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.problem == "is not a VGG; it looks like \(name)")
    #expect(error?.seen == "layer pool5 of type \(type)")
  }

  @Test func snapshotsAreNamedToo() {
    let error = #expect(throws: FileError.self) {
      try SnapshotTests.model("bad_snapshot_alexnet.caffemodel.h5")
    }
    #expect(error?.problem == "is not a VGG; it looks like AlexNet (CaffeNet)")
  }

  // MARK: Reduced heads

  /// fc6 as SSD has it: 3x3, padding and dilation 6, behind a pool5 of 3x3 with stride 1.
  static func reduced(side: Int = 3, dilation: Int = 6, isSaid: Bool = true) -> TestNet {
    var net = TestNet()
    net.change("pool5") {
      $0.extraSettings = Message {
        $0.varint(2, 3)
        $0.varint(3, 1)
        $0.varint(4, 1)
      }
    }
    net.change("fc6") {
      $0.kind = .convolution(outputs: 7, kernel: side, pad: dilation)
      if isSaid { $0.extraSettings.varint(18, dilation) }
      $0.blobs[0] = .blob([7, 6, side, side], Array(repeating: 1, count: 42 * side * side))
    }
    net.change("fc7") {
      $0.kind = .convolution(outputs: 8, kernel: 1, pad: 0)
      $0.blobs[0] = .blob([8, 7, 1, 1], Array(repeating: 1, count: 56))
    }
    return net
  }

  /// SSD; DeepLab's large field of view; DeepLab's first fork, whose `hole` no other knows.
  @Test(arguments: [(3, 6, true), (3, 12, true), (4, 4, true), (3, 12, false)])
  func aReducedHeadIsRefusedByName(_ side: Int, dilation: Int, isSaid: Bool) throws {
    var net = Self.reduced(side: side, dilation: dilation, isSaid: isSaid)
    func expectRefusal(_ text: String? = nil) {
      let error = #expect(throws: FileError.self) { try net.model(prototxt: text) }
      #expect(error?.code == "caffe.fc_reduced")
      #expect(error?.place == "layer fc6")
      #expect(error?.problem == "has dense layers that were reduced to convolutions, as in SSD and DeepLab")
      #expect(error?.seen?.hasPrefix("kernel \(side)x\(side), padding \(dilation)x\(dilation)") == true)
    }
    expectRefusal()
    let text = PrototxtTests.text(
      replacing: "\"InnerProduct\" bottom: \"pool5\" top: \"fc6\" inner_product_param { num_output: 7 }",
      with:
        "\"Convolution\" bottom: \"pool5\" top: \"fc6\" convolution_param { num_output: 7 pad: \(dilation) kernel_size: \(side) \(isSaid ? "dilation: \(dilation)" : "hole: \(dilation)") }"
    ).replacing(
      "pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\nlayer { name: \"fc6\"",
      with: "pooling_param { pool: MAX kernel_size: 3 stride: 1 pad: 1 } }\nlayer { name: \"fc6\"")
    let fc7 = text.replacing(
      "\"InnerProduct\" bottom: \"fc6\" top: \"fc7\" inner_product_param { num_output: 8 }",
      with: "\"Convolution\" bottom: \"fc6\" top: \"fc7\" convolution_param { num_output: 8 kernel_size: 1 }")
    expectRefusal(fc7)
    net.layers.removeAll { $0.blobs.isEmpty }
    if side != 3 { expectRefusal() }  // Only weights: 3x3 may be one more convolution.
    expectRefusal(fc7)
  }

  @Test func dilatedConvolutionsAreExplained() {
    var net = Self.reduced()
    net.change("conv5_1") {
      $0.kind = .convolution(outputs: 6, kernel: 3, pad: 2)
      $0.extraSettings.varint(18, 2)
    }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.place == "layer conv5_1")
    #expect(error?.advice?.contains("segmentation") == true)
  }
}
