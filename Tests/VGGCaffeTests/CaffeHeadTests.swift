import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import CaffeTestSupport

/// What stands behind the last dense layer, or trains it, tells what the outputs are.
@Suite struct CaffeHeadTests {
  /// A network whose softmax is replaced by other layers.
  static func net(_ layers: [(name: String, type: String, isForTraining: Bool)]) -> TestNet {
    var net = TestNet()
    net.layers.removeAll { $0.name == "prob" }
    for (name, type, isForTraining) in layers {
      var layer = TestLayer(name: name, kind: .other(type), bottom: "fc8", top: type == "ReLU" ? "fc8" : name)
      if isForTraining { layer.extra.message(8, Message { $0.varint(1, 0) }) }
      net.layers.append(layer)
    }
    return net
  }

  @Test(
    arguments: [
      ([("prob", "Softmax", false)], HeadActivation.softmax, "prob of type Softmax stands behind fc8"),
      ([("score", "Sigmoid", false)], .sigmoid, "score of type Sigmoid stands behind fc8"),
      ([("loss", "SoftmaxWithLoss", true)], .softmax, "loss of type SoftmaxWithLoss trains fc8"),
      ([("loss", "SoftmaxWithLoss", false), ("accuracy", "Accuracy", false)], .softmax, "loss of type"),
      (
        [("loss", "SigmoidCrossEntropyLoss", true)], .sigmoid,
        "loss of type SigmoidCrossEntropyLoss trains fc8"
      ),
      ([("loss", "EuclideanLoss", true)], .linear, "loss of type EuclideanLoss trains fc8"),
      ([("relu8", "ReLU", false)], .relu, "the ReLU behind fc8 is the last layer"),
      ([("relu8", "ReLU", false), ("loss", "EuclideanLoss", true)], .relu, "the ReLU behind fc8"),
      ([("loss", "EuclideanLoss", true), ("prob", "Softmax", false)], .softmax, "prob of type Softmax"),
      ([], .linear, "nothing stands behind fc8"),
    ] as [([(String, String, Bool)], HeadActivation, String)])
  func isToldByWhatStandsBehindIt(
    _ layers: [(String, String, Bool)], _ activation: HeadActivation, _ evidence: String
  ) throws {
    let model = try Self.net(layers).model()
    #expect(model.network.head?.activation == activation)
    guard activation != .softmax else { return }
    let decision = try #require(model.provenance.decisions.first { $0.subject == "head-activation" })
    #expect(decision.choice == activation.rawValue && decision.evidence.hasPrefix(evidence))
  }

  /// Cut behind the ReLU of fc7, as a network for features is.
  @Test func featuresAreNotClasses() throws {
    var net = TestNet()
    net.layers.removeAll { ["fc8", "prob"].contains($0.name) }
    let model = try net.model()
    #expect(model.network.head?.activation == .relu && model.network.classCount == nil)
    #expect(model.network.layers.last?.name == "fc7")
  }

  @Test(
    arguments: [
      [("loss", "EuclideanLoss", true), ("loss2", "SoftmaxWithLoss", true)],
      [("score", "Sigmoid", false), ("prob", "Softmax", false)],
      [("relu8", "ReLU", false), ("score", "Sigmoid", false)],
      [("tanh", "TanH", false)],
    ] as [[(String, String, Bool)]])
  func whatHasNoMeaningIsRefused(_ layers: [(String, String, Bool)]) throws {
    let error = #expect(throws: FileError.self) { try Self.net(layers).model() }
    #expect(error?.kind == .unsupported)
  }

  @Test(arguments: [false, true])
  func globalPoolingBelongsToTheHead(isMaximum: Bool) throws {
    var net = TestNet()
    let channels = try #require(net.lastChannels)
    net.layers.removeAll { ["fc6", "relu6", "drop6", "fc7", "relu7", "drop7"].contains($0.name) }
    let index = try #require(net.layers.firstIndex { $0.name == "fc8" })
    var pooling = TestLayer(name: "gap", kind: .other("Pooling"), bottom: "pool5", top: "gap")
    pooling.extra.message(
      121,
      Message {
        if !isMaximum { $0.varint(1, 1) }
        $0.varint(12, 1)
      })
    net.layers.insert(pooling, at: index)
    net.change("fc8") {
      $0.bottom = "gap"
      $0.kind = .innerProduct(outputs: 3)
      $0.blobs = [
        .blob([3, channels], Array(repeating: 0.5, count: 3 * channels)), .blob([3], [0, 0, 0]),
      ]
    }
    let model = try net.model()
    let layer = try #require(model.network.layers.first { $0.name == "pool6" })
    #expect(layer.operation == .pooling(Pooling(global: isMaximum ? .maximum : .average)))
    #expect(model.network.classCount == 3 && model.network.inputExtent == Extent(side: 64))
  }

  /// Networks cut where people cut them for perceptual losses.
  @Test(arguments: ["conv2_1", "pool3", "conv4_1", "pool4", "conv5_1"])
  func beginningsAreNamed(_ last: String) throws {
    var net = TestNet()
    let end = try #require(net.layers.firstIndex { $0.name == last })
    let isConvolution = last.hasPrefix("conv")
    net.layers.removeSubrange((end + (isConvolution ? 2 : 1))...)
    let model = try net.model()
    #expect(model.network.cut == last && !model.network.hasTop)
    #expect(model.network.layers.last?.name == last)
  }
}

extension TestNet {
  /// The channels of the last convolution.
  fileprivate var lastChannels: Int? {
    (try? model())?.network.layers.reversed().lazy.compactMap { layer -> Int? in
      if case .convolution(let convolution) = layer.operation { convolution.outputChannels } else { nil }
    }.first
  }
}
