import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGModel
import VGGTensors
import VGGVerify

/// A small network as an importer finds it in a Caffe file, and the native model of it.
struct Sample {
  var network: Network
  var sources: [String: SourceTensor] = [:]

  /// Creates a network of random weights; its poolings may round up, which an extent of 72 shows.
  init(
    _ architecture: Architecture = .d, seed: UInt64 = 1, side: Int = 64, widths: [Int] = [4, 5, 6, 7, 8],
    dense: [Int] = [12, 11, 10]
  ) throws {
    network = try Network(
      architecture, inputExtent: Extent(side: side), widths: widths, denseWidths: dense)
    var generator = SeededGenerator(seed: seed)
    var isFirstDense = true
    for requirement in network.tensorRequirements {
      let shape = requirement.shape
      let fanIn = Float(shape.dropLast().reduce(1, *))
      let values = (0..<shape.reduce(1, *)).map { _ in
        Float.random(in: -1...1, using: &generator) / fanIn.squareRoot() * 2
      }
      let layout: SourceLayout
      let sourceShape: [Int]
      switch shape.count {
      case 4: (layout, sourceShape) = (.oihw, [shape[3], shape[2], shape[0], shape[1]])
      case 2 where isFirstDense:
        (layout, sourceShape) = (
          .outInFromCHW(channels: widths[4], extent: Extent(side: side / 32)), [shape[1], shape[0]]
        )
        isFirstDense = false
      case 2: (layout, sourceShape) = (.outIn, [shape[1], shape[0]])
      default: (layout, sourceShape) = (.vector, shape)
      }
      sources[requirement.name] = SourceTensor(
        name: "source of \(requirement.name)", shape: sourceShape, format: .float32,
        bytes: ByteRegion(copying: values.withUnsafeBytes { Array($0) }), layout: layout)
    }
  }

  /// The source, imported afresh.
  func source() throws -> Model {
    try model { requirement, source in Tensor(name: requirement.name, role: requirement.role, source: source)
    }
  }

  /// The native model, with values that a test may have changed.
  func native(_ change: (String, inout [Float]) -> Void = { _, _ in }) throws -> Model {
    try model { requirement, source in
      var values = try source.canonicalValues.array()
      change(requirement.name, &values)
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape, values: MemoryValues(values)
      )
    }
  }

  private func model(_ tensor: (TensorRequirement, SourceTensor) throws -> Tensor) throws -> Model {
    let tensors = try network.tensorRequirements.map { requirement in
      try tensor(requirement, try #require(sources[requirement.name]))
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: .released(for: network.inputExtent),
      provenance: Provenance(sourceName: "s", sourceByteCount: 0, format: "test", generation: "test"))
  }

  func verify(
    _ model: Model, recording: RecordedActivations? = nil, limits: Verification.Limits = .init(),
    options: EngineOptions = EngineOptions(), seed: UInt64 = 7
  ) throws -> Verification {
    try Verification(
      of: model, against: source(), inputs: [inputs(seed: seed)], recording: recording, limits: limits,
      options: options)
  }

  func inputs(seed: UInt64 = 7) throws -> FeatureMap {
    try VerificationInputs.generated(
      for: network, preprocessing: .released(for: network.inputExtent), seed: seed)
  }
}
