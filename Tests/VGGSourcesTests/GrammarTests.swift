import Testing
import VGGModel
import VGGSources
import VGGTensors

/// Which chains of layers are a VGG, whatever format they come from.
@Suite struct GrammarTests {
  typealias Operation = NeutralLayer.Operation

  static func convolution(
    _ side: Int = 3, padding: Int? = nil, _ change: (inout NeutralLayer.Window) -> Void = { _ in }
  ) -> Operation {
    var window = NeutralLayer.Window(
      kernel: Extent(side: side), padding: Extent(side: padding ?? side / 2))
    change(&window)
    return .convolution(window)
  }

  static let relu = Operation.activation(.relu)
  static let pooling = Operation.pooling(Pooling())
  /// A block of one convolution.
  static let block = [convolution(), relu, pooling]
  static let fiveBlocks = Array(repeating: block, count: 5).flatMap(\.self)
  static let head = [Operation.flatten, .dense, relu, .identity, .dense, .activation(.softmax)]

  static func parse(
    _ operations: [Operation], _ change: (inout VGGGrammar) -> Void = { _ in }
  ) throws(GrammarRefusal) -> ParsedNetwork {
    var grammar = VGGGrammar()
    change(&grammar)
    return try grammar.parse(
      operations.enumerated().map { NeutralLayer(name: "layer\($0)", operation: $1) })
  }

  @Test func aWholeNetworkIsTakenApart() throws {
    let parsed = try Self.parse([.inputTransformation] + Self.fiveBlocks + Self.head)
    #expect(parsed.weighted.map(\.layer) == [1, 4, 7, 10, 13, 17, 20])
    #expect(parsed.weighted.map(\.isHead) == Array(repeating: false, count: 5) + [true, true])
    #expect(parsed.poolings.map(\.convolutionCount) == [1, 2, 3, 4, 5])
    #expect(parsed.flatten == 16 && parsed.headPooling == nil)
    #expect(parsed.headActivation?.layer == 21 && parsed.headActivation?.kind == .softmax)
  }

  @Test func aPoolingThatBelongsToNoBlockIsTheHeads() throws {
    for pooling in [Pooling(), Pooling(global: .average)] {
      let parsed = try Self.parse(Self.block + [.pooling(pooling)])
      #expect(parsed.poolings.count == 1)
      #expect(parsed.headPooling?.pooling == pooling && parsed.headPooling?.layer == 3)
    }
  }

  @Test(arguments: [(7, 1), (2, 5), (1, 2)])
  func convolutionsOverTheWholeMapAreTheHead(_ side: Int, blocks: Int) throws {
    let parsed = try Self.parse(
      Array(Self.fiveBlocks.prefix(3 * blocks))
        + [Self.convolution(side, padding: 0), Self.relu, Self.convolution(1), .activation(.sigmoid)])
    #expect(parsed.weighted.map(\.isHead) == Array(repeating: false, count: blocks) + [true, true])
    #expect(parsed.headActivation?.kind == .sigmoid)
  }

  @Test(
    arguments: [
      ([convolution(), .batchNormalization, relu], NormalizationPlace.beforeActivation),
      ([convolution(), relu, .batchNormalization, .scale], .behindActivation),
      ([convolution(), relu, pooling, .scale], .behindPooling),
    ] as [([Operation], NormalizationPlace)])
  func normalizationsBelongToTheLayerBeforeThem(_ operations: [Operation], place: NormalizationPlace) throws {
    let layer = try #require(try Self.parse(operations).weighted.first)
    let found = place == .beforeActivation ? layer.normalization : layer.outputNormalization
    #expect(found?.place == place)
    for (index, operation) in operations.enumerated() {
      let isPart = operation == .batchNormalization || operation == .scale
      #expect(found?.contains(index) == isPart)
    }
  }

  @Test func zerosInFrontCountAsPadding() throws {
    let parsed = try Self.parse([.padding(Extent(side: 1)), Self.convolution(padding: 0), Self.relu])
    #expect(parsed.weighted.count == 1)
  }

  /// What a format leaves out or leaves open.
  @Test func formatsDiffer() throws {
    let bare = [Self.convolution(), Self.convolution(), Self.convolution(7), .dense]
    let parsed = try Self.parse([Self.convolution(), .batchNormalization, Self.convolution(7, padding: 0)]) {
      $0.listsAllLayers = false
      $0.normalizationPlace = .behindActivation
    }
    #expect(parsed.weighted.map(\.isHead) == [false, true] && parsed.headActivation == nil)
    #expect(parsed.weighted[0].outputNormalization?.statistics == 1)
    #expect(throws: GrammarRefusal.self) { try Self.parse(bare) { $0.listsAllLayers = false } }
    let linear = Self.block + [.dense, .dense, .loss(.sigmoid)]
    let regression = try Self.parse(linear) {
      $0.denseLayersFlatten = true
      $0.allowsLinearHiddenLayers = true
    }
    #expect(regression.headActivation?.layer == 5 && regression.weighted.last?.activation == nil)
    var wide = Pooling()
    wide.kernel = Extent(side: 3)
    let widely = [Self.convolution(), Self.relu, .pooling(wide)]
    #expect(try Self.parse(widely) { $0.allowsAnyPooling = true }.poolings.map(\.pooling) == [wide])
    #expect(try #require(Self.refusal(widely)).reason == .setting(.poolingWindow, allowed: "2x2"))
  }

