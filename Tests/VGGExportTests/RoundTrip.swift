import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGExport
import VGGModel
import VGGSources
import VGGTensors

/// A form of Keras's or Caffe's files, and the way back.
struct RoundTrip: Sendable, CustomTestStringConvertible {
  var format: ExportFormat
  var name: String
  var writesWeightsOnly = false
  /// Whether the file says how the layers compute.
  var isWhole = true

  var testDescription: String { name }

  static let keras = [
    RoundTrip(format: .keras, name: "a.keras"),
    RoundTrip(format: .keras, name: "a.weights.h5", isWhole: false),
    RoundTrip(format: .kerasLegacy, name: "a_full.h5"),
    RoundTrip(format: .kerasLegacy, name: "a.h5", writesWeightsOnly: true, isWhole: false),
  ]
  static let caffe = RoundTrip(format: .caffe, name: "a.caffemodel")

  var options: ExportOptions {
    var options = ExportOptions()
    options.writesWeightsOnly = writesWeightsOnly
    return options
  }

  /// Writes a model and imports what was written.
  func imported(
    _ model: Model, prototxt: Bool = false, _ change: (inout ImportOptions) -> Void = { _ in }
  ) throws -> OpenedModel {
    try withTemporaryFolder { (folder) throws in
      try model.export(to: format, at: "\(folder)/\(name)", options: options)
      var opening = OpenOptions()
      if prototxt { opening.prototxt = "\(folder)/a.prototxt" }
      change(&opening.importing)
      // The files stay mapped when their names are gone.
      return try OpenedModel("\(folder)/\(name)", options: opening)
    }
  }
}

extension Model {
  /// The names of tensors whose values differ in any bit, or that only one model has.
  func differences(from other: Model) throws -> [String] {
    let names = Set(tensors.map(\.name)).union(other.tensors.map(\.name))
    return try names.sorted().filter { name in
      guard let own = tensor(name), let others = other.tensor(name), own.shape == others.shape else {
        return true
      }
      return try own.values.array().map(\.bitPattern) != others.values.array().map(\.bitPattern)
    }
  }

  /// A model of random weights, among them zeros of both signs, subnormal and huge numbers.
  static func random(_ network: Network, seed: UInt64, types: [RealType] = [.float32]) throws -> Model {
    var random = SeededGenerator(seed: seed)
    let special: [Float] = [
      0, -0.0, .leastNonzeroMagnitude, -.greatestFiniteMagnitude, Float(bitPattern: 0x10_0001),
    ]
    let tensors = network.tensorRequirements.enumerated().map { index, requirement in
      let type = types[index % types.count]
      let values = (0..<requirement.shape.reduce(1, *)).map { _ in
        if type != .float32 { return Float(Int.random(in: -127...127, using: &random)) / 64 }
        return Int.random(in: 0..<50, using: &random) == 0
          ? special.randomElement(using: &random) ?? 0 : Float.random(in: -1...1, using: &random)
      }
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape,
        content: .real(MemoryValues(values), as: type))
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: .released(for: network.inputExtent),
      provenance: Provenance(sourceName: "x", sourceByteCount: 1, format: "test", generation: "test"))
  }
}

extension Network {
  /// A network of random widths, input and head, whose poolings round up or down.
  static func random(_ architecture: Architecture, seed: UInt64, isSquare: Bool = false) throws -> Network {
    var random = SeededGenerator(seed: seed)
    func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    let side = number(32...70)
    let extent = Extent(height: side, width: isSquare ? side : number(32...70))
    let plain = try Network(
      architecture, inputExtent: extent, inputChannels: [1, 3, 4][number(0...2)],
      widths: (0..<5).map { _ in number(2...9) }, denseWidths: [])
    let roundsUp = number(0...1) == 1
    var layers = plain.layers.map { layer in
      guard roundsUp, case .pooling(var pooling) = layer.operation else { return layer }
      pooling.rounding = .ceiling
      return Layer(name: layer.name, operation: .pooling(pooling))
    }
    if number(0...3) == 0 {
      layers.append(
        Layer(name: "pool6", operation: .pooling(Pooling(global: number(0...1) == 0 ? .average : .maximum))))
    }
    let features = Network(
      architecture: architecture, inputChannels: plain.inputChannels, inputExtent: extent, layers: layers)
    let count = try features.outputShapes(for: extent).last?.count ?? 0
    var inputs = count
    let dense = (0..<number(1...3)).map { _ in
      let dense = Dense(inputs: inputs, outputs: number(4...12), activation: .relu)
      inputs = dense.outputs
      return dense
    }
    let activation = HeadActivation.allCases[number(0...HeadActivation.allCases.count - 1)]
    return Network(
      architecture: architecture, inputChannels: plain.inputChannels, inputExtent: extent,
      layers: layers + (Head(dense, activation: activation)?.layers ?? []))
  }
}
