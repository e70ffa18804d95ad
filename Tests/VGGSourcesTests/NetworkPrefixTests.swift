import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

/// Beginnings of networks, and what tells where poolings stand.
@Suite struct NetworkPrefixTests {
  typealias Found = FoundNetwork

  /// The first convolutions of a network as an importer would find them.
  static func found(
    _ architecture: Architecture, _ count: Int, widths: [Int] = [2, 3, 4, 5, 6], dense: [Int] = [],
    pixels: Int = 9, _ poolings: Found.Poolings
  ) -> Found {
    var found = FoundNetworkTests.found(architecture, widths: widths, dense: [])
    found.convolutions = Array(found.convolutions.prefix(count))
    found.poolings = poolings
    var inputs = found.convolutions[count - 1].weight.canonicalShape[3] * pixels
    for (index, outputs) in dense.enumerated() {
      found.dense.append(
        Found.WeightedLayer(
          name: "dense_\(index + 1)", weight: FoundNetworkTests.tensor([inputs, outputs], .inOut),
          bias: FoundNetworkTests.tensor([outputs], .vector)))
      inputs = outputs
    }
    return found
  }

  static func placed(_ places: Int...) -> Found.Poolings {
    .placed(places.map { Found.PlacedPooling(Pooling(), behind: $0) })
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var architecture: Architecture
    var count: Int
    var poolings: Found.Poolings
    var title: String
    var others: String?
    var testDescription: String { title }
  }

  @Test(arguments: [
    Case(architecture: .d, count: 10, poolings: placed(2, 4, 7, 10), title: "VGG-16 (D) up to pool4"),
    Case(architecture: .d, count: 10, poolings: placed(2, 4, 7), title: "VGG-16 (D) up to conv4_3"),
    Case(architecture: .d, count: 13, poolings: placed(2, 4, 7, 10), title: "VGG-16 (D) up to conv5_3"),
    Case(architecture: .e, count: 8, poolings: placed(2, 4), title: "VGG-19 (E) up to conv3_4"),
    Case(architecture: .e, count: 13, poolings: placed(2, 4, 8, 12), title: "VGG-19 (E) up to conv5_1"),
    Case(architecture: .b, count: 8, poolings: placed(2, 4, 6, 8), title: "VGG-13 (B) up to pool4"),
    Case(architecture: .a, count: 4, poolings: placed(1, 2, 4), title: "VGG-11 (A) up to pool3"),
    Case(architecture: .c, count: 7, poolings: placed(2, 4, 7), title: "VGG-16 (C) up to pool3"),
    Case(
      architecture: .d, count: 4, poolings: placed(2, 4), title: "VGG-16 (D) up to pool2",
      others: "the same layers begin E and B and C"),
    Case(
      architecture: .e, count: 7, poolings: placed(2, 4), title: "VGG-16 (D) up to conv3_3",
      others: "the same layers begin E"),
    Case(
      architecture: .d, count: 1, poolings: placed(), title: "VGG-16 (D) up to conv1_1",
      others: "the same layers begin E and B and A and C"),
  ])
  func beginningsAreNamed(_ item: Case) throws {
    let model = try FoundNetworkTests.model(Self.found(item.architecture, item.count, item.poolings))
    #expect(model.network.title == item.title)
    #expect(model.network.cut == item.title.split(separator: " ").last.map(String.init))
    #expect(model.network.layers.last?.name == model.network.cut)
    let decision = try #require(model.provenance.decisions.first { $0.subject == "network" })
    #expect(decision.choice == item.title)
    #expect(item.others == nil || decision.evidence.hasSuffix(item.others ?? ""))
  }