  static func refusal(_ operations: [Operation]) -> GrammarRefusal? {
    do throws(GrammarRefusal) {
      _ = try parse(operations)
      return nil
    } catch {
      return error
    }
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var operations: [Operation]
    var layer: Int?
    var reason: GrammarRefusal.Reason

    init(_ name: String, _ operations: [Operation], _ layer: Int?, _ reason: GrammarRefusal.Reason) {
      (testDescription, self.operations, self.layer, self.reason) = (name, operations, layer, reason)
    }
  }

  static let cases = [
    Case("nothing", [.identity], nil, .noConvolutions),
    Case("only a head", [.flatten, .dense], 0, .noConvolutions),
    Case("a kernel of 5x5", [convolution(5)], 0, .setting(.kernel, allowed: "3x3 or 1x1")),
    Case(
      "a stride", [convolution { $0.stride = Extent(side: 2) }], 0, .setting(.stride, allowed: "1x1")),
    Case(
      "a dilation", [convolution { $0.dilation = Extent(side: 2) }], 0, .setting(.dilation, allowed: "1x1")),
    Case("groups", [convolution { $0.groups = 2 }], 0, .setting(.groups, allowed: "1")),
    Case("no padding", [convolution(padding: 0)], 0, .setting(.padding, allowed: "1x1")),
    Case(
      "no padding behind a pooling", block + [convolution(padding: 0), relu, convolution()], 3,
      .setting(.padding, allowed: "1x1")),
    Case(
      "a reduced head", fiveBlocks + [convolution(padding: 6) { $0.dilation = Extent(side: 6) }], 15,
      .reducedHead),
    Case("no ReLU", [convolution(), convolution()], 0, .noActivation(before: 1)),
    Case("no ReLU at the end", block + [convolution()], 3, .noActivation(before: nil)),
    Case("no ReLU in the head", block + [.flatten, .dense, .dense], 4, .noActivation(before: 5)),
    Case("a map that is not flattened", block + [.dense], 3, .unflattened),
    Case(
      "an activation of another kind", [convolution(), .activation(nil)], 1,
      .activation(allowed: [.relu, .linear])),
    Case(
      "a dense layer behind the softmax", fiveBlocks + head + [.dense], 21,
      .behindEnd(activation: 20, of: 19)),
    Case(
      "a softmax of features", [convolution(), .activation(.softmax)], 1,
      .misplaced(
        seen: "no dense layers in front of it", allowed: "one behind the last dense layer, without a ReLU")),
    Case(
      "two ReLUs", [convolution(), relu, relu], 2,
      .misplaced(seen: "behind layer1", allowed: "one behind each layer with weights")),
    Case(
      "two normalisations", [convolution(), .batchNormalization, .batchNormalization], 2,
      .normalization(
        seen: "a second one, behind layer1",
        allowed: "one behind a convolution or dense layer, or behind its ReLU")),
    Case(
      "a second local response normalisation",
      [convolution(), relu, .localResponseNormalization, .localResponseNormalization], 3,
      .misplaced(
        seen: "behind 1 convolutions and 0 poolings",
        allowed: "one normalisation, behind the ReLU of the first convolution")),
    Case(
      "a late scaling of the input", [convolution(), relu, .inputTransformation], 2,
      .misplaced(seen: "behind layer0", allowed: "one in front of the first convolution")),
    Case(
      "a convolution behind what flattens", block + [.flatten, convolution()], 4,
      .misplaced(seen: "behind layer3", allowed: "convolutions in front of what flattens the map")),
    Case(
      "zeros for nothing", [convolution(), relu, .padding(Extent(side: 1))], 2,
      .misplaced(seen: "the end, behind a padding", allowed: "a convolution behind a padding")),
    Case(
      "losses of two kinds",
      block + [.flatten, .dense, .loss(.softmax), .loss(.linear)], 6,
      .misplaced(
        seen: "a loss for a linear, though layer5 is one for a softmax", allowed: "losses of one kind")),
  ]

  @Test(arguments: cases)
  func isRefused(_ item: Case) {
    let refusal = Self.refusal(item.operations)
    #expect(refusal?.layer == item.layer)
    #expect(refusal?.reason == item.reason)
  }

  /// Numbers of a file may be as large as they can be.
  @Test func zerosWithoutEndAreNoTrap() {
    #expect(throws: GrammarRefusal.self) {
      try Self.parse([.padding(Extent(side: .max)), Self.convolution(), Self.relu, Self.pooling])
    }
  }
}
