internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Stores the weights with another precision; a sparse tensor stays sparse.
struct QuantizePass: ModelPass {
  /// What is done; the layers to keep are in the network's order.
  private let settings: QuantizationSettings

  var declaration: Pass { .quantize(settings) }

  /// Creates a pass for a model, which says by which pictures of a context codes are rounded if they are.
  ///
  /// - Throws: `unsupported` with the code `quantize.layer` where a layer to keep is none of the network's that have weights, and
  ///   with the code `quantize.percentile` for a percentile that there cannot be; what reading pictures throws.
  init(_ settings: QuantizationSettings, in model: Model, _ context: PassContext) throws(FileError) {
    var settings = settings.normalized
    let known = model.network.layers.filter { !$0.tensorRequirements.isEmpty }.map(\.name)
    if let unknown = settings.keptLayers.first(where: { !known.contains($0) }) {
      throw FileError(
        .unsupported, code: "quantize.layer", file: model.provenance.sourceName,
        "has no layer of that name to keep", seen: unknown, allowed: known.joined(separator: ", "))
    }
    if case .percentile(let percentile) = settings.scaleRule, !(percentile > 0 && percentile <= 100) {
      throw FileError(
        .unsupported, code: "quantize.percentile", file: model.provenance.sourceName,
        "cannot have scales by such a percentile", seen: "\(percentile)", allowed: "above 0, up to 100")
    }
    settings.keptLayers = known.filter(settings.keptLayers.contains)
    if case .compensated = settings.codeRounding {
      let pictures = try CalibrationData(context.calibration, for: model.provenance.sourceName)
      settings.codeRounding = .compensated(pictures)
    }
    self.settings = settings
  }

  func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
    try QuantizePass.requireReals(model)
    let keptWeights = Set(settings.keptLayers.map { "\($0)/weight" })
    let int4Layers = model.network.layers.filter { settings.storesAsInt4($0) }
    let int4Weights = Set(int4Layers.map(\.weightName))
    let compensation: CompensatedRounding? =
      if case .compensated = settings.codeRounding {
        try CompensatedRounding(of: model, layers: Set(int4Layers.map(\.name)), in: context)
      } else {
        nil
      }
    return try model.mappingTensors { (tensor) throws(FileError) in
      guard tensor.role == .weight, !keptWeights.contains(tensor.name) else { return tensor }
      switch settings.precision {
      case .fp32: return tensor.replacing(.real(tensor.values, as: .float32))
      case .fp16:
        return tensor.replacing(.real(RoundedValues(base: tensor.values, type: .float16), as: .float16))
      case .bf16:
        return tensor.replacing(.real(RoundedValues(base: tensor.values, type: .bfloat16), as: .bfloat16))
      case .int4 where int4Weights.contains(tensor.name):
        return try coded(
          tensor, of: model,
          ScaleDerivation(
            type: .int4, grouping: .inputGroups(length: settings.groupLength.rawValue),
            rule: settings.scaleRule, hasZeroPoints: settings.hasZeroPoints), compensation)
      case .int8, .int4:
        return try coded(
          tensor, of: model,
          ScaleDerivation(
            type: .int8, grouping: settings.int8Scales == .tensor ? .tensor : .outputChannel,
            rule: settings.scaleRule, hasZeroPoints: false))
      }
    }
  }

  /// Refuses a model whose weights are bound to the integers that it computes with.
  static func requireReals(_ model: Model) throws(FileError) {
    guard model.integerArithmetic == nil else {
      throw FileError(
        .unsupported, code: "quantize.integers", file: model.provenance.sourceName,
        "computes in integers: its weights cannot be stored otherwise any more",
        advice: "quantize the model that it was made of")
    }
  }

  /// A tensor with codes for its values: the nearest ones, or those that make up for each other.
  private func coded(
    _ tensor: Tensor, of model: Model, _ derivation: ScaleDerivation,
    _ compensation: CompensatedRounding? = nil
  ) throws(FileError) -> Tensor {
    let quantization = try derivation.quantization(of: tensor)
    let outputs = tensor.shape[tensor.shape.count - 1]
    if let group = quantization.scales.firstIndex(where: { !$0.isFinite }) {
      let seen = quantization.scales[group].isNaN ? "nan" : "inf"
      throw FileError(
        .malformed, code: "quantize.nonfinite", file: model.provenance.sourceName,
        "has values that \(derivation.type.rawValue) cannot hold",
        place: "tensor \(tensor.name)"
          + (derivation.grouping == .tensor ? "" : ", output channel \(group % outputs)"),
        seen: seen, allowed: "finite numbers",
        advice: "--keep \(tensor.name.prefix { $0 != "/" }) leaves the layer as it is")
    }
    let nearest = QuantizedCodes(base: tensor.values, quantization: quantization, rowLength: outputs)
    return tensor.replacing(
      .codes(try compensation?.codes(of: tensor, by: quantization) ?? nearest, quantization))
  }
}

extension QuantizationSettings {
  /// Whether the weights of a layer become codes of four bits.
  fileprivate func storesAsInt4(_ layer: Layer) -> Bool {
    guard precision == .int4, !keptLayers.contains(layer.name) else { return false }
    if case .convolution = layer.operation { return includesConvolutions }
    return layer.isDense
  }
}

/// Values rounded to a narrower type.
private struct RoundedValues: PointwiseValues {
  let base: any TensorValues
  let type: RealType

  func transform(_ run: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    guard let values = run.baseAddress else { return }
    let isa = vgk_best_isa()
    var narrowing = VGKNarrowing()
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 4096) { bits in
      guard let bits = bits.baseAddress else { return }
      for start in stride(from: 0, to: run.count, by: 4096) {
        let length = min(4096, run.count - start)
        switch type {
        case .float32: break
        case .float16:
          vgk_f16_from_f32(isa, values + start, bits, length, &narrowing)
          vgk_f32_from_f16(isa, bits, values + start, length)
        case .bfloat16:
          vgk_bf16_from_f32(isa, values + start, bits, length, &narrowing)
          vgk_f32_from_bf16(isa, bits, values + start, length)
        }
      }
    }
  }
}

/// The codes that are nearest to some values.
private struct QuantizedCodes: TensorCodes {
  let base: any TensorValues
  let quantization: Quantization
  /// The number of output channels.
  let rowLength: Int

  var count: Int { base.count }
  var isTransposed: Bool { base.isTransposed }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 16) {
      let part = start..<min(range.upperBound, start + 1 << 16)
      let place = part.lowerBound - range.lowerBound
      try base.withValues(part) { values throws(FileError) in
        quantization.quantize(
          values, firstIndex: part.lowerBound, rowLength: rowLength,
          into: UnsafeMutableBufferPointer(rebasing: destination[place..<place + part.count]))
      }
    }
  }

  func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Int8>, rowStride: Int
  ) throws(FileError) {
    try base.forEachBlock(of: tile, rowLength: rowLength) { block, values throws(FileError) in
      quantization.quantize(
        values, of: block, in: tile, rowLength: rowLength, into: destination, rowStride: rowStride)
    }
  }
}
