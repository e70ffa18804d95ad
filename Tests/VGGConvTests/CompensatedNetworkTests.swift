import TestSupport
import Testing
import VGGBytes
import VGGCompress
import VGGConv
import VGGEngine
import VGGInterchange
import VGGModel
import VGGTensors

/// Trained networks in four bits whose codes make up for each other, on digits that they were not calibrated with.
@Suite struct CompensatedNetworkTests {
  private static let networks = [
    ("vgg_d_digits.h5", "digits_test.npz", 120), ("vgg_a_digits.h5", "digits_test.npz", 120),
    ("vgg_d_mnist.weights.h5", "mnist_test.npz", 300),
  ]

  /// Some batches of a set: those that begin before an index, or the others.
  private static func part(_ batches: PictureBatches, before count: Int, isFirst: Bool) throws -> [FeatureMap]
  {
    var (start, parts) = (0, [FeatureMap]())
    for index in 0..<batches.count {
      let batch = try batches.batch(index)
      if (start < count) == isFirst { parts.append(batch) }
      start += batch.count
    }
    return parts
  }

  private static func logits(_ model: Model, _ batches: [FeatureMap]) throws -> [[Float]] {
    let engine = try EngineOptions().engine(for: model)
    return try batches.flatMap { batch in
      guard case .classes(let logits, _) = try engine.run(batch) else { return [[Float]]() }
      let (values, length) = (logits.values, logits.shape.count)
      return (0..<logits.count).map { Array(values[$0 * length..<($0 + 1) * length]) }
    }
  }

  /// The length of the difference of the logits as a part of theirs, on average.
  private static func distance(_ seen: [[Float]], _ expected: [[Float]]) -> Double {
    var sum = 0.0
    for (seen, expected) in zip(seen, expected) {
      let difference = zip(seen, expected).map { Double($0) - Double($1) }.reduce(0) { $0 + $1 * $1 }
      let square = expected.map { Double($0) }.reduce(0) { $0 + $1 * $1 }
      sum += (difference / square).squareRoot()
    }
    return sum / Double(expected.count)
  }

  private static func correctCount(_ logits: [[Float]], _ labels: [Int]) -> Int {
    zip(logits, labels).count { values, label in values.max().map { values[label] == $0 } ?? false }
  }

  /// Nearer than nearest codes, for each network and each way to store int4; and not more than half a point of accuracy is lost.
  @Test(arguments: networks) func outputsAreNearerThanOfNearestCodes(
    _ source: String, _ data: String, _ calibrated: Int
  ) throws {
    let opened = try OpenedModel(fixture("keras/\(source)"))
    let batches = try PictureSet(fixture(data), for: opened).layerBatches
    let calibration = try Self.part(batches, before: calibrated, isFirst: true)
    let others = try Self.part(batches, before: calibrated, isFirst: false)
    let first = calibration.reduce(0) { $0 + $1.count }
    let archive = try NumPyArchive(MappedFile(path: fixture(data)))
    let labels = try #require(try archive.array("labels")).integers().dropFirst(first)
    let expected = try Self.logits(opened.model, others)
    let context = PassContext(calibration: PictureBatches(calibration))
    let correct = Self.correctCount(expected, Array(labels))
    for convolutions in [false, true] {
      for length in QuantizationSettings.GroupLength.allCases {
        // All lengths with and without zero points, but not each with convolutions and without.
        let zeroPoints = convolutions != (length.rawValue == 64)
        var settings = QuantizationSettings(
          .int4, groupLength: length, hasZeroPoints: zeroPoints, includesConvolutions: convolutions)
        let plain = try Self.logits(opened.model.applying(.quantize(settings)), others)
        settings.codeRounding = .compensated(nil)
        let compensated = try Self.logits(opened.model.applying(.quantize(settings), in: context), others)
        let distances = [plain, compensated].map { Self.distance($0, expected) }
        #expect(distances[1] < distances[0], "\(settings): \(distances)")
        if !convolutions {
          let lost = correct - Self.correctCount(compensated, Array(labels))
          #expect(Double(lost) <= 0.005 * Double(labels.count), "\(settings): \(lost)")
        }
      }
    }
  }
}
