import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGExport
import VGGModel
import VGGSources
import VGGTensors

@Suite("Files for Keras") struct KerasExportTests {
  static let normalization = LocalResponseNormalization(size: 5, scale: 1e-4, beta: 0.75, k: 2)

  @Test(
    "Any network comes back from a whole model as it was", arguments: Architecture.allCases,
    0..<8 as Range<UInt64>)
  func networks(architecture: Architecture, seed: UInt64) throws {
    guard architecture != .aLRN else { return }
    let model = try Model.random(.random(architecture, seed: seed), seed: seed)
    for form in RoundTrip.keras where form.isWhole {
      let written = try form.imported(model).model
      #expect(written.network == model.network, "\(form.name)")
      #expect(try written.differences(from: model) == [], "\(form.name)")
      #expect(written.provenance.dropped == [])
    }
  }

  @Test(
    "The paper's networks come back from weights alone", arguments: Architecture.allCases, RoundTrip.keras)
  func weights(architecture: Architecture, form: RoundTrip) throws {
    guard !form.isWhole else { return }
    let network = try Network(
      architecture, inputExtent: Extent(side: 64), widths: [3, 4, 5, 6, 7], denseWidths: [9, 8, 7])
    let model = try Model.random(network, seed: 3)
    let written = try form.imported(model) {
      if architecture == .aLRN { $0.normalization = Self.normalization }
    }.model
    #expect(written.network == network)
    #expect(try written.differences(from: model) == [])
    #expect(written.provenance.dropped == [])
  }

  @Test("Features without dense layers, and for any input", arguments: RoundTrip.keras)
  func features(form: RoundTrip) throws {
    let whole = try Network(.d, inputExtent: Extent(side: 64), widths: [3, 4, 5, 6, 7]).withoutDense
    let anySize = Network(architecture: .d, inputChannels: 3, inputExtent: nil, layers: whole.layers)
    for network in [whole, anySize] {
      let model = try Model.random(network, seed: 5)
      let written = try form.imported(model).model
      #expect(written.network.layers == network.layers)
      if form.isWhole { #expect(written.network.inputExtent == network.inputExtent) }
      #expect(try written.differences(from: model) == [])
    }
  }

  static let fixtures = [
    "keras/vgg_a_digits.h5", "keras/vgg_b.h5", "keras/vgg_c.h5", "keras/vgg_d_digits.h5",
    "keras/vgg_d_digits_full.h5", "keras/vgg_d_digits.keras", "keras/vgg_d_digits.weights.h5",
    "keras/vgg_d_mnist.weights.h5", "keras/vgg_d_notop.h5", "keras/vgg_e.h5",
    "keras_real/keras_0.2.0_theano_gist.h5", "keras_real/keras_0.3.3_theano_graph.h5",
    "keras_real/keras_1.0.1_theano_th.h5", "keras_real/keras_1.0.8_theano_bn_full.h5",
    "keras_real/keras_1.2.2_tensorflow_tf.h5", "keras_real/keras_2.1.5_theano_first_full.h5",
    "keras_real/keras_2.2.4_tensorflow_nested_frozen_full.h5",
    "keras_real/keras_2.3.1_tensorflow_gap_full.h5",
    "keras_real/keras_3.12.0_int4.weights.h5", "keras_real/keras_3.15.1_bn.keras",
    "keras_real/keras_3.15.1_gap.keras", "keras_real/keras_3.15.1_int8.keras",
    "keras_real/keras_3.15.1_float16.weights.h5", "keras_real/tf.keras_2.12.0_a.keras",
    "caffe/vgg_a.caffemodel", "caffe/vgg_b_ceil_100.caffemodel", "caffe/vgg_c.caffemodel",
    "caffe/vgg_d_digits_v1.caffemodel", "caffe/vgg_e.caffemodel", "caffe_made/a_v0.caffemodel",
  ]

  @Test("What was imported from any source comes back with the same identity", arguments: fixtures)
  func sources(name: String) throws {
    let source = try OpenedModel(fixture(name))
    let digest = try source.weightsDigest()
    for form in RoundTrip.keras {
      let activation = source.model.network.head?.activation
      let written = try form.imported(source.model) { if !form.isWhole { $0.headActivation = activation } }
      #expect(try written.weightsDigest() == digest, "\(form.name)")
      #expect(
        written.model.provenance.generation
          == [
            "a.keras": "keras-3-archive", "a.weights.h5": "keras-3-weights", "a_full.h5": "keras-2-model",
            "a.h5": "keras-2-weights",
          ][form.name])
      if form.isWhole { #expect(written.model.network == source.model.network, "\(form.name)") }
    }
  }

  @Test("Equal models give equal bytes; nothing is written twice", arguments: RoundTrip.keras)
  func determinism(form: RoundTrip) throws {
    let model = try Model.random(.random(.c, seed: 1), seed: 1)
    try withTemporaryFolder { (folder) throws in
      for folder in ["\(folder)/a", "\(folder)/b"] {
        try makeFolder(folder)
        try model.export(to: form.format, at: "\(folder)/\(form.name)", options: form.options)
      }
      #expect(try bytes(of: "\(folder)/a/\(form.name)") == bytes(of: "\(folder)/b/\(form.name)"))
      let error = #expect(throws: FileError.self) {
        try model.export(to: form.format, at: "\(folder)/a/\(form.name)", options: form.options)
      }
      #expect(error?.kind == .cannotCreate)
    }
  }

