import TestSupport
import Testing
import VGGCompress
import VGGModel
import VGGTensors

@Suite struct CompressTests {
  /// A small network D.
  static func network(denseWidths: [Int] = [40, 30, 10]) throws -> Network {
    try Network(.d, inputExtent: Extent(side: 64), widths: [2, 3, 4, 5, 6], denseWidths: denseWidths)
  }

  /// The same with seeded weights.
  static func model(seed: UInt64 = 1) throws -> Model {
    let network = try network()
    var generator = SeededGenerator(seed: seed)
    let tensors = network.tensorRequirements.map { requirement in
      let values = (0..<requirement.shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &generator)
      }
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape, values: MemoryValues(values)
      )
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: nil,
      provenance: Provenance(sourceName: "test", sourceByteCount: 0, format: "test", generation: "test"))
  }

  static func values(_ model: Model, _ name: String) throws -> [Float] {
    try #require(model.tensor(name)).values.array()
  }

  @Test func halfPrecisionIsTheNearestHalf() throws {
    let model = try Self.model()
    let half = try model.applying(.quantize(to: .fp16))
    for tensor in model.tensors {
      let (before, after) = (try tensor.values.array(), try Self.values(half, tensor.name))
      for (old, new) in zip(before, after) {
        #expect(new == (tensor.role == .weight ? Float(Float16(old)) : old))
      }
    }
    #expect(half.tensor("fc6/weight")?.elementType == .real(.float16))
    #expect(half.tensor("fc6/bias")?.isPlain == true)
    #expect(half.provenance.passes == [.quantize(to: .fp16, keeping: [])])
  }

  @Test func bfloat16IsWithinHalfAUnit() throws {
    let model = try Self.model()
    let narrow = try model.applying(.quantize(to: .bf16))
    for (old, new) in zip(try Self.values(model, "conv3_2/weight"), try Self.values(narrow, "conv3_2/weight"))
    {
      #expect(new.bitPattern & 0xFFFF == 0)
      #expect((new - old).magnitude <= old.ulp * 0x1p15)
    }
  }

  @Test(arguments: ["conv1_1/weight", "conv4_3/weight", "fc6/weight"])
  func int8IsWithinHalfAStep(_ name: String) throws {
    let model = try Self.model()
    let small = try model.applying(
      .quantize(QuantizationSettings(.int8, scaleRule: .largestMagnitude)))
    let tensor = try #require(small.tensor(name))
    guard let scales = tensor.quantization?.scales else {
      Issue.record("not int8")
      return
    }
    let outputs = tensor.shape[tensor.shape.count - 1]
    #expect(scales.count == outputs)
    let before = try Self.values(model, name)
    let after = try tensor.values.array()
    for index in before.indices {
      let scale = scales[index % outputs]
      #expect((after[index] - before[index]).magnitude <= scale * 0.500001)
      let steps = (after[index] / scale).rounded()
      #expect(after[index] == steps * scale && steps.magnitude <= 127)
    }
    // Each channel's largest magnitude is the end of its range.
    for channel in 0..<outputs {
      let largest =
        stride(from: channel, to: before.count, by: outputs).map { before[$0].magnitude }.max() ?? 0
      #expect(scales[channel] == largest / 127)
    }
  }

  @Test func rangesOfQuantizedValuesAreTheSameAsTheWhole() throws {
    for precision in [Precision.int8, .fp16] {
      let values = try #require(try Self.model().applying(.quantize(to: precision)).tensor("fc7/weight"))
        .values
      let whole = try values.array()
      var generator = SeededGenerator(seed: 5)
      for _ in 0..<100 {
        let low = Int.random(in: 0..<values.count, using: &generator)
        let range = low..<Int.random(in: low...values.count, using: &generator)
        let part = UnsafeMutableBufferPointer<Float>.allocate(capacity: range.count)
        defer { part.deallocate() }
        try values.read(range, into: part)
        #expect(Array(part) == Array(whole[range]))
      }
    }
  }

  @Test func channelsOfZerosStayZero() throws {
    let network = try Network(.a, inputExtent: Extent(side: 32), widths: [1, 1, 1, 1, 1], denseWidths: [])
    let tensors = network.tensorRequirements.map { requirement in
      Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape,
        values: MemoryValues(Array(repeating: 0, count: requirement.shape.reduce(1, *))))
    }
    let model = try Model(
      network: network, tensors: tensors, preprocessing: nil,
      provenance: Provenance(sourceName: "test", sourceByteCount: 0, format: "test", generation: "test"))
    let small = try model.applying(.quantize(to: .int8))
    #expect(try Self.values(small, "conv1_1/weight").allSatisfy { $0 == 0 })
  }

  @Test(arguments: [0.0, 0.1, 0.5, 0.9, 1.0])
  func pruningDropsTheSmallest(_ fraction: Double) throws {
    let model = try Self.model()
    let pruned = try model.applying(.prune(fraction: fraction))
    for tensor in model.tensors {
      let (before, after) = (try tensor.values.array(), try Self.values(pruned, tensor.name))
      guard tensor.role == .weight, tensor.layout == .inOut else {
        #expect(before == after)
        continue
      }
      #expect(pruned.tensor(tensor.name)?.storage == .sparse)
      let dropped = zip(before, after).filter { $0 != $1 }
      // Random magnitudes hardly ever coincide.
      #expect(dropped.count == Int(Double(before.count) * fraction))
      #expect(dropped.allSatisfy { $0.1 == 0 })
      let smallestKept = zip(before, after).filter { $0 == $1 }.map(\.0.magnitude).min() ?? .infinity
      #expect(dropped.allSatisfy { $0.0.magnitude <= smallestKept })
    }
  }

  @Test func equalMagnitudesStayTogether() throws {
    let model = try Self.model()
    let name = "fc8/weight"
    let equal = model.mappingTensors { tensor in
      tensor.name == name
        ? tensor.replacing(
          values: MemoryValues((0..<tensor.count).map { $0 % 3 == 0 ? -0.5 : 0.5 }))
        : tensor
    }
    #expect(try Self.values(equal.applying(.prune(fraction: 0.5)), name).allSatisfy { $0.magnitude == 0.5 })
    #expect(try Self.values(equal.applying(.prune(fraction: 1)), name).allSatisfy { $0 == 0 })
  }

  @Test func passesFollowEachOther() throws {
    let small = try Self.model().applying([.prune(fraction: 0.8), .quantize(to: .int8)])
    #expect(small.provenance.passes == [.prune(fraction: 0.8), .quantize(to: .int8, keeping: [])])
    let tensor = try #require(small.tensor("fc6/weight"))
    #expect(tensor.storage == .sparse)
    #expect(try tensor.values.array().filter { $0 == 0 }.count >= tensor.count * 8 / 10)
  }

  @Test func droppingTheHeadLeavesTheFeatures() throws {
    let features = try Self.model().applying(.dropDense)
    #expect(!features.network.hasTop)
    #expect(features.network.layers.last?.name == "pool5")
    #expect(features.tensors.count == 26)
  }

  @Test func distortionIsMeasured() throws {
    let model = try Self.model()
    let before = try #require(model.tensor("fc7/weight"))
    let unchanged = try TensorDistortion(from: before, to: before)
    #expect(unchanged.largestError == 0 && unchanged.signalToNoise == .infinity)
    let after = try #require(try model.applying(.prune(fraction: 0.25)).tensor("fc7/weight"))
    let distortion = try TensorDistortion(from: before, to: after)
    #expect(distortion.newZeroCount == before.count / 4)
    let (old, new) = (try before.values.array(), try after.values.array())
    let noise = zip(old, new).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    #expect((distortion.errorEnergy - noise).magnitude < 1e-9)
    let huge = Tensor(name: "t", role: .weight, shape: [2], values: MemoryValues([1, 1e30]))
    let infinite = Tensor(name: "t", role: .weight, shape: [2], values: MemoryValues([1, .infinity]))
    #expect(try TensorDistortion(from: huge, to: infinite).overflowCount == 1)
  }
}
