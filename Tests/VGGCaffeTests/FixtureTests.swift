import TestSupport
import Testing
import VGGBytes
import VGGCaffe
import VGGModel
import VGGTensors

/// Files that Caffe wrote, against numbers that were read from their Keras twins with h5py.
@Suite struct FixtureTests {
  static func model(_ name: String, prototxt: String? = nil) throws -> Model {
    try CaffeImporter.model(
      of: CaffeFile(MappedFile(path: fixture(name))),
      prototxt: prototxt.map { CaffeFile(try MappedFile(path: fixture($0))) })
  }

  /// A digest of all values in order: FNV-1a over their bits.
  static func digest(_ model: Model) throws -> UInt64 {
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    for tensor in model.tensors {
      for value in try tensor.values.array() {
        digest = (digest ^ UInt64(value.bitPattern)) &* 0x100_0000_01b3
      }
    }
    return digest
  }

  struct Twin: Sendable {
    var file: String
    var architecture: Architecture
    var count: Int
    var digest: UInt64
  }

  @Test(arguments: [
    Twin(file: "vgg_d_digits", architecture: .d, count: 265522, digest: 0x8df7_c03d_de7c_67f0),
    Twin(file: "vgg_d_digits_v1", architecture: .d, count: 265522, digest: 0x8df7_c03d_de7c_67f0),
    Twin(file: "vgg_a_lrn", architecture: .aLRN, count: 179514, digest: 0x5a89_daef_d677_9356),
    Twin(file: "vgg_b", architecture: .b, count: 182418, digest: 0x6817_7696_596e_7bbd),
    Twin(file: "vgg_c", architecture: .c, count: 191794, digest: 0x99f4_e82d_38a3_4ce4),
    Twin(file: "vgg_e", architecture: .e, count: 348626, digest: 0xe270_4219_3d9f_f76a),
  ])
  func everyValueIsThatOfTheKerasFile(_ twin: Twin) throws {
    let model = try Self.model("caffe/\(twin.file).caffemodel")
    #expect(model.network.architecture == twin.architecture)
    #expect(model.parameterCount == twin.count)
    #expect(try Self.digest(model) == twin.digest)
    #expect(model.network.inputExtent == Extent(side: 64))
    #expect(model.network.classCount == 10)
    #expect(model.provenance.generation == (twin.file.hasSuffix("v1") ? "caffe-v1" : "caffe-v2"))
    #expect(model.provenance.dropped.isEmpty)
  }

  /// Positions in the native order and the bits of the values there.
  @Test(
    arguments: [
      ("conv1_1/weight", 59, 0x3afb_ea41), ("conv1_1/bias", 5, 0x3d5a_0149),
      ("conv5_3/weight", 25724, 0x3d01_dc72), ("fc6/weight", 0, 0x3d60_8d47),
      ("fc6/weight", 96, 0x3e41_7167), ("fc6/weight", 6151, 0xbd9e_955a),
      ("fc6/weight", 19295, 0x3d5f_0aef), ("fc7/weight", 378, 0x3d8c_50d1),
      ("fc8/weight", 959, 0xbd77_ba45), ("fc8/bias", 9, 0x3d60_1114),
    ] as [(String, Int, UInt32)])
  func singleValuesAreWhereTheyBelong(_ tensor: String, position: Int, bits: UInt32) throws {
    let model = try Self.model("caffe/vgg_d_digits_v1.caffemodel")
    let values = try #require(model.tensor(tensor)).values.array()
    #expect(values[position].bitPattern == bits)
  }

  @Test func normalizationIsTakenInItsMathematicalForm() throws {
    func normalization(_ name: String) throws -> LocalResponseNormalization? {
      let model = try Self.model(name)
      guard
        case .normalization(let found)? = model.network.layers.first(where: { $0.name == "norm1" })?.operation
      else { return nil }
      return found
    }
    let one = try #require(try normalization("caffe/vgg_a_lrn.caffemodel"))
    #expect(one.size == 5 && one.k == 1 && one.beta == 0.75 && one.region == .acrossChannels)
    #expect(abs(one.scale - 2e-5) < 1e-11)
    let paper = try #require(try normalization("caffe/vgg_a_lrn_k2.caffemodel"))
    #expect(paper.size == 5 && paper.k == 2 && paper.beta == 0.75)
    #expect(abs(paper.scale - 1e-4) < 1e-10)
  }

