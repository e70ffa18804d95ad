import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import VGGKeras

/// Models that are made of several files.
@Suite struct KerasSourceTests {
  @Test(arguments: ["keras3_shards.weights.json", "keras3_shards_lists.weights.json"])
  func shardsHoldOneModel(_ name: String) throws {
    let model = try importedModel("keras_cases/\(name)")
    #expect(try model.values() == importedModel("bad/control_ok.h5").values())
    #expect(model.provenance.generation == "keras-3-shards")
    #expect(model.provenance.sourceName == name)
    #expect(
      model.provenance.companions.map(\.name)
        == (0..<3).map { "keras3_shards_0000\($0).weights.h5" })
  }

  /// The kernel of conv4_2 is the last of the first shard, its bias the first of the second.
  @Test func placesAreThoseInTheirShard() throws {
    let model = try importedModel("keras_cases/keras3_shards.weights.json")
    for (tensor, shard) in [("conv4_2/weight", 0), ("conv4_2/bias", 1), ("fc8/bias", 2)] {
      let file = try MappedFile(path: fixture("keras_cases/keras3_shards_0000\(shard).weights.h5"))
      let source = try #require(model.tensor(tensor)?.source)
      let offset = try #require(source.fileOffset)
      let inFile = try #require(file.bytes.slice(at: offset, count: source.bytes.count))
      let isSame = inFile.withBytes { wanted in source.bytes.withBytes { $0.elementsEqual(wanted) } }
      #expect(isSame, "\(tensor)")
    }
  }

  @Test func anUnpackedArchiveIsRead() throws {
    let model = try importedModel("keras_cases/keras3_folder")
    #expect(try model.values() == importedModel("bad/control_ok.h5").values())
    #expect(model.provenance.generation == "keras-3-folder")
    #expect(model.provenance.sourceName == "model.weights.h5")
    #expect(model.provenance.companions.map(\.name) == ["config.json", "metadata.json"])
    #expect(model.network.inputExtent == Extent(side: 64))
    #expect(model.tensor("fc6/weight")?.source?.fileOffset != nil)
  }

  @Test(arguments: [
    ("bad_shards_missing", "keras.shard.missing", "weight_map", "keras3_shards_00003.weights.h5"),
    (
      "bad_shards_elsewhere", "keras.shard.index", "/layers/dense/vars",
      "../keras_cases/keras3_shards_00002.weights.h5"
    ),
    ("bad_shards_wrong", "keras.shard.index", "layers/dense/vars", "keras3_shards_00000.weights.h5"),
    ("bad_shards_too_many", "keras.shard.index", "layers/dense_3/vars", "keras3_shards_00000.weights.h5"),
    ("bad_shards_unlisted", "keras.shard.index", "layers/dense_1/vars", "nothing"),
    ("bad_shards_size", "keras.shard.index", "total_size", "12345.0"),
    ("bad_shards_empty", "keras.shard.index", nil, nil),
    ("bad_shards_number", "keras.shard.index", "/layers/conv2d/vars", nil),
    ("bad_json", "keras.shard.index", "character 16", nil),
  ])
  func indicesThatDoNotFitAreRefused(
    _ name: String, _ code: String, _ place: String?, _ seen: String?
  ) throws {
    let error = try #require(throws: FileError.self) { try importedModel("keras_cases/\(name).weights.json") }
    #expect(error.code == code)
    #expect(error.place == place)
    #expect(error.seen == seen)
    #expect(error.file.hasSuffix("\(name).weights.json"))
    #expect(error.kind == (name == "bad_shards_missing" ? .missing : .malformed))
  }

  @Test(arguments: ["keras_cases/bad_folder", "keras_cases", "refs"])
  func anotherFolderIsNone(_ name: String) throws {
    #expect(try KerasSource(folder: fixture(name)) == nil)
  }
}
