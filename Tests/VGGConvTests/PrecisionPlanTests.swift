import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGCompress
import VGGModel
import VGGNative
import VGGTensors
import VGGVerify

@testable import VGGConv

/// What is foretold of models comes true, to the byte and to the last digit of the distance.
@Suite struct PrecisionPlanTests {
  private static func withDigits(
    _ passes: [Pass] = [], _ body: (OpenedModel, String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.vggw"
      try OpenedModel(fixture("keras/vgg_d_digits.h5")).convert(to: path, applying: passes, judging: nil)
      try body(OpenedModel(path), folder)
    }
  }

  private static func byteCount(_ path: String) throws -> Int {
    try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
  }

  @Test(arguments: [
    PrecisionBudget.distance(0), .distance(1e-6), .distance(3e-4), .distance(0.001), .distance(0.02),
    .size(600_000), .size(300_000), .size(262_000),
  ])
  func aPlanComesTrue(_ budget: PrecisionBudget) throws {
    try Self.withDigits { opened, folder in
      let path = "\(folder)/mixed.vggw"
      let plan = try opened.precisionPlan(for: budget, by: .init(.int4))
      let conversion = try opened.convert(to: path, applying: plan.passes)
      let verification = try #require(conversion.judgement).verification
      #expect(try Self.byteCount(path) == plan.byteCount && conversion.file.byteCount == plan.byteCount)
      #expect(verification.closeness.outputDistance == plan.distance)
      #expect(verification.verdict == (plan.passes.isEmpty ? .exact : .equivalent))
      #expect(verification.passes == plan.passes)
      switch budget {
      case .distance(let limit): #expect(plan.distance <= limit)
      case .size(let limit): #expect(plan.byteCount <= limit)
      }
      // The source itself can vouch for it, and threads do not matter.
      let written = try OpenedModel(path)
      #expect(try written.verify(against: OpenedModel(fixture("keras/vgg_d_digits.h5"))).passes)
      let again = try Workers.$current.withValue(Workers(count: 3)) {
        try opened.precisionPlan(for: budget, by: .init(.int4))
      }
      #expect(again.passes == plan.passes && again.distance == plan.distance)
    }
  }

  @Test func picturesOfTheCalibrationAreMeasuredToo() throws {
    try Self.withDigits { opened, folder in
      let pictures = try PictureSet(fixture("digits_test.npz"), for: opened)
      let budget = PrecisionBudget.distance(5e-4)
      let plan = try opened.precisionPlan(for: budget, by: .init(.int4), calibratedWith: pictures)
      let conversion = try opened.convert(
        to: "\(folder)/mixed.vggw", applying: plan.passes, calibratedWith: pictures)
      let closeness = try #require(conversion.judgement).verification.closeness
      #expect(closeness.outputDistance == plan.distance && closeness.pictureCount == 3 + 24)
      #expect(try plan.passes != opened.precisionPlan(for: budget, by: .init(.int4)).passes)
    }
  }

  /// A stated part of equal decisions is part of the budget.
  @Test func decisionsThatMustStayDo() throws {
    try Self.withDigits { opened, _ in
      var limits = Verification.Limits()
      limits.sameClassFraction = 1
      let judging = JudgingOptions(limits: limits)
      let settings = QuantizationSettings(.int4, groupLength: .of128, includesConvolutions: true)
      let plan = try opened.precisionPlan(for: .distance(2), by: settings, judging: judging)
      #expect(try opened.forecast(applying: plan.passes).closeness.sameDecisionFraction == 1)
    }
  }

  @Test(
    arguments: [
      [.quantize(to: .fp16)], [.quantize(to: .bf16, keeping: ["fc8"])], [.quantize(to: .int8)],
      [.quantize(.init(.int8, int8Scales: .tensor))], [.quantize(to: .int4)],
      [.quantize(.init(.int4, groupLength: .of32, hasZeroPoints: true, includesConvolutions: true))],
      [.prune(fraction: 0.4)], [.prune(fraction: 0.4), .quantize(to: .fp16)],
      [.prune(fraction: 0.3), .quantize(to: .int8)], [.prune(fraction: 0.5), .quantize(to: .int4)],
      [.dropDense], [.quantize(to: .int8), .quantizeActivations(ActivationSettings())],
    ] as [[Pass]])
  func aForecastComesTrue(_ passes: [Pass]) throws {
    try Self.withDigits { opened, folder in
      let path = "\(folder)/small.vggw"
      let pictures = try PictureSet(fixture("digits_test.npz"), for: opened)
      let forecast = try opened.forecast(applying: passes, calibratedWith: pictures)
      #expect(!FileManager.default.fileExists(atPath: path))
      let conversion = try opened.convert(to: path, applying: passes, calibratedWith: pictures)
      #expect(try Self.byteCount(path) == forecast.byteCount)
      for record in conversion.file.tensorRecords {
        #expect(forecast.tensorBytes[record.name] == record.storedBytes, "\(record.name)")
      }
      let closeness = try #require(conversion.judgement).verification.closeness
      if conversion.judgement?.verification.judgesCloseness == true, passes != [.dropDense] {
        #expect(closeness.outputDistance == forecast.closeness.outputDistance)
        #expect(closeness.sameDecisionCount == forecast.closeness.sameDecisionCount)
        #expect(closeness.decisionCount == forecast.closeness.decisionCount)
      }
      #expect(forecast.compression.bytesAfter == conversion.compression?.bytesAfter)
      #expect(forecast.activations == conversion.activations)
      #expect(
        (forecast.activations != nil) == passes.contains { $0 == .quantizeActivations(ActivationSettings()) })
    }
  }

  /// Of sources too, whose digests are computed only when they are written.
  @Test(arguments: ["keras/vgg_d_digits.h5", "caffe/vgg_a_digits.caffemodel"])
  func theSizeOfAnImportIsForetold(_ source: String) throws {
    try withTemporaryFolder { folder in
      guard FileManager.default.fileExists(atPath: fixture(source)) else { return }
      let opened = try OpenedModel(fixture(source))
      let forecast = try opened.forecast(applying: [.quantize(to: .int8)])
      try opened.convert(to: "\(folder)/m.vggw", applying: [.quantize(to: .int8)])
      #expect(try Self.byteCount("\(folder)/m.vggw") == forecast.byteCount)
    }
  }

  /// A sparse model stays sparse, and its precisions are chosen as any other's.
  @Test func prunedModelsAreSearched() throws {
    try Self.withDigits([.prune(fraction: 0.5)]) { opened, folder in
      let plan = try opened.precisionPlan(for: .distance(0.001), by: .init(.int4))
      let conversion = try opened.convert(to: "\(folder)/mixed.vggw", applying: plan.passes)
      #expect(conversion.file.byteCount == plan.byteCount)
      #expect(conversion.judgement?.verification.closeness.outputDistance == plan.distance)
      #expect(plan.layers.contains { $0.precision == .int8 })
    }
  }

  @Test func modelsOfIntegersAreRefused() throws {
    try Self.withDigits([.quantize(to: .int8)]) { opened, folder in
      let pictures = try PictureSet(derivedFor: opened)
      try opened.convert(
        to: "\(folder)/q.vggw", applying: [.quantizeActivations(ActivationSettings())],
        calibratedWith: pictures, judging: nil)
      let error = try #require(throws: FileError.self) {
        try OpenedModel("\(folder)/q.vggw").precisionPlan(for: .distance(1), by: .init(.int4))
      }
      #expect(error.code == "quantize.integers")
    }
  }
}
