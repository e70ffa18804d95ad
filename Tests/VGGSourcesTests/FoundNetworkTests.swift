import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

/// What makes a VGG of weights, and what is refused.
@Suite struct FoundNetworkTests {
  static func tensor(_ shape: [Int], _ layout: SourceLayout, name: String = "t") -> SourceTensor {
    let values = Array(repeating: Float(0.5), count: shape.reduce(1, *))
    return SourceTensor(
      name: name, shape: shape, format: .float32,
      bytes: ByteRegion(copying: values.withUnsafeBytes { Array($0) }), layout: layout)
  }

  /// A network of a few channels as an importer would find it.
  static func found(
    _ architecture: Architecture, widths: [Int] = [2, 3, 4, 5, 6], dense: [Int] = [7, 8, 9], side: Int = 2
  ) -> FoundNetwork {
    var inputs = 3
    var convolutions: [FoundNetwork.WeightedLayer] = []
    for (block, sides) in architecture.kernelSides.enumerated() {
      for (index, side) in sides.enumerated() {
        convolutions.append(
          FoundNetwork.WeightedLayer(
            name: "block\(block + 1)_conv\(index + 1)",
            weight: tensor([side, side, inputs, widths[block]], .hwio), bias: tensor([widths[block]], .vector)
          ))
        inputs = widths[block]
      }
    }
    inputs *= side * side
    var layers: [FoundNetwork.WeightedLayer] = []
    for (index, outputs) in dense.enumerated() {
      layers.append(
        FoundNetwork.WeightedLayer(
          name: "fc\(index + 1)", weight: tensor([inputs, outputs], .inOut), bias: tensor([outputs], .vector))
      )
      inputs = outputs
    }
    return FoundNetwork(
      convolutions: convolutions, dense: layers, flattenOrder: .hwc,
      poolings: .unknown(Pooling()),
      normalization: architecture == .aLRN ? .paper : nil)
  }

  static func model(_ found: FoundNetwork, options: ImportOptions = ImportOptions()) throws(FileError)
    -> Model
  {
    try Model(
      found, file: "f.h5", preprocessing: nil,
      provenance: Provenance(sourceName: "f.h5", sourceByteCount: 0, format: "test", generation: "test"),
      options: options)
  }

  @Test(arguments: Architecture.allCases, [0, 1, 2, 3])
  func allSixNetworksAreIdentified(_ architecture: Architecture, denseCount: Int) throws {
    let model = try Self.model(Self.found(architecture, dense: Array([7, 8, 9].prefix(denseCount))))
    #expect(model.network.architecture == architecture)
    #expect(model.network.hasTop == (denseCount > 0))
    #expect(model.network.classCount == [nil, 7, 8, 9][denseCount])
    #expect(model.network.inputExtent == (denseCount > 0 ? Extent(side: 64) : nil))
    #expect(model.tensors.first?.name == "conv1_1/weight")
    #expect(model.tensors.count == 2 * (architecture.convolutionCount + denseCount))
  }

  @Test func wrongChainsAreRefused() throws {
    var broken = Self.found(.d)
    broken.convolutions[5].weight = Self.tensor([3, 3, 9, 4], .hwio)
    let error = #expect(throws: FileError.self) { try Self.model(broken) }
    #expect(error?.code == "model.chain")
    #expect(error?.place == "layer block3_conv2, which is conv3_2")
    #expect(error?.seen == "9 input channels")
    #expect(error?.kind == .malformed)
  }

  @Test func otherNetworksAreRefused() throws {
    var nine = Self.found(.a)
    nine.convolutions.append(nine.convolutions[7])
    #expect(throws: FileError.self) { try Self.model(nine) }
    var fiveByFive = Self.found(.a)
    fiveByFive.convolutions[3].weight = Self.tensor([5, 5, 4, 4], .hwio)
    let error = #expect(throws: FileError.self) { try Self.model(fiveByFive) }
    #expect(error?.code == "model.kernel")
    var swapped = Self.found(.c)  // 1x1 must be the third of its block
    swapped.convolutions.swapAt(5, 6)
    #expect(throws: FileError.self) { try Self.model(swapped) }
  }

  @Test func denseLayersThatDoNotFitAreRefused() throws {
    var found = Self.found(.a, side: 2)
    found.dense[0].weight = Self.tensor([6 * 5, 7], .inOut)
    let error = #expect(throws: FileError.self) { try Self.model(found) }
    #expect(error?.code == "model.flatten")
    found = Self.found(.a, side: 2)
    found.inputExtent = Extent(side: 96)
    #expect(throws: FileError.self) { try Self.model(found) }
    found.inputExtent = Extent(side: 64)
    #expect(try Self.model(found).network.inputExtent == Extent(side: 64))
  }

  @Test func nonFiniteValuesAreRefusedUnlessAskedFor() throws {
    var found = Self.found(.b)
    let values: [Float] = [0, .nan, 0, 0]
    found.convolutions[4].bias = SourceTensor(
      name: "block3_conv1/bias", shape: [4], format: .float32,
      bytes: ByteRegion(copying: values.withUnsafeBytes { Array($0) }), layout: .vector, fileOffset: 1000)
    let error = #expect(throws: FileError.self) { try Self.model(found) }
    #expect(error?.offset == 1004)
    #expect(error?.place == "tensor block3_conv1/bias, element 1")
    var options = ImportOptions()
    options.allowsNonFinite = true
    #expect(try Self.model(found, options: options).network.architecture == .b)
  }

  @Test func anotherArchitectureThanAskedForIsRefused() throws {
    var options = ImportOptions()
    options.architecture = .e
    let error = #expect(throws: FileError.self) { try Self.model(Self.found(.d), options: options) }
    #expect(error?.allowed == "E")
  }

  @Test func messagesAreOneSafeLine() {
    let error = FileError(
      .malformed, code: "x", file: "a\u{1B}[31m.h5", "is wrong\n", offset: 3, place: "tensor t", seen: "1",
      allowed: "2", advice: "try again")
    #expect(
      error.description
        == "a\\u{1b}[31m.h5: is wrong\\u{a} (tensor t, offset 3, seen 1, allowed 2); try again")
  }
}
