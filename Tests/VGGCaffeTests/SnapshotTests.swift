import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

@testable import VGGCaffe

/// HDF5 snapshots, written by `fixtures/make_caffe_cases.py` as Caffe lays them out.
@Suite struct SnapshotTests {
  static func model(
    _ name: String, prototxt: String? = nil, options: ImportOptions = ImportOptions()
  ) throws -> Model {
    try CaffeImporter.model(
      of: CaffeFile(MappedFile(path: fixture("caffe_cases/\(name)"))),
      prototxt: prototxt.map { CaffeFile(try MappedFile(path: fixture("caffe_cases/\($0)"))) },
      options: options)
  }

  static func control() throws -> Model { try FixtureTests.model("bad/control_ok.caffemodel") }

  @Test(arguments: [
    "snapshot", "snapshot_diff", "snapshot_compressed", "snapshot_slashes", "snapshot_new_head",
    "snapshot_convolutional",
  ])
  func allFormsGiveTheSameWeights(_ name: String) throws {
    let model = try Self.model("\(name).caffemodel.h5")
    let control = try Self.control()
    #expect(model.network == control.network)
    #expect(try FixtureTests.digest(model) == FixtureTests.digest(control))
    #expect(model.provenance.generation == "caffe-hdf5")
    #expect(model.provenance.decisions.contains { $0.subject == "layer-order" })
    #expect(model.provenance.decisions.contains { $0.subject == "structure" })
    let dropped = model.provenance.dropped.map(\.name)
    #expect(dropped.count == (name == "snapshot_diff" ? 22 : 0))
    #expect(dropped.allSatisfy { $0.hasPrefix("diff/") })
  }

  @Test func numbersAreTakenFromTheFileWhereTheyStand() throws {
    let model = try Self.model("snapshot.caffemodel.h5")
    let file = try MappedFile(path: fixture("caffe_cases/snapshot.caffemodel.h5")).bytes
    for tensor in model.tensors {
      let source = try #require(tensor.source)
      let offset = try #require(source.fileOffset)
      #expect(
        file.slice(at: offset, count: 4)?.withBytes(Array.init) == source.bytes.withBytes { Array($0[..<4]) })
    }
  }

  /// With a prototxt its order holds, and names need not say anything.
  @Test(arguments: ["snapshot", "snapshot_diff", "bad_snapshot_lrn"])
  func aPrototxtTellsTheOrder(_ name: String) throws {
    let model = try Self.model("\(name).caffemodel.h5", prototxt: "control.prototxt")
    #expect(try model.network == Self.control().network)
    #expect(try FixtureTests.digest(model) == FixtureTests.digest(Self.control()))
    #expect(!model.provenance.decisions.contains { ["layer-order", "structure"].contains($0.subject) })
    #expect(model.provenance.companions.map(\.name) == ["control.prototxt"])
  }

  @Test func batchNormalisationsNeedAPrototxt() throws {
    let snapshot = try Self.model("bn.caffemodel.h5", prototxt: "bn.prototxt")
    let binary = try Self.model("bn.caffemodel")
    #expect(snapshot.network == binary.network)
    #expect(try FixtureTests.digest(snapshot) == FixtureTests.digest(binary))
    #expect(snapshot.provenance.folded.map(\.name) == binary.provenance.folded.map(\.name))
    let error = #expect(throws: FileError.self) { try Self.model("bn.caffemodel.h5") }
    #expect(error?.code == "caffe.snapshot.order")
    #expect(error?.advice?.contains("--prototxt") == true)
  }

  @Test func constantsOfANormalisationCanBeGiven() throws {
    var options = ImportOptions()
    options.normalization = LocalResponseNormalization(size: 5, scale: 1e-4, beta: 0.75, k: 2)
    let model = try Self.model("bad_snapshot_lrn.caffemodel.h5", options: options)
    #expect(model.network.architecture == .aLRN)
  }

  @Test(
    arguments: [
      ("names", "snapshot.order", "layer blayer"), ("order", "snapshot.order", "layer conv5"),
      ("head", "snapshot.order", "layer extra"), ("lrn", "snapshot.order", "layer norm1"),
      ("shared", "snapshot.shared", "group data/conv3_2"),
      ("stray", "snapshot.unknown", "data/conv3_2/kernel"), ("link", "snapshot.unknown", "data/fc7/1"),
      ("integers", "blob.type", "layer fc7, blob 1"), ("stripped", "stripped", "layer fc7, blob 1"),
      ("bias", "blob.shape", "layer fc7, blob 1"), ("bomb", "snapshot.order", "layer fc7"),
    ])
  func isRefused(_ name: String, code: String, place: String) throws {
    let error = try #require(
      #expect(throws: FileError.self) { try Self.model("bad_snapshot_\(name).caffemodel.h5") })
    #expect(error.code == "caffe.\(code)")
    #expect(error.place == place)
    #expect((error.advice?.contains("--prototxt") ?? false) == (code == "snapshot.order"))
  }

  /// The prototxt says what shape there must be, before anything is decoded.
  @Test func aShapeBombIsRefusedUnread() {
    let error = #expect(throws: FileError.self) {
      try Self.model("bad_snapshot_bomb.caffemodel.h5", prototxt: "control.prototxt")
    }
    #expect(error?.code == "caffe.blob.shape")
  }

  @Test func snapshotsAreToldFromKerasFiles() throws {
    for name in [
      "caffe_cases/snapshot.caffemodel.h5", "keras_cases/bad_caffe_snapshot.h5",
      "caffe_cases/bad_solverstate.h5",
    ] {
      #expect(try CaffeImporter.writesLike(MappedFile(path: fixture(name))))
    }
    #expect(try !CaffeImporter.writesLike(MappedFile(path: fixture("keras/vgg_b.h5"))))
  }

  @Test func aSolverStateIsRefusedByName() {
    let error = #expect(throws: FileError.self) { try Self.model("bad_solverstate.h5") }
    #expect(error?.code == "caffe.kind.solverstate")
    #expect(throws: FileError.self) {
      try CaffeImporter.model(of: CaffeFile(MappedFile(path: fixture("bad/control_ok.h5"))))
    }
  }

  @Test func namesAreOrderedByTheirNumbers() {
    let names = [
      "conv1_1", "conv1_2", "conv1_10", "conv2_1", "conv02_2", "conv10_1", "fc6", "fc6-conv", "fc10",
    ]
    #expect(names.shuffled().sorted { $0.isBeforeByNumber($1) } == names)
    #expect("conv12_3".template == "conv#_#" && "9".template == "#" && "".template == "")
  }
}