  @Test("A layer that Keras lacks is refused by name, or said where only weights are written")
  func normalization() throws {
    let model = try Model.random(.random(.aLRN, seed: 1, isSquare: true), seed: 1)
    try withTemporaryFolder { (folder) throws in
      for form in RoundTrip.keras {
        func export() throws -> ExportResult {
          try model.export(to: form.format, at: "\(folder)/\(form.name)", options: form.options)
        }
        if form.isWhole {
          let error = #expect(throws: FileError.self) { try export() }
          #expect(error?.kind == .unsupported)
          #expect(error?.place == "layer norm1")
          #expect(error?.advice?.contains("--weights-only") == true)
        } else {
          #expect(try export().losses.contains { $0.text.contains("--lrn 5,0.0005,0.75,2.0") })
        }
      }
      #expect(try files(in: folder) == ["a.h5", "a.weights.h5"])
    }
  }

  @Test("A pooling that rounds up otherwise than Keras can is refused by name")
  func pooling() throws {
    let plain = try Network(.a, inputExtent: Extent(side: 64), widths: [2, 2, 2, 2, 2]).withoutDense
    var pooling = Pooling(rounding: .ceiling)
    pooling.kernel = Extent(side: 3)
    let layers = plain.layers.map {
      $0.name == "pool2" ? Layer(name: "pool2", operation: .pooling(pooling)) : $0
    }
    let network = Network(
      architecture: .a, inputChannels: 3, inputExtent: plain.inputExtent, layers: layers)
    let model = try Model.random(network, seed: 1)
    try withTemporaryFolder { (folder) throws in
      for form in RoundTrip.keras where form.isWhole {
        let error = #expect(throws: FileError.self) {
          try model.export(to: form.format, at: "\(folder)/\(form.name)")
        }
        #expect(error?.kind == .unsupported)
        #expect(error?.place == "layer pool2")
      }
    }
  }

  @Test("What is widened, and what is not in the file, is said")
  func losses() throws {
    var model = try Model.random(.random(.a, seed: 1), seed: 1, types: [.float32, .float16, .bfloat16])
    model.labels = ["a"]
    try withTemporaryFolder { (folder) throws in
      let result = try model.export(to: .keras, at: "\(folder)/a.keras")
      #expect(
        result.losses == [.widened(.float16), .widened(.bfloat16), .preprocessing, .labels, .provenance])
    }
  }

  @Test("A full disk leaves no file")
  func fullDisk() throws {
    let model = try Model.random(.random(.a, seed: 1), seed: 1)
    for form in RoundTrip.keras + [.caffe] {
      #expect(throws: FileError.self) {
        try model.export(to: form.format, at: "/dev/full", options: form.options)
      }
    }
  }
}
