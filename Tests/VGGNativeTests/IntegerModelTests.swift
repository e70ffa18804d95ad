import Foundation
import ModelTestSupport
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import VGGNative

/// Models that compute in integers: what is written is read, and what does not fit together is refused.
@Suite struct IntegerModelTests {
  @Test(arguments: Architecture.allCases, IntegerArithmetic.Rounding.allCases)
  func writingAndReadingIsIdentity(
    _ architecture: Architecture, _ rounding: IntegerArithmetic.Rounding
  ) throws {
    let model = try TestModels.integerModel(architecture, rounding)
    let file = try open(bytes(of: model))
    #expect(file.formatVersion == (1, 5))
    #expect(file.model.integerArithmetic == model.integerArithmetic)
    #expect(file.model.tensors.map(\.elementType) == model.tensors.map(\.elementType))
    for (read, written) in zip(file.model.tensors, model.tensors) {
      switch (read.content, written.content) {
      case (.bias(let read), .bias(let written)):
        #expect(read == written)
        #expect(read.codes == written.codes)
      case (.codes(let codes, let quantization), .codes(let expected, let expectedQuantization)):
        #expect(try codes.array() == expected.array() && quantization == expectedQuantization)
      default: Issue.record("\(read.name) has become something else")
      }
    }
    try file.checkStoredBytes()
    try file.checkValues()
    #expect(try file.weightsDigest == VGGWFile.weightsDigest(of: model))
  }

  @Test func biasesStandForProductsInDouble() throws {
    let scale: Float = 0x1.ABCDEp-9
    let codes: [Int32] = [.max, .min, 0, 1, -1, 1 << 24 + 1, 123_456_789]
    let tensor = Tensor(
      name: "fc8/bias", role: .bias, shape: [codes.count],
      content: .bias(BiasCodes(codes, scales: codes.map { _ in scale })))
    #expect(try tensor.values.array() == codes.map { Float(Double($0) * Double(scale)) })
    #expect(tensor.elementType == .biasCode && tensor.elementType.byteCount(of: 3) == 12)
  }

  /// Every way in which the parts of a model of integers can contradict each other.
  @Test(arguments: [
    "outputs", "scale", "infinite", "pooling", "softmax", "float-weight", "zero-points", "groups", "int4",
    "float-bias", "units", "multiplier", "underflow", "no-arithmetic",
  ])
  func modelsThatDoNotFitTogetherAreRefused(_ fault: String) throws {
    let sound = try TestModels.integerModel(.a)
    var arithmetic = try #require(sound.integerArithmetic)
    var tensors = sound.tensors
    let names = sound.network.layers.map(\.name)
    let (pool, prob) = (try #require(names.firstIndex(of: "pool1")), names.count - 1)
    func replace(_ name: String, _ content: (Tensor) throws -> Tensor.Content) throws {
      let index = try #require(tensors.firstIndex { $0.name == name })
      tensors[index] = tensors[index].replacing(try content(tensors[index]), storage: .raw)
    }
    var blamed = "conv1_1/weight"
    switch fault {
    case "outputs":
      arithmetic.outputs.removeLast()
      blamed = "activations"
    case "scale":
      arithmetic.outputs[2].scale = 0
      blamed = names[2]
    case "infinite":
      arithmetic.input.scale = .infinity
      blamed = "input"
    case "pooling":
      arithmetic.outputs[pool].zeroPoint ^= 1
      blamed = "pool1"
    case "softmax":
      arithmetic.outputs[prob].zeroPoint = 0
      blamed = "prob"
    case "float-weight": try replace(blamed) { .real(MemoryValues(try $0.values.array()), as: .float32) }
    case "zero-points", "groups", "int4":
      try replace(blamed) { tensor in
        let outputs = tensor.shape[3]
        return .codes(
          MemoryCodes([Int8](repeating: 1, count: tensor.count)),
          Quantization(
            fault == "int4" ? .int4 : .int8,
            by: fault == "groups" ? .inputGroups(length: 27) : .outputChannel,
            scales: Array(repeating: 0.01, count: outputs),
            zeroPoints: fault == "zero-points" ? Array(repeating: 1, count: outputs) : []))
      }
    case "float-bias":
      blamed = "conv1_1/bias"
      try replace(blamed) { .real(MemoryValues(try $0.values.array()), as: .float32) }
    case "units":
      blamed = "conv1_1/bias"
      try replace(blamed) { tensor in
        guard case .bias(let bias) = tensor.content else { return tensor.content }
        return .bias(BiasCodes(bias.codes, scales: bias.scales.map(\.nextUp)))
      }
    case "multiplier", "underflow":
      arithmetic.outputs[0].scale = fault == "multiplier" ? 1e-8 : 1e38
      arithmetic.outputs[1] = arithmetic.outputs[0]
      blamed = "conv1_1"
    default: blamed = "conv1_1/bias"
    }
    let error = #expect(throws: ShapeError.self) {
      try Model(
        network: sound.network, tensors: tensors, preprocessing: nil,
        integerArithmetic: fault == "no-arithmetic" ? nil : arithmetic, provenance: sound.provenance)
    }
    #expect(error?.layer == blamed, "\(error?.description ?? "")")
  }

  /// Damage that no digest tells, in every byte of the part that is new.
  @Test func forgedManifestsGiveAModelOrAnError() throws {
    let whole = try bytes(of: TestModels.integerModel())
    let header = try Header(reading: ByteRegion(copying: whole), path: "x")
    let manifest = Array(whole[header.manifest])
    var generator = SeededGenerator(seed: 23)
    var accepted = 0
    for position in 0..<manifest.count {
      var forged = manifest
      forged[position] = [0, 1, 2, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
      let newHeader = Header(
        manifestOffset: header.manifest.lowerBound, manifest: forged, minorVersion: 5,
        requiredFeatures: header.requiredFeatures)
      do throws(FileError) {
        let file = try open(newHeader.bytes + whole[Header.byteCount..<header.manifest.lowerBound] + forged)
        for tensor in file.model.tensors { _ = try tensor.values.array() }
        accepted += 1
      } catch {
        #expect(error.kind == .malformed || error.kind == .unsupported)
      }
    }
    #expect(accepted < manifest.count / 2)
  }

  @Test func sparseBiasesAreRefused() throws {
    let sound = try TestModels.integerModel(.a)
    let model = sound.mappingTensors { tensor in
      guard tensor.name == "conv1_1/bias" else { return tensor }
      return tensor.replacing(tensor.content, storage: .sparse)
    }
    let error = #expect(throws: FileError.self) { try bytes(of: model) }
    #expect(error?.place?.contains("conv1_1/bias") == true, "\(error?.description ?? "")")
  }
}
