import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

/// Preprocessing as part of the first convolution: the sums at every pixel, computed here a second time.
@Suite struct InputFoldingTests {
  private static let rule = Preprocessing(
    channelOrder: .bgr, mean: [103.5, 116.25, 123.125], scale: [0.5, 0.25, 0.75], resize: .stretch)

  /// A network A whose first convolution has random weights.
  private static func model(hasBias: Bool = true, rule: Preprocessing? = rule) throws -> Model {
    var found = FoundNetworkTests.found(.a)
    var generator = SeededGenerator(seed: 37)
    func tensor(_ name: String, _ shape: [Int], _ layout: SourceLayout) -> SourceTensor {
      let values = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &generator) }
      return SourceTensor(
        name: name, shape: shape, format: .float32,
        bytes: ByteRegion(copying: values.withUnsafeBytes { Array($0) }), layout: layout)
    }
    found.convolutions[0].weight = tensor("W", [2, 3, 3, 3], .oihw)
    found.convolutions[0].bias = hasBias ? tensor("b", [2], .vector) : nil
    return try Model(
      found, file: "f", preprocessing: rule,
      provenance: Provenance(sourceName: "f", sourceByteCount: 0, format: "t", generation: "t"),
      options: ImportOptions())
  }

  /// The sums of conv1_1 at a pixel of a picture of 5x5 RGB pixels, after the model's own preprocessing.
  private static func sums(_ model: Model, row: Int, column: Int) throws -> [Double] {
    let rule = try #require(model.preprocessing)
    let weight = try #require(model.tensor("conv1_1/weight")).values.array()
    var sums = try model.tensor("conv1_1/bias")?.values.array().map(Double.init) ?? [0, 0]
    for (dy, dx) in (0..<3).flatMap({ y in (0..<3).map { (y, $0) } }) {
      let (y, x) = (row + dy - 1, column + dx - 1)
      guard (0..<5).contains(y), (0..<5).contains(x) else { continue }
      for channel in 0..<3 {
        let color = rule.channelOrder == .rgb ? channel : 2 - channel
        let pixel = Double((y * 71 + x * 37 + color * 101) % 256)
        let value = (pixel - rule.mean[channel]) * rule.scale[channel]
        for output in 0..<2 {
          sums[output] += value * Double(weight[((dy * 3 + dx) * 3 + channel) * 2 + output])
        }
      }
    }
    return sums
  }

  private static func difference(_ first: Model, _ second: Model, row: Int, column: Int) throws -> Double {
    let (one, two) = (try sums(first, row: row, column: column), try sums(second, row: row, column: column))
    return zip(one, two).map { ($0 - $1).magnitude }.max() ?? .infinity
  }

  @Test func anotherChannelOrderIsExact() throws {
    let model = try Self.model()
    let folded = try model.foldingInput(InputFolding(channelOrder: .rgb), file: "f")
    #expect(folded.preprocessing?.channelOrder == .rgb)
    #expect(folded.preprocessing?.mean == [123.125, 116.25, 103.5])
    #expect(folded.preprocessing?.scale == [0.75, 0.25, 0.5])
    for row in 0..<5 {
      for column in 0..<5 {
        #expect(try Self.difference(model, folded, row: row, column: column) < 1e-10)
      }
    }
    // The tensor still is the source's own bytes.
    #expect(folded.tensor("conv1_1/weight")?.source?.name == "W")
    #expect(folded.provenance.folded.isEmpty && folded.foldedSources.isEmpty)
    #expect(folded.provenance.inputFolding == InputFolding(channelOrder: .rgb))
    // And back.
    let back = try folded.foldingInput(InputFolding(channelOrder: .bgr), file: "f")
    #expect(back.preprocessing == model.preprocessing)
    #expect(
      try back.tensor("conv1_1/weight")?.values.array() == model.tensor("conv1_1/weight")?.values.array())
  }

  @Test(arguments: [true, false]) func meanAndScaleAreExactButForTheBorder(hasBias: Bool) throws {
    let model = try Self.model(hasBias: hasBias)
    let folded = try model.foldingInput(InputFolding(includesMeanAndScale: true), file: "f")
    #expect(folded.preprocessing?.mean == [0, 0, 0] && folded.preprocessing?.scale == [1, 1, 1])
    #expect(folded.preprocessing?.channelOrder == .bgr)
    for row in 0..<5 {
      for column in 0..<5 {
        let difference = try Self.difference(model, folded, row: row, column: column)
        if (1...3).contains(row), (1...3).contains(column) {
          #expect(difference < 1e-3)
        } else {
          #expect(difference > 1)
        }
      }
    }
    let decision = try #require(folded.provenance.decisions.last)
    #expect(decision.subject == "fold-preprocessing" && decision.evidence.contains("Inexact"))
    #expect(folded.provenance.folded.map(\.name) == (hasBias ? ["W", "b"] : ["W"]))
    #expect(folded.foldedSources.map(\.name) == folded.provenance.folded.map(\.name))
    #expect(folded.parameterCount == model.parameterCount + (hasBias ? 0 : 2))
  }

  @Test func bothTogether() throws {
    let model = try Self.model()
    let folding = InputFolding(channelOrder: .rgb, includesMeanAndScale: true)
    let folded = try model.foldingInput(folding, file: "f")
    #expect(try Self.difference(model, folded, row: 2, column: 2) < 1e-3)
    #expect(folded.provenance.inputFolding == folding)
  }

  @Test func withoutScaleTheWeightStaysTheSources() throws {
    var rule = Self.rule
    rule.scale = [1, 1, 1]
    let folded = try Self.model(rule: rule).foldingInput(InputFolding(includesMeanAndScale: true), file: "f")
    #expect(folded.tensor("conv1_1/weight")?.source?.name == "W")
    #expect(folded.provenance.folded.map(\.name) == ["b"])
  }

  @Test func nothingIsFoldedUnasked() throws {
    let model = try Self.model()
    let same = try model.foldingInput(InputFolding(), file: "f")
    #expect(same.preprocessing == model.preprocessing && same.provenance == model.provenance)
    #expect(model.provenance.inputFolding == InputFolding())
  }

  @Test func whatIsNotKnownCannotBeFolded() throws {
    let unknown = try Self.model(rule: nil)
    let error = #expect(throws: FileError.self) {
      try unknown.foldingInput(InputFolding(channelOrder: .rgb), file: "f")
    }
    #expect(error?.code == "model.folding" && error?.file == "f")
    var gray = Self.rule
    gray.channelOrder = .gray
    #expect(throws: FileError.self) {
      try Self.model(rule: gray).foldingInput(InputFolding(channelOrder: .rgb), file: "f")
    }
  }
}
