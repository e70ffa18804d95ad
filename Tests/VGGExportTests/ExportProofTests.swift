import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGExport
import VGGModel
import VGGTensors
import VGGVerify

/// The proof of an export, in every format that can be read: it says yes to what was written, and no to anything else.
@Suite("Exports are proven")
struct ExportProofTests {
  /// A native file of a fixture.
  private func native(_ source: String, in folder: String) throws -> OpenedModel {
    let path = "\(folder)/m.vggw"
    try OpenedModel(fixture("keras/\(source)")).convert(to: path, judging: nil)
    return try OpenedModel(path)
  }

  @Test("One bit of any tensor is found", arguments: ExportFormat.allCases.filter { $0 != .c })
  func changedBits(format: ExportFormat) throws {
    try withTemporaryFolder { folder in
      let model = try native("vgg_c.h5", in: folder)
      let path = "\(folder)/exported"
      guard let proof = try model.model.export(to: format, at: path).proof else { return }
      #expect(proof.tensorCount == model.model.tensors.count)
      #expect(proof.elementCount == model.model.parameterCount)
      let same = try model.openExport(path).verify(against: model)
      // Caffe rounds poolings up, which is the same for this input.
      let expected = format == .caffe ? Verification.Verdict.equivalent : .exact
      #expect(same.verification.verdict == expected, "\(same.verification.reasons)")

      var random = SeededGenerator(seed: 5)
      let others = try files(in: folder).filter { $0.hasPrefix("exported") }.map { "\(folder)/\($0)" }
      var changedCount = 0
      let names = [
        "conv1_1/weight", "conv3_3/weight", "conv5_2/bias", "fc6/weight", "fc7/bias", "fc8/weight",
      ]
      for tensor in try names.map({ try #require(model.model.tensor($0)) }) {
        // A number that the files have once is this tensor's, wherever its layout puts it.
        let values = try tensor.values.array()
        let places = try (0..<8).compactMap { _ in
          try only(values[Int.random(in: 0..<values.count, using: &random)], in: others)
        }
        guard let (file, place) = places.first else { continue }
        let contents = try bytes(of: file)
        var changed = contents
        changed[place] ^= 1
        try Data(changed).write(to: URL(filePath: file))
        // A damaged archive may be refused at once.
        let verdict = try? model.openExport(path).verify(against: model).verification.verdict
        #expect(verdict == .different || verdict == nil, "\(tensor.name)")
        changedCount += 1
        try Data(contents).write(to: URL(filePath: file))
      }
      #expect(changedCount >= 4)
    }
  }

  /// The same tensors in layers that compute something else.
  private static func changes(of layer: Layer) -> [Layer.Operation] {
    switch layer.operation {
    case .pooling(var pooling) where layer.name == "pool1":
      pooling.method = .average
      return [.pooling(pooling)]
    case .dense(var dense) where layer.name == "fc6":
      dense.activation = .none
      return [.dense(dense)]
    case .softmax: return [.sigmoid]
    default: return []
    }
  }

  @Test("One other setting of a layer is found", arguments: ExportFormat.allCases.filter { $0 != .c })
  func changedSettings(format: ExportFormat) throws {
    try withTemporaryFolder { folder in
      let model = try native("vgg_c.h5", in: folder)
      var count = 0
      for (index, layer) in model.model.network.layers.enumerated() {
        for operation in Self.changes(of: layer) {
          var layers = model.model.network.layers
          layers[index] = Layer(name: layer.name, operation: operation)
          var other = model.model
          other.network = Network(
            architecture: .c, inputChannels: 3, inputExtent: other.network.inputExtent, layers: layers)
          let path = "\(folder)/\(layer.name)"
          // What no VGG has is not written.
          guard let result = try? other.export(to: format, at: path) else { continue }
          guard result.proof != nil else { return }
          let verification = try model.openExport(path).verify(against: model).verification
          #expect(verification.verdict == .different, "\(layer.name)")
          #expect(
            verification.differences.contains { $0.subject == .layer(layer.name) }, "\(verification.reasons)")
          count += 1
        }
      }
      #expect(count >= 2)
    }
  }

  /// The only place of a number in some files; nil where there is none, or more than one.
  private func only(_ value: Float, in files: [String]) throws -> (file: String, place: Int)? {
    let pattern = withUnsafeBytes(of: value) { Data($0) }
    var found: [(String, Int)] = []
    for file in files {
      let contents = try Data(contentsOf: URL(filePath: file))
      var rest = contents.startIndex..<contents.endIndex
      while found.count < 2, let range = contents.range(of: pattern, in: rest) {
        found.append((file, range.lowerBound))
        rest = range.lowerBound + 1..<contents.endIndex
      }
    }
    return found.count == 1 ? found[0] : nil
  }

  @Test("Equal models give equal files", arguments: ExportFormat.allCases.filter { $0 != .c })
  func determinism(format: ExportFormat) throws {
    try withTemporaryFolder { folder in
      let model = try native("vgg_b.h5", in: folder)
      let results = try ["a", "b"].map { name in
        try model.model.export(to: format, at: "\(folder)/\(name)").files.map { try bytes(of: $0.path) }
      }
      #expect(results[0] == results[1])
    }
  }

  @Test("A full disk leaves nothing behind", arguments: ExportFormat.allCases.filter { $0 != .c })
  func unwritable(format: ExportFormat) throws {
    try withTemporaryFolder { folder in
      let model = try native("vgg_b.h5", in: folder)
      #expect(throws: FileError.self) { try model.model.export(to: format, at: "\(folder)/none/a") }
      let before = try files(in: folder)
      try Data([1]).write(to: URL(filePath: "\(folder)/taken"))
      #expect(throws: FileError.self) { try model.model.export(to: format, at: "\(folder)/taken") }
      #expect(try files(in: folder) == (before + ["taken"]).sorted())
      #expect(try bytes(of: "\(folder)/taken") == [1])
    }
  }
}
