import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGExport
import VGGModel
import VGGSources
import VGGTensors

@Suite("Files for Caffe") struct CaffeExportTests {
  /// Constants that Caffe's 32-bit numbers hold.
  private static let normalization = LocalResponseNormalization(
    size: 5, scale: Double(Float(0.0005)) / 5, beta: 0.75, k: 2)

  private func exact(_ network: Network) -> Network {
    Network(
      architecture: network.architecture, inputChannels: network.inputChannels,
      inputExtent: network.inputExtent,
      layers: network.layers.map { layer in
        if case .normalization = layer.operation {
          Layer(name: layer.name, operation: .normalization(Self.normalization))
        } else {
          layer
        }
      })
  }

  @Test("Any network comes back as it was", arguments: Architecture.allCases, 0..<8 as Range<UInt64>)
  func networks(architecture: Architecture, seed: UInt64) throws {
    let network = try exact(Network.random(architecture, seed: seed))
    let model = try Model.random(network, seed: seed)
    let written = try RoundTrip.caffe.imported(model).model
    #expect(written.network == network)
    #expect(try written.differences(from: model) == [])
    #expect(written.provenance.dropped == [])
    #expect(written.provenance.generation == "caffe-v2")
    // With the prototxt, poolings round as Caffe's do wherever that makes no difference.
    let described = try RoundTrip.caffe.imported(model, prototxt: true).model
    #expect(try described.differences(from: model) == [])
    #expect(
      try described.network.outputShapes(for: #require(network.inputExtent))
        == network.outputShapes(for: #require(network.inputExtent)))
    #expect(described.network.layers.map(\.name) == network.layers.map(\.name))
  }

  @Test("What is done to pictures comes back where Caffe has a place for it")
  func preprocessing() throws {
    let network = try Network(
      .a, inputExtent: Extent(side: 64), widths: [2, 2, 2, 2, 2], denseWidths: [3, 3, 3])
    let rules: [(Preprocessing, isHeld: Bool)] = [
      (.released(for: network.inputExtent), true),
      (
        Preprocessing(
          channelOrder: .bgr, mean: [1, 2.5, 3.25], scale: [0.017, 0.017, 0.017], resize: .shorterSide(74)),
        true
      ),
      (Preprocessing(channelOrder: .bgr, mean: [0, 0, 0], resize: .shorterSide(74)), true),
      (Preprocessing(channelOrder: .rgb, mean: [1, 2, 3], resize: .shorterSide(74)), false),
      (
        Preprocessing(channelOrder: .bgr, mean: [1, 2, 3], scale: [1, 2, 1], resize: .shorterSide(74)), false
      ),
      (Preprocessing(channelOrder: .bgr, mean: [1, 2, 1.0 / 3], resize: .shorterSide(74)), false),
      (Preprocessing(channelOrder: .bgr, mean: [1, 2, 3], resize: .stretch), false),
    ]
    for (rule, isHeld) in rules {
      var model = try Model.random(network, seed: 1)
      model.preprocessing = rule
      try withTemporaryFolder { (folder) throws in
        let result = try model.export(to: .caffe, at: "\(folder)/a.caffemodel")
        #expect(result.files.map(\.path) == ["\(folder)/a.caffemodel", "\(folder)/a.prototxt"])
        #expect(result.losses.contains(.preprocessing) != isHeld, "\(rule)")
      }
      if isHeld { #expect(try RoundTrip.caffe.imported(model).model.preprocessing == rule) }
    }
  }

  static let fixtures = [
    "caffe/vgg_a.caffemodel", "caffe/vgg_a_lrn.caffemodel", "caffe/vgg_a_lrn_k2.caffemodel",
    "caffe/vgg_b.caffemodel", "caffe/vgg_b_ceil_100.caffemodel", "caffe/vgg_c.caffemodel",
    "caffe/vgg_d_digits.caffemodel", "caffe/vgg_d_digits_v1.caffemodel", "caffe/vgg_e.caffemodel",
    "caffe_made/a_double.caffemodel", "caffe_made/a_fc_convolution.caffemodel",
    "caffe_made/a_nvcaffe_half.caffemodel", "caffe_made/a_trained_iter_2.caffemodel.h5",
    "caffe_made/a_v0.caffemodel", "caffe_made/a_v1_upgraded.caffemodel", "caffe_made/bn.caffemodel",
    "keras/vgg_c.h5", "keras/vgg_d_digits.keras", "keras/vgg_d_notop.h5", "keras/vgg_e.h5",
    "keras_real/keras_1.0.1_theano_th.h5", "keras_real/keras_3.15.1_gap.keras",
  ]

  @Test("What was imported from any source comes back with the same identity", arguments: fixtures)
  func sources(name: String) throws {
    let source = try OpenedModel(fixture(name))
    let written = try RoundTrip.caffe.imported(source.model)
    #expect(try written.weightsDigest() == source.weightsDigest())
    #expect(written.model.network == source.model.network)
    #expect(
      try RoundTrip.caffe.imported(source.model, prototxt: true).weightsDigest() == source.weightsDigest())
  }

  @Test("Poolings that round down are said only where Caffe would have one window more")
  func rounding() throws {
    for (side, isSaid) in [(64, false), (70, true)] {
      let network = try Network(
        .a, inputExtent: Extent(side: side), widths: [2, 2, 2, 2, 2], denseWidths: [3, 3, 3])
      try withTemporaryFolder { (folder) throws in
        let result = try Model.random(network, seed: 1).export(to: .caffe, at: "\(folder)/a.caffemodel")
        let text = String(decoding: try bytes(of: "\(folder)/a.prototxt"), as: UTF8.self)
        #expect(text.contains("round_mode: FLOOR") == isSaid)
        #expect(result.losses.contains { $0.text.contains("round_mode: FLOOR") } == isSaid)
      }
    }
  }

  @Test("Equal models give equal bytes, and the messages are those of Caffe's schema")
  func determinism() throws {
    let model = try Model.random(.random(.aLRN, seed: 4), seed: 1, types: [.float32, .float16])
    try withTemporaryFolder { (folder) throws in
      let first = try model.export(to: .caffe, at: "\(folder)/a.caffemodel")
      try model.export(to: .caffe, at: "\(folder)/b.caffemodel")
      #expect(first.losses.contains(.widened(.float16)))
      #expect(first.losses.contains(.other("holds the constants of norm1 as float32")))
      for suffix in ["caffemodel", "prototxt"] {
        #expect(try bytes(of: "\(folder)/a.\(suffix)") == bytes(of: "\(folder)/b.\(suffix)"))
      }
      let error = #expect(throws: FileError.self) {
        try model.export(to: .caffe, at: "\(folder)/a.caffemodel")
      }
      #expect(error?.kind == .cannotCreate)
    }
  }

  @Test("A constant that Caffe's layer ignores is refused by name")
  func withinChannel() throws {
    let network = try Network(
      .aLRN, inputExtent: Extent(side: 64), widths: [2, 2, 2, 2, 2], denseWidths: [3])
    let constants = LocalResponseNormalization(size: 3, scale: 1, beta: 1, k: 2, region: .withinChannel)
    let changed = Network(
      architecture: .aLRN, inputChannels: 3, inputExtent: network.inputExtent,
      layers: network.layers.map {
        $0.name == "norm1" ? Layer(name: "norm1", operation: .normalization(constants)) : $0
      })
    let model = try Model.random(changed, seed: 1)
    try withTemporaryFolder { (folder) throws in
      let error = #expect(throws: FileError.self) { try model.export(to: .caffe, at: "\(folder)/a") }
      #expect(error?.place == "layer norm1")
      #expect(try files(in: folder) == [])
    }
  }
}