  @Test func poolingRoundsUp() throws {
    let model = try Self.model("caffe/vgg_b_ceil_100.caffemodel")
    #expect(model.network.inputExtent == Extent(side: 100))
    let shapes = try model.network.outputShapes(for: Extent(side: 100))
    let pools = zip(model.network.layers, shapes).filter { $0.0.name.hasPrefix("pool") }
    #expect(pools.map(\.1.extent.height) == [50, 25, 13, 7, 4])
  }

  @Test(arguments: [
    ("vgg_d_digits", "vgg_d_digits_deploy"), ("vgg_d_digits_v1", "vgg_d_digits_v1_deploy"),
    ("vgg_d_digits_v1", "vgg_d_digits_deploy"), ("vgg_d_digits", "vgg_d_digits_v1_deploy"),
    ("vgg_a", "vgg_a"),
    ("vgg_a_lrn", "vgg_a_lrn"), ("vgg_b", "vgg_b"), ("vgg_c", "vgg_c"), ("vgg_e", "vgg_e"),
    ("vgg_a_lrn_k2", "vgg_a_lrn_k2"), ("vgg_b_ceil_100", "vgg_b_ceil_100"),
  ])
  func thePrototxtChangesNothing(_ name: String, prototxt: String) throws {
    let without = try Self.model("caffe/\(name).caffemodel")
    let with = try Self.model("caffe/\(name).caffemodel", prototxt: "caffe/\(prototxt).prototxt")
    #expect(with.network == without.network)
    #expect(with.preprocessing == without.preprocessing)
    #expect(try Self.digest(with) == Self.digest(without))
  }

  @Test func aPrototxtOfAnotherNetworkIsRefused() throws {
    let error = #expect(throws: FileError.self) {
      try Self.model("caffe/vgg_a_lrn.caffemodel", prototxt: "caffe/vgg_a_lrn_k2.prototxt")
    }
    #expect(error?.code == "caffe.prototxt.contradiction")
    #expect(error?.allowed?.contains("vgg_a_lrn_k2.prototxt") == true)
  }

  @Test func preprocessingIsThatOfTheReleasedModels() throws {
    let model = try Self.model("caffe/vgg_a.caffemodel")
    #expect(model.preprocessing == .released(for: Extent(side: 64)))
    #expect(
      model.provenance.decisions.contains {
        $0.subject == "preprocessing" && $0.evidence.contains("no mean in the file")
      })
  }

  @Test func theControlIsAccepted() throws {
    let model = try Self.model("bad/control_ok.caffemodel")
    #expect(model.network.architecture == .a)
  }

  struct Bad: Sendable {
    var file: String
    var code: String
    var offset: Int
    var place: String
    var seen: String
    var kind = FileError.Kind.malformed
  }

  @Test(arguments: [
    Bad(
      file: "truncated", code: "caffe.wire.length", offset: 8555, place: "NetParameter",
      seen: "field 100 of 2408 bytes"),
    Bad(
      file: "blob_shape_disagrees", code: "caffe.blob.count", offset: 920, place: "layer conv3_1, blob 0",
      seen: "[4, 5, 3, 3] = 180"),
    Bad(
      file: "blob_dim_negative", code: "caffe.blob.dims", offset: 920, place: "layer conv3_1, blob 0",
      seen: "[-4, -4, 3, 3]"),
    Bad(
      file: "blob_dim_huge", code: "caffe.blob.dims", offset: 920, place: "layer conv3_1, blob 0",
      seen: "[2147483648, 2147483648, 2147483648, 4]"),
    Bad(
      file: "field_past_end", code: "caffe.wire.length", offset: 2308, place: "NetParameter",
      seen: "field 100 of 1000000 bytes"),
    Bad(
      file: "unknown_layer_type", code: "caffe.layer.type", offset: 1579, place: "layer conv3_2",
      seen: "FlowWarpDeformable", kind: .unsupported),
  ])
  func badFilesAreRefused(_ bad: Bad) throws {
    let error = try #require(#expect(throws: FileError.self) { try Self.model("bad/\(bad.file).caffemodel") })
    #expect(error.code == bad.code)
    #expect(error.offset == bad.offset)
    #expect(error.place == bad.place)
    #expect(error.seen == bad.seen)
    #expect(error.kind == bad.kind)
  }
}
