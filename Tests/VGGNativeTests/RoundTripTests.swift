import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGNative
import VGGTensors

/// What is written is what is read.
@Suite struct RoundTripTests {
  @Test(arguments: Architecture.allCases, [0, 3, 6])
  func writingAndReadingIsIdentity(_ architecture: Architecture, firstEncoding: Int) throws {
    let model = try TestModels.model(
      TestModels.network(architecture), firstEncoding: firstEncoding, seed: UInt64(firstEncoding))
    try withTemporaryFolder { folder in
      try VGGWFile.write(model, to: "\(folder)/a.vggw", tool: "test 1")
      let file = try VGGWFile.open(path: "\(folder)/a.vggw")
      #expect(file.model.network == model.network)
      #expect(file.model.preprocessing == model.preprocessing)
      #expect(file.model.labels == model.labels)
      #expect(file.model.provenance == model.provenance)
      #expect(file.tool == "test 1")
      #expect(file.model.tensors.map(\.name) == model.tensors.map(\.name))
      #expect(file.model.tensors.map(\.elementType) == model.tensors.map(\.elementType))
      #expect(file.model.tensors.map(\.storage) == model.tensors.map(\.storage))
      #expect(file.model.tensors.map(\.quantization) == model.tensors.map(\.quantization))
      #expect(try file.model.valueBits() == model.valueBits())
      #expect(try file.weightsDigest == VGGWFile.weightsDigest(of: model))
      try file.checkStoredBytes()
      try file.checkValues()
      for record in file.tensorRecords { #expect(record.offset % 64 == 0) }
    }
  }

  @Test(arguments: [0.0, 0.1, 0.9, 1.0])
  func everyDensityOfSparseTensors(_ density: Double) throws {
    let model = try TestModels.model(TestModels.network(), firstEncoding: 1, density: density)
    try withTemporaryFolder { folder in
      try VGGWFile.write(model, to: "\(folder)/a.vggw")
      #expect(try VGGWFile.open(path: "\(folder)/a.vggw").model.valueBits() == model.valueBits())
    }
  }

  @Test func networksWithoutTopLabelsOrPreprocessing() throws {
    let network = try Network(
      .c, inputExtent: Extent(height: 64, width: 96), inputChannels: 1, widths: [1, 2, 1, 2, 1],
      denseWidths: [])
    let bare = Network(
      architecture: .c, inputChannels: 1, inputExtent: nil, layers: network.layers)
    for network in [network, bare] {
      var model = try TestModels.model(network)
      model.preprocessing = nil
      model.labels = []
      try withTemporaryFolder { folder in
        try VGGWFile.write(model, to: "\(folder)/a.vggw")
        let read = try VGGWFile.open(path: "\(folder)/a.vggw").model
        #expect(read.network == network && read.preprocessing == nil && read.labels.isEmpty)
      }
    }
  }

  /// Beginnings of networks, heads without a softmax and a sixth pooling: what an older reader would refuse or get wrong sets
  /// a bit of the header, and a file of them says 1.3.
  @Test(arguments: [
    (8, HeadActivation.sigmoid, nil as Pooling?, UInt64(0b110)), (8, .softmax, nil, 0b010),
    (10, .linear, nil, 0b100), (10, .relu, nil, 0b100), (10, .softmax, Pooling(), 0b1000),
    (8, .relu, Pooling(global: .average), 0b111),
  ])
  func partsOfNetworksAndOtherHeads(
    _ count: Int, _ activation: HeadActivation, _ sixth: Pooling?, _ bits: UInt64
  ) throws {
    let network = try TestModels.partialNetwork(count, activation, sixth)
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.vggw"
      try VGGWFile.write(try TestModels.model(network), to: path)
      let bytes = try MappedFile(path: path).bytes
      #expect(bytes.integer(at: 16, as: UInt64.self) == bits)
      #expect(bytes.integer(at: 10, as: UInt16.self) == 3)
      let read = try VGGWFile.open(path: path).model.network
      #expect(read == network && read.head?.activation == activation)
      #expect(read.cut == (count == 8 ? "pool4" : nil))
    }
  }

