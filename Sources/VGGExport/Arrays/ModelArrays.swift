internal import VGGBytes
public import VGGInterchange
public import VGGModel
public import VGGTensors

extension NamedArray {
  /// The arrays that a model is written as under some names.
  ///
  /// Codes are arrays of several only under canonical names; programs whose names others are have no such tensors, so
  /// these get the values that codes stand for.
  ///
  /// - Throws: `unsupported` where the program whose names they are has no such network.
  static func arrays(
    of model: Model, named naming: TensorNaming, dequantized: Bool
  ) throws(FileError) -> [NamedArray] {
    guard naming != .canonical else { return arrays(of: model, dequantized: dequantized) }
    let names = try naming.names(in: model.network)
    var arrays: [NamedArray] = []
    for (index, layer) in model.network.layers.enumerated() {
      guard let names = names[index], let weight = model.tensor(layer.weightName),
        let arranged = model.network.arrangement(ofLayer: index, in: naming.layout)
      else { continue }
      var shape = arranged.shape
      if naming == .timm, layer.isDense {
        let map = model.network.flattenedMap(readByLayer: index)
        if names.weight.hasPrefix("pre_logits") {
          shape = [shape[0], map?.channels ?? shape[1], map?.extent.height ?? 1, map?.extent.width ?? 1]
        }
      }
      arrays.append(
        NamedArray(
          name: names.weight, shape: shape, values: arranged.arrange(weight.values), as: weight.realType))
      if let bias = model.tensor(layer.biasName) {
        arrays.append(
          NamedArray(name: names.bias, shape: bias.shape, values: bias.values, as: bias.realType))
      }
    }
    return arrays
  }

  /// The arrays that a model is written as: those of its tensors, and for a model that computes in integers NAME/output.scales and
  /// NAME/output.zero_points of each layer, which are `input.scales` and `input.zero_points` for the input.
  public static func arrays(of model: Model, dequantized: Bool) -> [NamedArray] {
    let tensors = model.tensors.flatMap { arrays(of: $0, dequantized: dequantized) }
    guard let arithmetic = model.integerArithmetic, !dequantized else { return tensors }
    return tensors
      + arithmetic.maps(of: model.network).flatMap { map, codes in
        let name = map == "input" ? map : "\(map)/output"
        return [
          NamedArray(name: "\(name).scales", shape: [1], values: [codes.scale]),
          NamedArray(name: "\(name).zero_points", shape: [1], codes: MemoryCodes([codes.zeroPoint])),
        ]
      }
  }

  /// The arrays that a model's tensor is written as.
  ///
  /// Reals are one array of the tensor's name. Codes are several: those of the tensor's name are signed bytes, also where a file has
  /// two in a byte; NAME.scales are float32; NAME.zero_points are signed bytes, where there are any; NAME.group_size says how
  /// many neighbours along all axes but the last, as one, share a scale, where that is not all. Codes of biases are of 32 bits. Scales and zero points have the
  /// shape [1] for the tensor, [outputs] for output channels, and [groups, outputs] for groups: a value is
  /// (code - zero point) * scale in float32.
  ///
  /// - Parameters:
  ///   - tensor: The tensor.
  ///   - dequantized: Whether the values that codes stand for are written instead, as float32.
  public static func arrays(of tensor: Tensor, dequantized: Bool) -> [NamedArray] {
    switch tensor.content {
    case .real(let values, let type):
      return [NamedArray(name: tensor.name, shape: tensor.shape, values: values, as: type)]
    case .codes where dequantized, .bias where dequantized:
      return [NamedArray(name: tensor.name, shape: tensor.shape, values: tensor.values)]
    case .codes(let codes, let quantization):
      var shape = [quantization.scaleCount]
      var groupLength: Int?
      if case .inputGroups(let length) = quantization.grouping {
        let outputs = tensor.shape.last ?? 1
        shape = [quantization.scaleCount / outputs, outputs]
        groupLength = length
      }
      var arrays = [
        NamedArray(name: tensor.name, shape: tensor.shape, codes: codes),
        NamedArray(
          name: "\(tensor.name).scales", shape: shape, values: MemoryValues(quantization.scales)),
      ]
      if quantization.zeroPointCount > 0 {
        arrays.append(
          NamedArray(
            name: "\(tensor.name).zero_points", shape: shape, codes: MemoryCodes(quantization.zeroPoints)))
      }
      if let groupLength {
        arrays.append(
          NamedArray(name: "\(tensor.name).group_size", shape: [], integers: [Int64(groupLength)]))
      }
      return arrays
    case .bias(let bias):
      return [
        NamedArray(name: tensor.name, shape: tensor.shape, integers: bias.codes),
        NamedArray(name: "\(tensor.name).scales", shape: tensor.shape, values: bias.scales),
      ]
    }
  }
}

extension Tensor {
  /// The type that its values are written as.
  fileprivate var realType: RealType { if case .real(let type) = elementType { type } else { .float32 } }
}
