internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// Turns a model whose weights are int8 codes into one that computes in integers.
///
/// The ranges of the maps are those that its layers give for the pictures of the context, with the weights as they are. A bias
/// becomes the nearest multiple of the unit of its layer's sums, ties to even.
struct QuantizeActivationsPass: ModelPass {
  let settings: ActivationSettings

  var declaration: Pass { .quantizeActivations(settings) }

  func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
    let file = model.provenance.sourceName
    guard model.integerArithmetic == nil else {
      throw FileError(
        .unsupported, code: "quantize.integers", file: file, "computes in integers already")
    }
    if let layer = model.firstLayerWithoutSuitableCodes {
      throw FileError(
        .unsupported, code: "quantize.weights", file: file,
        "cannot compute in integers: its weights are not all int8 codes", place: "layer \(layer)",
        allowed: "int8 weights of every layer, with one scale for each output channel or the tensor",
        advice: "--to int8 without --keep makes them so")
    }
    let calibration = try Calibration(of: model, on: context.calibration, engine: context.engine)
    calibration.warnings.forEach(context.warn)
    let calibrated = try calibration.quantizations(by: settings.rangeRule)
    context.calibrated(calibrated)
    let maps = calibrated.layers.map(\.quantization)
    let arithmetic = IntegerArithmetic(
      rounding: settings.rounding, input: maps[0], outputs: Array(maps.dropFirst()))
    let biases = try model.integerBiases(for: arithmetic)
    let result: Model
    do throws(ShapeError) {
      result = try Model(
        network: model.network,
        tensors: model.tensors.map { tensor in
          biases[tensor.name].map { tensor.replacing(.bias($0)) } ?? tensor
        },
        preprocessing: model.preprocessing, labels: model.labels, integerArithmetic: arithmetic,
        provenance: model.provenance)
    } catch {
      throw FileError(
        .unsupported, code: "quantize.scales", file: file,
        "cannot compute in integers with the ranges that its maps have", place: "layer \(error.layer)",
        seen: error.problem, advice: "calibrate with pictures like those that it is made for")
    }
    do throws(EngineError) { try result.requireSumsThatFit() } catch { throw FileError(error, file: file) }
    return result
  }
}

extension Model {
  /// The first layer whose weights are no codes that integers are computed with.
  fileprivate var firstLayerWithoutSuitableCodes: String? {
    network.layers.first { layer in
      guard let weight = tensor(layer.weightName) else { return false }
      guard let quantization = weight.quantization, quantization.type == .int8,
        quantization.zeroPointCount == 0
      else { return true }
      return quantization.grouping != .outputChannel && quantization.grouping != .tensor
    }?.name
  }

  /// The biases in units of their layers' sums, by the names of their tensors.
  fileprivate func integerBiases(for arithmetic: IntegerArithmetic) throws(FileError) -> [String: BiasCodes] {
    var biases: [String: BiasCodes] = [:]
    for (index, layer) in network.layers.enumerated() {
      guard let bias = tensor(layer.biasName), let weights = tensor(layer.weightName)?.quantization else {
        continue
      }
      let units = layer.sumScales(
        input: arithmetic.input(ofLayer: index), weight: weights, outputs: bias.count)
      let values = try bias.values.array()
      var codes: [Int32] = []
      for (channel, value) in values.enumerated() {
        guard let code = Int32(exactly: (Double(value) / Double(units[channel])).rounded(.toNearestOrEven))
        else {
          throw FileError(
            .unsupported, code: "quantize.bias", file: provenance.sourceName,
            "has a bias that is too large for sums of 32 bits",
            place: "tensor \(bias.name), output channel \(channel)", seen: "\(value)",
            allowed: "magnitudes below \(Double(units[channel]) * 0x1p31)")
        }
        codes.append(code)
      }
      biases[bias.name] = BiasCodes(codes, scales: units)
    }
    return biases
  }
}