  /// Poolings that stand nowhere where a VGG has them: the kernels alone would fit.
  @Test(arguments: [
    (10, placed(2, 4, 6), "3 poolings behind 2, 4, 6 convolutions, 10 convolutions in all"),
    (13, placed(2, 4, 6, 8, 13), "5 poolings behind 2, 4, 6, 8, 13 convolutions, 13 convolutions in all"),
    (10, placed(), "no poolings, 10 convolutions in all"),
    (10, .counted(7, Pooling()), "7 poolings, 10 convolutions in all"),
    (10, .counted(1, Pooling()), "1 pooling, 10 convolutions in all"),
    (12, .unknown(Pooling()), "no word of where poolings stand, 12 convolutions in all"),
  ])
  func poolingsElsewhereAreRefused(count: Int, poolings: Found.Poolings, seen: String) throws {
    let error = try #require(throws: FileError.self) {
      try FoundNetworkTests.model(Self.found(.d, count, widths: [2, 2, 2, 2, 2], poolings))
    }
    #expect(error.code == "model.poolings" && error.seen == seen)
  }

  @Test func theNumberOfPoolingsDecides() throws {
    for (count, title) in [(4, "VGG-16 (D) up to pool4"), (5, "VGG-13 (B)"), (3, "VGG-16 (D) up to conv4_3")]
    {
      let found = Self.found(.d, 10, widths: [2, 2, 2, 2, 2], .counted(count, Pooling()))
      #expect(try FoundNetworkTests.model(found).network.title == title)
    }
    // Both have four: widths tell them apart, and what is left open is said.
    for (architecture, title, other) in [
      (Architecture.b, "VGG-13 (B) up to pool4", "VGG-11 (A) up to conv5_2"),
      (.a, "VGG-11 (A) up to conv5_2", "VGG-13 (B) up to pool4"),
    ] {
      let model = try FoundNetworkTests.model(Self.found(architecture, 8, .counted(4, Pooling())))
      #expect(model.network.title == title)
      let decision = model.provenance.decisions.first { $0.subject == "poolings" }
      #expect(decision?.evidence == "assumed: the file tells only their number, which \(other) has too")
    }
  }

  @Test func namesOfBlocksMustAgree() throws {
    var found = Self.found(.d, 10, widths: [2, 2, 2, 2, 2], .unknown(Pooling()))
    found.blockSizes = [2, 2, 3, 3]
    let model = try FoundNetworkTests.model(found)
    #expect(model.network.title == "VGG-16 (D) up to pool4")
    #expect(
      model.provenance.decisions.contains { $0.subject == "poolings" && $0.evidence.contains("assumed") })
    found.poolings = Self.placed(2, 4, 6, 8, 10)
    let error = try #require(throws: FileError.self) { try FoundNetworkTests.model(found) }
    #expect(error.code == "model.poolings")
    #expect(error.seen?.contains("names of blocks of 2, 2, 3, 3 convolutions") == true)
  }

  /// Ten convolutions are a whole B, but these widths are those of a D without its last block.
  @Test func widthsThatSpeakForAnotherNetworkAreRefused() throws {
    let error = try #require(throws: FileError.self) {
      try FoundNetworkTests.model(Self.found(.d, 10, .unknown(Pooling())))
    }
    #expect(
      error.seen == "as many convolutions as VGG-13 (B), but widths that change as in VGG-16 (D) up to pool4")
    let equal = try FoundNetworkTests.model(Self.found(.d, 10, widths: [2, 2, 2, 2, 2], .unknown(Pooling())))
    #expect(equal.network.title == "VGG-13 (B)" && equal.network.cut == nil)
    #expect(
      equal.provenance.decisions.contains { $0.subject == "poolings" && $0.evidence.hasPrefix("assumed") })
  }

  @Test func theInputFollowsFromThePoolingsThatAreThere() throws {
    let four = try FoundNetworkTests.model(Self.found(.b, 8, dense: [5, 7], Self.placed(2, 4, 6, 8)))
    #expect(four.network.inputExtent == Extent(side: 48))
    let three = try FoundNetworkTests.model(Self.found(.b, 8, dense: [5, 7], Self.placed(2, 4, 6)))
    #expect(three.network.inputExtent == Extent(side: 24) && three.network.cut == "conv4_2")
    let features = try FoundNetworkTests.model(Self.found(.b, 8, Self.placed(2, 4, 6, 8)))
    #expect(features.network.inputExtent == nil)
  }

  @Test(arguments: [Pooling.Method.maximum, .average])
  func aSixthPoolingIsTheHeads(_ method: Pooling.Method) throws {
    var sixth = Pooling()
    sixth.method = method
    let places = [2, 4, 7, 10, 13].map { Found.PlacedPooling(Pooling(), behind: $0) }
    var found = Self.found(.d, 13, dense: [5], pixels: 1, .placed(places))
    found.headPooling = sixth
    let network = try FoundNetworkTests.model(found).network
    #expect(network.layers.first { $0.name == "pool6" }?.operation == .pooling(sixth))
    #expect(network.inputExtent == Extent(side: 64) && network.cut == nil)
    let counted = Self.found(.d, 13, dense: [5], pixels: 1, .counted(6, Pooling()))
    let model = try FoundNetworkTests.model(counted)
    #expect(model.network.layers.contains { $0.name == "pool6" })
    #expect(
      model.provenance.decisions.contains { $0.subject == "head-pooling" && $0.evidence.hasPrefix("assumed") }
    )
    let unplaced = Found.Poolings.placed(places + [.init(sixth, behind: 13)])
    #expect(throws: FileError.self) { try FoundNetworkTests.model(Self.found(.d, 13, unplaced)) }
  }

  @Test func onlyWhatANetworkHasIsABeginning() {
    #expect(NetworkPrefix(.d, convolutionCount: 0, endsInPooling: false) == nil)
    #expect(NetworkPrefix(.d, convolutionCount: 14, endsInPooling: false) == nil)
    #expect(NetworkPrefix(.d, convolutionCount: 3, endsInPooling: true) == nil)
    for architecture in Architecture.allCases {
      for count in 1...architecture.convolutionCount {
        for endsInPooling in [false, true] {
          guard
            let prefix = NetworkPrefix(architecture, convolutionCount: count, endsInPooling: endsInPooling)
          else { continue }
          #expect(prefix.blockSizes.reduce(0, +) == count)
          #expect((prefix.poolingPlaces.last == count) == endsInPooling)
          #expect(prefix.isWhole == (prefix.lastLayerName == "pool5"))
        }
      }
    }
  }
}
