import Foundation
import Synchronization
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors
import VGGVerify

@testable import VGGConv

/// When a converted model gets its name, and what is told of it.
@Suite struct ConversionTests {
  private static let digits = fixture("keras/vgg_d_digits.h5")

  /// Remembers what it is told; ``onVerifying`` is called when the judging begins.
  private final class Recorder: ProgressMonitor {
    final class Meter: ProgressMeter {
      let phase: WorkPhase
      let total: Int
      let state = Mutex((done: 0, isFinished: false))

      init(_ phase: WorkPhase, _ total: Int) { (self.phase, self.total) = (phase, total) }
      func advance(by amount: Int) { state.withLock { $0.done += amount } }
      func finish() { state.withLock { $0.isFinished = true } }
    }

    private let list = Mutex<[Meter]>([])
    let onVerifying: @Sendable () -> Void
    var meters: [Meter] { list.withLock { $0 } }

    init(onVerifying: @escaping @Sendable () -> Void = {}) { self.onVerifying = onVerifying }

    func begin(_ phase: WorkPhase, total: Int) -> any ProgressMeter {
      if phase == .verifying { onVerifying() }
      let meter = Meter(phase, total)
      list.withLock { $0.append(meter) }
      return meter
    }
  }

  /// Values that are others once a switch is turned: a source that changes while it is converted.
  private final class ChangingValues: TensorValues {
    private let base: any TensorValues
    private let isChanged: Mutex<Bool> = Mutex(false)
    var count: Int { base.count }

    init(_ base: any TensorValues) { self.base = base }

    func change() { isChanged.withLock { $0 = true } }

    func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
      try base.read(range, into: destination)
      guard range.contains(0), isChanged.withLock({ $0 }) else { return }
      destination[0] += 1
    }
  }

  @Test func whatIsNotFaithfulGetsNoName() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.vggw"
      var source = try OpenedModel(Self.digits)
      let bias = try #require(source.model.tensor("conv1_1/bias"))
      let values = ChangingValues(bias.values)
      source.model = source.model.mappingTensors { tensor in
        tensor.name == bias.name ? tensor.replacing(values: values) : tensor
      }
      let monitor = Recorder { values.change() }
      let error = try #require(throws: FileError.self) {
        try source.convert(to: path, progress: monitor)
      }
      #expect(error.kind == .fault && error.code == "output.verify" && error.place == "conv1_1")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
      // Nobody judges, nobody finds out.
      #expect(try source.convert(to: path, judging: nil).judgement == nil)
    }
  }

  @Test func whatIsFaithfulButNotCloseIsKept() throws {
    try withTemporaryFolder { folder in
      let source = try OpenedModel(Self.digits)
      func convert(limit: Double) throws -> Conversion {
        var limits = Verification.Limits()
        limits.outputDistance = limit
        return try source.convert(
          to: "\(folder)/\(limit).vggw", applying: [.prune(fraction: 0.9), .quantize(to: .int8)],
          judging: JudgingOptions(limits: limits))
      }
      let far = try convert(limit: 0)
      let judgement = try #require(far.judgement)
      #expect(!judgement.isClose && !judgement.isGoodEnough)
      #expect(judgement.verification.verdict == .faithfulButNotClose)
      #expect(try OpenedModel("\(folder)/0.0.vggw").model.provenance.passes.count == 2)
      #expect(try convert(limit: 2).judgement?.verification.limits.outputDistance == 2)
    }
  }

  @Test func compressionIsReportedLayerByLayer() throws {
    try withTemporaryFolder { folder in
      let source = try OpenedModel(Self.digits)
      let conversion = try source.convert(
        to: "\(folder)/model.vggw",
        applying: [.dropDense, .quantize(to: .int8, keeping: ["conv1_1"])])
      let report = try #require(conversion.compression)
      #expect(report.layers.count == 16)
      #expect(report.layers.filter { $0.stored == nil }.map(\.name) == ["fc6", "fc7", "fc8"])
      #expect(report.layers[0].stored?.elementType == .real(.float32))
      #expect(report.layers[1].stored.map { $0.bytes < report.layers[1].bytesBefore / 3 } == true)
      #expect(report.bytesBefore == source.model.parameterCount * 4)
      #expect(report.valueCount == conversion.model.parameterCount)
      #expect(try source.convert(to: "\(folder)/plain.vggw").compression == nil)
    }
  }

  @Test func progressIsComplete() throws {
    try withTemporaryFolder { folder in
      let monitor = Recorder()
      let path = "\(folder)/model.vggw"
      try OpenedModel(Self.digits).convert(to: path, progress: monitor)
        .model.export(to: .safetensors, at: "\(folder)/model.safetensors", progress: monitor)
      _ = try OpenedModel(path, progress: monitor)
      #expect(monitor.meters.map(\.phase) == [.writing, .verifying, .exporting, .checking])
      for meter in monitor.meters {
        let (done, isFinished) = meter.state.withLock { $0 }
        #expect(done == meter.total && isFinished, "\(meter.phase): \(done) of \(meter.total)")
      }
    }
  }

  @Test func labelledPicturesAreCounted() throws {
    let opened = try OpenedModel(Self.digits)
    let evaluation = try Evaluation(of: opened, on: PictureSet(fixture("digits_test.npz"), for: opened))
    #expect(evaluation.count > 100 && evaluation.top1 > 0.9)
    #expect(evaluation.top5Count >= evaluation.top1Count && evaluation.top5 <= 1)
  }

  @Test(arguments: [
    ("vgg16.h5", "vgg16.vggw"), ("a/vgg.weights.h5", "a/vgg.vggw"), ("b.caffemodel.h5", "b.vggw"),
    ("a.b/model", "a.b/model.vggw"), ("..", "../model.vggw"), ("v1.2.h5", "v1.2.vggw"),
  ])
  func outputsAreNamedAfterTheirSource(_ source: String, _ output: String) {
    #expect(Conversion.standardOutput(for: source) == output)
  }
}