  /// A reader that does not know it would take the wrong window, so the header must say that it is there.
  @Test(arguments: [Pooling.Method.average, .maximum])
  func poolingsOverTheWholeMapAreARequiredFeature(_ method: Pooling.Method) throws {
    let plain = try TestModels.network(.a)
    let features = try Network(.a, inputExtent: Extent(side: 96), widths: [2, 3, 4, 3, 5], denseWidths: [])
    let network = Network(
      architecture: .a, inputChannels: 3, inputExtent: Extent(side: 96),
      layers: features.layers + [Layer(name: "pool6", operation: .pooling(Pooling(global: method)))]
        + (Head([Dense(inputs: 5, outputs: 4, activation: .none)], activation: .softmax)?.layers ?? []))
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.vggw"
      for (network, features) in [(plain, UInt64(0)), (network, 1)] {
        var model = try TestModels.model(network)
        model.provenance.passes = []
        try VGGWFile.write(model, to: path, overwrite: true)
        #expect(try MappedFile(path: path).bytes.integer(at: 16, as: UInt64.self) == features)
        #expect(try MappedFile(path: path).bytes.integer(at: 10, as: UInt16.self) == (features == 1 ? 2 : 1))
        let read = try VGGWFile.open(path: path).model
        #expect(read.network == network)
        #expect(try read.valueBits() == model.valueBits())
      }
    }
  }

  /// More than one digest block and many sparse blocks, of values that must be read in ranges.
  @Test(arguments: TestModels.encodings.indices)
  func tensorsOfManyBlocks(_ encoding: Int) throws {
    let (type, storage) = TestModels.encodings[encoding]
    let model = try TestModels.largeModel(encoding: encoding)
    try withTemporaryFolder { folder in
      try VGGWFile.write(model, to: "\(folder)/a.vggw")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.vggw"])
      let file = try VGGWFile.open(path: "\(folder)/a.vggw")
      try file.checkStoredBytes()
      try file.checkValues()
      #expect(try file.weightsDigest == VGGWFile.weightsDigest(of: model, scratchFolder: folder))
      let record = try #require(file.tensorRecords.first { $0.name == "fc8/weight" })
      #expect(record.storage == storage && record.elementType == type)
      let expected = try #require(model.tensor("fc8/weight")).values
      let found = try #require(file.model.tensor("fc8/weight")).values
      var generator = SeededGenerator(seed: 7)
      for length in [0, 1, 63, 64, 65, 1003, 65_535, 65_537, 200_000] {
        let start = Int.random(in: 0...expected.count - length, using: &generator)
        let ranges = [start..<start + length, expected.count - length..<expected.count, 0..<length]
        for range in ranges {
          let same = try expected.withValues(range) { Array($0) } == found.withValues(range) { Array($0) }
          #expect(same, "\(range)")
        }
      }
    }
  }

  @Test func equalModelsGiveEqualBytes() throws {
    let model = try TestModels.model(TestModels.network(.aLRN))
    try withTemporaryFolder { folder in
      try VGGWFile.write(model, to: "\(folder)/a.vggw")
      try VGGWFile.write(VGGWFile.open(path: "\(folder)/a.vggw").model, to: "\(folder)/b.vggw")
      let (a, b) = (
        FileManager.default.contents(atPath: "\(folder)/a.vggw"),
        FileManager.default.contents(atPath: "\(folder)/b.vggw")
      )
      #expect(a != nil && a == b)
    }
  }

  @Test func theSourcesAreDigestedMeanwhile() throws {
    var model = try TestModels.model(TestModels.network())
    model.provenance.sourceSHA256 = []
    let sources = ["abc", "prototxt"].map { ByteRegion(copying: Array($0.utf8)) }
    try withTemporaryFolder { folder in
      try VGGWFile.write(model, to: "\(folder)/a.vggw", sources: sources)
      let provenance = try VGGWFile.open(path: "\(folder)/a.vggw").model.provenance
      #expect(provenance.sourceSHA256 == sha256(of: sources[0]).bytes)
      #expect(provenance.companions[0].sha256 == sha256(of: sources[1]).bytes)
    }
  }

  /// What 1.0 can say is written as 1.0, so that its readers lose nothing.
  @Test func theVersionIsTheLeastThatWillDo() throws {
    var model = try TestModels.model(TestModels.network())
    try withTemporaryFolder { folder in
      for (companions, minor) in [
        (model.provenance.companions, 3), (model.provenance.companions, 1), ([], 0),
      ] {
        model.provenance.companions = companions
        if minor < 3 { model.provenance.passes = [] }
        if minor == 0 { model.provenance.folded = [] }
        try VGGWFile.write(model, to: "\(folder)/a.vggw", overwrite: true)
        #expect(try VGGWFile.open(path: "\(folder)/a.vggw").formatVersion == (1, minor))
      }
    }
  }

  /// However they are stored, the same values have the same identity.
  @Test func identityDoesNotDependOnTheEncoding() throws {
    let model = try TestModels.model(TestModels.network())
    let plain = model.mappingTensors { $0.replacing(values: $0.values) }
    #expect(try VGGWFile.weightsDigest(of: plain) == VGGWFile.weightsDigest(of: model))
    let other = model.mappingTensors { tensor in
      guard tensor.name == "fc8/bias" else { return tensor }
      return tensor.replacing(values: MemoryValues([0, 0, 0, -0.0]))
    }
    #expect(try VGGWFile.weightsDigest(of: other) != VGGWFile.weightsDigest(of: model))
  }
}
