import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

/// Networks that are no VGG, by the shapes of their convolutions as they were published.
@Suite struct ForeignNetworkTests {
  typealias Kernel = ForeignNetwork.Kernel

  struct Sample: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var kernels: [Kernel]
    var hasDense = true
  }

  static func kernel(_ outputs: Int, _ inputs: Int, _ side: Int, by width: Int? = nil) -> Kernel {
    Kernel(outputs: outputs, inputs: inputs, height: side, width: width ?? side)
  }

  static func repeated(_ count: Int, _ kernels: Kernel...) -> [Kernel] {
    Array(repeating: kernels, count: count).flatMap(\.self)
  }

  static let samples = [
    Sample(
      testDescription: "AlexNet (CaffeNet)",
      kernels: [
        kernel(96, 3, 11), kernel(256, 48, 5), kernel(384, 256, 3), kernel(384, 192, 3), kernel(256, 192, 3),
      ]),
    Sample(
      testDescription: "VGG-CNN-F",
      kernels: [kernel(64, 3, 11), kernel(256, 64, 5)] + repeated(3, kernel(256, 256, 3))),
    Sample(
      testDescription: "VGG-CNN-M or VGG-CNN-S",
      kernels: [kernel(96, 3, 7), kernel(256, 96, 5), kernel(512, 256, 3)] + repeated(2, kernel(512, 512, 3))),
    Sample(
      testDescription: "ZFNet",
      kernels: [
        kernel(96, 3, 7), kernel(256, 96, 5), kernel(384, 256, 3), kernel(384, 384, 3), kernel(256, 384, 3),
      ]),
    Sample(
      testDescription: "Network in Network",
      kernels: [
        kernel(96, 3, 11), kernel(96, 96, 1), kernel(96, 96, 1), kernel(256, 96, 5), kernel(256, 256, 1),
        kernel(256, 256, 1), kernel(384, 256, 3), kernel(384, 384, 1), kernel(384, 384, 1),
        kernel(1024, 384, 3), kernel(1024, 1024, 1), kernel(1000, 1024, 1),
      ], hasDense: false),
    Sample(
      testDescription: "GoogLeNet (Inception)",
      kernels: [kernel(64, 3, 7), kernel(64, 64, 1), kernel(192, 64, 3)]
        + repeated(
          9, kernel(64, 192, 1), kernel(96, 192, 1), kernel(128, 96, 3), kernel(16, 192, 1),
          kernel(32, 16, 5), kernel(32, 192, 1))),
    Sample(
      testDescription: "GoogLeNet (Inception)",
      kernels: [kernel(32, 3, 3), kernel(32, 32, 3), kernel(64, 32, 3)]
        + repeated(30, kernel(192, 128, 1, by: 7), kernel(192, 128, 7, by: 1), kernel(192, 768, 1))),
    Sample(
      testDescription: "SqueezeNet",
      kernels: [kernel(96, 3, 7)] + repeated(8, kernel(16, 96, 1), kernel(64, 16, 1), kernel(64, 16, 3))
        + [kernel(1000, 512, 1)], hasDense: false),
    Sample(
      testDescription: "SqueezeNet",
      kernels: [kernel(64, 3, 3)] + repeated(8, kernel(16, 64, 1), kernel(64, 16, 1), kernel(64, 16, 3))
        + [kernel(1000, 512, 1)], hasDense: false),
    Sample(
      testDescription: "MobileNet",
      kernels: [kernel(32, 3, 3)] + repeated(13, kernel(32, 1, 3), kernel(64, 32, 1))
        + [kernel(1000, 1024, 1)], hasDense: false),
    Sample(
      testDescription: "DenseNet",
      kernels: [kernel(64, 3, 7)] + repeated(58, kernel(128, 64, 1), kernel(32, 128, 3))
        + repeated(3, kernel(128, 256, 1))),
    Sample(
      testDescription: "ResNet-18",
      kernels: [kernel(64, 3, 7)] + repeated(16, kernel(64, 64, 3)) + repeated(3, kernel(128, 64, 1))),
    Sample(
      testDescription: "ResNet-50",
      kernels: [kernel(64, 3, 7)] + repeated(16, kernel(64, 256, 1), kernel(64, 64, 3), kernel(256, 64, 1))
        + repeated(4, kernel(256, 64, 1))),
    Sample(
      testDescription: "a residual network (ResNet)",
      kernels: [kernel(64, 3, 7)] + repeated(40, kernel(64, 64, 3))),
    Sample(testDescription: "LeNet", kernels: [kernel(20, 1, 5), kernel(50, 20, 5)]),
    Sample(
      testDescription: "Caffe's CIFAR-10 example",
      kernels: [kernel(32, 3, 5), kernel(32, 32, 5), kernel(64, 32, 5)]),
    Sample(
      testDescription: "the reduced VGG of SSD and DeepLab, whose fc6 is a dilated convolution",
      kernels: kernels(of: .d) + [kernel(1024, 512, 3), kernel(1024, 1024, 1)], hasDense: false),
  ]

  /// The kernels of one of the six networks.
  static func kernels(of architecture: Architecture, widths: [Int] = [64, 128, 256, 512, 512]) -> [Kernel] {
    var inputs = 3
    return zip(architecture.kernelSides, widths).flatMap { sides, width in
      sides.map { side in
        defer { inputs = width }
        return kernel(width, inputs, side)
      }
    }
  }

  @Test(arguments: samples)
  func isNamed(_ sample: Sample) throws {
    let known = try #require(ForeignNetwork(kernels: sample.kernels, hasDense: sample.hasDense))
    #expect(known.name == sample.testDescription)
    let first = sample.kernels[0]
    #expect(
      known.evidence.hasPrefix(
        "a first kernel of \(first.outputs)x\(first.inputs)x\(first.height)x\(first.width)"))
    #expect(known.evidence.hasSuffix("\(sample.kernels.count) convolutions"))
  }

  /// No VGG is taken for another network, whole, without its head, with a head of convolutions, cut off, or narrow.
  @Test(arguments: Architecture.allCases)
  func noVGGIsAnother(_ architecture: Architecture) {
    for widths in [[64, 128, 256, 512, 512], [8, 16, 32, 64, 64], [2, 3, 4, 5, 6]] {
      let kernels = Self.kernels(of: architecture, widths: widths)
      let width = widths[4]
      for count in 1...kernels.count {
        #expect(ForeignNetwork(kernels: Array(kernels.prefix(count)), hasDense: true) == nil)
        #expect(ForeignNetwork(kernels: Array(kernels.prefix(count)), hasDense: false) == nil)
      }
      let head = [Self.kernel(4096, width, 7), Self.kernel(4096, 4096, 1), Self.kernel(1000, 4096, 1)]
      #expect(ForeignNetwork(kernels: kernels + head, hasDense: false) == nil)
    }
    #expect(ForeignNetwork(kernels: [], hasDense: true) == nil)
  }

  @Test func foundWeightsAreNamed() throws {
    var found = FoundNetworkTests.found(.a)
    let shapes = [[11, 11, 3, 2], [5, 5, 2, 3], [3, 3, 3, 4], [3, 3, 4, 4], [3, 3, 4, 6]]
    found.convolutions = shapes.enumerated().map { index, shape in
      FoundNetwork.WeightedLayer(
        name: "conv\(index + 1)", weight: FoundNetworkTests.tensor(shape, .hwio),
        bias: FoundNetworkTests.tensor([shape[3]], .vector))
    }
    let error = try #require(
      #expect(throws: FileError.self) { try FoundNetworkTests.model(found) })
    #expect(error.code == "model.known")
    #expect(
      error.description
        == "f.h5: is not a VGG; it looks like AlexNet (CaffeNet) (layer conv1, seen a first kernel of 2x3x11x11, a second of 3x2x5x5, 5 convolutions, allowed the networks A, A-LRN, B, C, D, E)"
    )
  }

  /// A dense layer that fits with the other rounding of the poolings.
  @Test func theOtherRoundingIsNamed() throws {
    var found = FoundNetworkTests.found(.a, side: 3)
    found.inputExtent = Extent(side: 100)
    #expect(try FoundNetworkTests.model(found).network.inputExtent == Extent(side: 100))
    found.poolings = .unknown(Pooling(rounding: .ceiling))
    let error = #expect(throws: FileError.self) { try FoundNetworkTests.model(found) }
    #expect(error?.code == "model.flatten")
    #expect(error?.advice == "it would fit if the poolings rounded down, to 3x3 pixels")
    found.inputExtent = Extent(side: 128)
    #expect(#expect(throws: FileError.self) { try FoundNetworkTests.model(found) }?.advice == nil)
  }
}
