import Testing
import VGGBytes
import VGGModel
import VGGSources

/// What is applied to the last dense layer.
@Suite struct HeadTests {
  static func model(
    _ dense: [Int], _ activation: HeadActivation?, asked: HeadActivation? = nil
  ) throws(FileError) -> Model {
    var found = FoundNetworkTests.found(.a, dense: dense)
    found.headActivation = activation.map { FoundNetwork.FoundActivation($0, because: "the file says so") }
    var options = ImportOptions()
    options.headActivation = asked
    return try FoundNetworkTests.model(found, options: options)
  }

  static func names(_ network: Network) -> [String] {
    network.layers.drop { $0.name != "pool5" }.dropFirst().map(\.name)
  }

  typealias Expected = (HeadActivation, [Int], [String], Int?)

  @Test(
    arguments: [
      (.softmax, [7, 8, 9], ["fc6", "fc7", "fc8", "prob"], 9), (.softmax, [9], ["fc8", "prob"], 9),
      (.sigmoid, [7, 4], ["fc6", "fc8", "prob"], 4), (.sigmoid, [1], ["fc8", "prob"], 1),
      (.linear, [7, 1], ["fc6", "fc8"], nil), (.linear, [7, 8, 9], ["fc6", "fc7", "fc8"], nil),
      (.relu, [7, 8], ["fc6", "fc7"], nil), (.relu, [7], ["fc6"], nil),
    ] as [Expected])
  func whatAFileSaysIsTaken(
    _ activation: HeadActivation, _ dense: [Int], _ expected: [String], _ classCount: Int?
  ) throws {
    let network = try Self.model(dense, activation).network
    #expect(Self.names(network) == expected)
    #expect(network.head?.activation == activation && network.classCount == classCount)
    #expect(network.head?.outputCount == dense.last && network.hasTop)
    let last = network.head?.dense.last?.activation
    #expect(last == (activation == .relu ? .relu : Activation.none))
    #expect(network.layers.last?.operation == .softmax || activation != .softmax)
    #expect(network.layers.last?.operation == .sigmoid || activation != .sigmoid)
  }

  @Test func aSoftmaxIsAssumedAloudAndNeverOverOneOutput() throws {
    let model = try Self.model([7, 2], nil)
    #expect(model.network.head?.activation == .softmax)
    let decision = model.provenance.decisions.first { $0.subject == "head-activation" }
    #expect(decision?.choice == "softmax" && decision?.evidence.hasPrefix("assumed") == true)
    for activation in [nil, HeadActivation.softmax] {
      let error = try #require(throws: FileError.self) { try Self.model([7, 1], activation) }
      #expect(error.code == "model.head" && error.advice?.contains("--head-activation") == true)
    }
  }

  @Test(arguments: HeadActivation.allCases)
  func whatTheUserSaysCountsMore(_ asked: HeadActivation) throws {
    let model = try Self.model([7, 1], .linear, asked: asked)
    #expect(model.network.head?.activation == asked)
    let decision = model.provenance.decisions.first { $0.subject == "head-activation" }
    #expect(decision?.evidence == "asked for; the file says linear")
  }

  @Test func aHeadHasOneToThreeLayers() {
    let dense = Dense(inputs: 2, outputs: 2, activation: .relu)
    for count in 0...5 {
      let head = Head(Array(repeating: dense, count: count), activation: .sigmoid)
      #expect((head == nil) == !(1...3).contains(count))
    }
  }
}
