internal import CVGGRules
public import VGGBytes
public import VGGModel
public import VGGTensors

/// A change to one layer of a model: what a mistake does to it, and what undoes the mistake.
public enum LayerChange: Equatable, Sendable {
  /// Kernels turned by 180 degrees: correlation for convolution.
  case rotatedKernels
  /// Rows and columns of kernels exchanged.
  case transposedKernels
  /// Input channels in reverse order: BGR for RGB.
  case reversedInputChannels
  /// Dense inputs that were flattened as channel, row, column taken for row, column, channel.
  case flattenedByChannel(channels: Int)
  /// The same the other way round.
  case flattenedByPixel(channels: Int)
  /// Inputs and outputs of a square dense weight exchanged.
  case transposedDense
  /// The bias of every output channel is that of the one so many further on.
  case shiftedBias(by: Int)
  /// No bias: all zeros.
  case missingBias
  /// The bias of another model.
  case bias([Float])
  /// Weights and bias exchanged with those of another layer of the same shape.
  case exchanged(with: String)
  /// Output channels in another order: each is the one of this index. In the last layer, classes.
  case permutedOutputs([Int])
  /// Poolings that round the number of windows in this way.
  case rounding(Pooling.Rounding)
  /// Another set of constants.
  case normalization(LocalResponseNormalization)
  /// One bit of one stored value changed.
  case flippedBit(Tensor.Role, index: Int, bit: Int)
  /// One row of the weight, the weights of one input, all zeros.
  case zeroedRow(Int)
  /// The end of the weight from a value on all zeros.
  case truncated(from: Int)
  /// The weights of one output channel, or of all where it is nil, multiplied; of int8 it is the scales that are.
  case scaled(channel: Int?, by: Float)
  /// The scales of two channels exchanged, their codes not; of groups, those of the first inputs.
  case exchangedScales(Int, Int)
  /// The scale of one group multiplied; only where groups lie along the input.
  case scaledGroup(Int, by: Float)
  /// The scales and zero points of groups along the input in the order of a table whose axes are exchanged.
  case transposedGroups
  /// The zero point of one group shifted, its codes not.
  case shiftedZeroPoint(Int)
  /// Zero points taken for 0, codes as they are.
  case missingZeroPoints
  /// The two codes of each byte exchanged: int4 alone.
  case exchangedNibbles
  /// All weights as large as the largest of their channel, with their signs: codes of ±127.
  case saturated
  /// The first weight from an index on that is not zero, zero. Of four bits it is one of two steps or more: next to zero, zero may be what
  /// pictures have chosen.
  case zeroedWeight(from: Int)
  /// The first weight that is zero at the place of the first one that is not, and the other way round, from an index on.
  case exchangedZero(from: Int)
  /// Two rows of the weight, the weights of two inputs, exchanged.
  case exchangedRows(Int, Int)

  /// The model with one of its layers changed.
  ///
  /// Values are changed as they are read. Nil where the change does not apply to the layer.
  public func applied(to layer: Layer, of model: Model) throws(FileError) -> Model? {
    switch self {
    case .rounding, .normalization:
      guard let operation = operation(of: layer) else { return nil }
      return model.replacing(layer, by: operation)
    case .exchanged(let name):
      guard let other = model.network.layers.first(where: { $0.name == name }),
        other.tensorRequirements.map(\.shape) == layer.tensorRequirements.map(\.shape)
      else { return nil }
      return model.mapping { tensor in
        for (own, theirs) in zip(layer.tensorRequirements, other.tensorRequirements) {
          if tensor.name == own.name, let source = model.tensor(theirs.name) { return tensor.taking(source) }
          if tensor.name == theirs.name, let source = model.tensor(own.name) { return tensor.taking(source) }
        }
        return tensor
      }
    default:
      var applies = false
      var failure: FileError?
      let changed = model.mapping { tensor in
        guard tensor.name == layer.weightName || tensor.name == layer.biasName else { return tensor }
        do throws(FileError) {
          guard let tensor = try self.changed(tensor, of: layer) else { return tensor }
          applies = true
          return tensor
        } catch {
          failure = error
          return tensor
        }
      }
      if let failure { throw failure }
      return applies ? changed : nil
    }
  }

  private func operation(of layer: Layer) -> Layer.Operation? {
    switch (self, layer.operation) {
    case (.rounding(let rounding), .pooling(var pooling)):
      guard pooling.rounding != rounding else { return nil }
      pooling.rounding = rounding
      return .pooling(pooling)
    case (.normalization(let constants), .normalization(let own)):
      return constants == own ? nil : .normalization(constants)
    default: return nil
    }
  }

  /// A tensor of the layer changed; nil where the change leaves it alone.
  private func changed(_ tensor: Tensor, of layer: Layer) throws(FileError) -> Tensor? {
    let shape = tensor.shape
    let outputs = shape[shape.count - 1]
    switch (self, tensor.role, shape.count) {
    case (.rotatedKernels, .weight, 4) where shape[0] * shape[1] > 1:
      let (area, tap) = (shape[0] * shape[1], shape[2] * shape[3])
      return tensor.rearranged { (area - 1 - $0 / tap) * tap + $0 % tap }
    case (.transposedKernels, .weight, 4) where shape[0] == shape[1] && shape[0] > 1:
      let (side, tap) = (shape[0], shape[2] * shape[3])
      return tensor.rearranged { ($0 / tap % side * side + $0 / tap / side) * tap + $0 % tap }
    case (.reversedInputChannels, .weight, 4) where shape[2] > 1:
      let inputs = shape[2]
      return tensor.rearranged { index in
        let (row, output) = index.quotientAndRemainder(dividingBy: outputs)
        return (row / inputs * inputs + inputs - 1 - row % inputs) * outputs + output
      }
    case (.flattenedByChannel(let channels), .weight, 2) where shape[0] % channels == 0:
      let pixels = shape[0] / channels
      return tensor.rearranged { index in
        let (row, output) = index.quotientAndRemainder(dividingBy: outputs)
        return (row % channels * pixels + row / channels) * outputs + output
      }
    case (.flattenedByPixel(let channels), .weight, 2) where shape[0] % channels == 0:
      let pixels = shape[0] / channels
      return tensor.rearranged { index in
        let (row, output) = index.quotientAndRemainder(dividingBy: outputs)
        return (row % pixels * channels + row / pixels) * outputs + output
      }
    case (.transposedDense, .weight, 2) where shape[0] == outputs && tensor.quantization == nil:
      return tensor.rearranged { $0 % outputs * outputs + $0 / outputs }
    case (.permutedOutputs(let order), _, _) where order.count == outputs:
      return tensor.permutingOutputs(order)
    case (.shiftedBias(let distance), .bias, _) where outputs > 1:
      return tensor.rearranged { (($0 + distance) % outputs + outputs) % outputs }
    case (.missingBias, .bias, _):
      return tensor.overwriting(0..<outputs) { _, _ in 0 }
    case (.bias(let values), .bias, _) where values.count == outputs:
      return tensor.replacing(values: MemoryValues(values))
    case (.flippedBit(let role, let index, let bit), tensor.role, _)
    where role == tensor.role && index < tensor.count:
      return tensor.flipping(bit, at: index)
    case (.zeroedRow(let row), .weight, _) where (row + 1) * outputs <= tensor.count:
      return tensor.overwriting(row * outputs..<(row + 1) * outputs) { _, _ in 0 }
    case (.truncated(let start), .weight, _) where start < tensor.count:
      return tensor.overwriting(start..<tensor.count) { _, _ in 0 }
    default: return tensor.role == .weight ? try changedWeight(tensor) : nil
    }
  }

  /// Changes that depend on how a weight is stored, or on which of its values are zero.
  private func changedWeight(_ tensor: Tensor) throws(FileError) -> Tensor? {
    let outputs = tensor.shape[tensor.shape.count - 1]
    switch self {
    case .scaled(let wanted, let factor) where wanted.map { $0 < outputs } ?? true:
      let scales = (0..<outputs).map { wanted == nil || wanted == $0 ? factor : 1 }
      return tensor.scaling(by: scales)
    case .exchangedScales(let first, let second) where first < outputs && second < outputs:
      guard case .codes(let codes, var quantization) = tensor.content, quantization.grouping != .tensor else {
        return nil
      }
      quantization.scales.swapAt(first, second)
      return tensor.replacing(.codes(codes, quantization))
    case .scaledGroup, .transposedGroups, .shiftedZeroPoint, .missingZeroPoints, .exchangedNibbles:
      return tensor.changingCodes(self)
    case .saturated: return try tensor.saturated
    case .zeroedWeight(let start):
      let isInt4 = tensor.elementType == .code(.int4)
      let least = isInt4 ? 2 * (tensor.quantization?.scales.max() ?? 0) : .leastNonzeroMagnitude
      guard let index = try tensor.firstIndex(from: start, where: { $0.magnitude >= least }) else {
        return nil
      }
      return tensor.overwriting(index..<index + 1) { _, _ in 0 }
    case .exchangedZero(let start):
      guard let zero = try tensor.firstIndex(from: start, where: { $0 == 0 }),
        let kept = try tensor.firstIndex(from: start, where: { $0 != 0 })
      else { return nil }
      return tensor.exchanging(zero..<zero + 1, kept..<kept + 1)
    case .exchangedRows(let first, let second) where max(first, second) < tensor.count / outputs:
      return tensor.exchanging(
        first * outputs..<(first + 1) * outputs, second * outputs..<(second + 1) * outputs)
    default: return nil
    }
  }
}

extension Model {
  /// The same model with other values of some tensors; it does not say so in its provenance.
  fileprivate func mapping(_ transform: (Tensor) -> Tensor) -> Model {
    mappingTensors(transform)
  }

  /// The same model with another operation of a layer, which needs the same tensors.
  fileprivate func replacing(_ layer: Layer, by operation: Layer.Operation) -> Model {
    var model = self
    model.network = Network(
      architecture: network.architecture, inputChannels: network.inputChannels,
      inputExtent: network.inputExtent,
      layers: network.layers.map { $0 == layer ? Layer(name: $0.name, operation: operation) : $0 })
    return model
  }
}

extension Tensor {
  /// The content of another tensor of the same shape.
  fileprivate func taking(_ other: Tensor) -> Tensor { replacing(other.content, storage: other.storage) }

  /// The elements in another order; scales stay with their channels.
  fileprivate func rearranged(_ place: @escaping @Sendable (Int) -> Int) -> Tensor {
    switch content {
    case .real(let values, let type): replacing(.real(RearrangedValues(base: values, place: place), as: type))
    case .codes(let codes, let quantization):
      replacing(.codes(RearrangedCodes(base: codes, place: place), quantization))
    case .bias(let bias): replacing(bias.mappingCodes { index, codes in codes[place(index)] })
    }
  }

  fileprivate func permutingOutputs(_ order: [Int]) -> Tensor {
    let count = order.count
    let tensor = rearranged { $0 / count * count + order[$0 % count] }
    guard case .codes(let codes, var quantization) = tensor.content, quantization.grouping != .tensor else {
      return tensor
    }
    // In each row of groups the channels change places.
    func permuted<Parameter>(_ parameters: [Parameter]) -> [Parameter] {
      parameters.indices.map { parameters[$0 / count * count + order[$0 % count]] }
    }
    quantization.scales = permuted(quantization.scales)
    quantization.zeroPoints = permuted(quantization.zeroPoints)
    return replacing(.codes(codes, quantization))
  }

  /// The values of each output channel multiplied: of codes it is the scales that are.
  fileprivate func scaling(by factors: [Float]) -> Tensor {
    switch content {
    case .real, .bias: return overwriting(0..<count) { value, channel in value * factors[channel] }
    case .codes(let codes, var quantization):
      if quantization.grouping == .tensor {
        quantization = Quantization(
          quantization.type, scales: factors.flatMap { _ in quantization.scales },
          zeroPoints: factors.flatMap { _ in quantization.zeroPoints })
      }
      quantization.scales = quantization.scales.enumerated().map { $1 * factors[$0 % factors.count] }
      return replacing(.codes(codes, quantization))
    }
  }

  /// One bit of the stored element at an index changed; bits are counted from the lowest one.
  fileprivate func flipping(_ bit: Int, at index: Int) -> Tensor {
    switch content {
    case .real(_, let type): overwriting(index..<index + 1) { value, _ in type.flipping(bit, of: value) }
    case .codes(let codes, let quantization):
      replacing(
        .codes(
          OverwrittenCodes(base: codes, range: index..<index + 1) { code, _ in
            let unused = 8 - elementType.bitCount
            let flipped = UInt8(bitPattern: code) ^ (1 << UInt8(bit % elementType.bitCount))
            return Int8(bitPattern: flipped << unused) >> unused
          }, quantization))
    case .bias(let bias):
      replacing(bias.mappingCodes { $0 == index ? $1[$0] ^ 1 << Int32(bit % 32) : $1[$0] })
    }
  }

  /// All values as large as the largest of their channel, with their signs.
  fileprivate var saturated: Tensor {
    get throws(FileError) {
      let outputs = shape[shape.count - 1]
      let none = [Float](repeating: 0, count: outputs)
      let largest = try values.reducePieces(rowLength: outputs, into: none) { _, values in
        values.enumerated().reduce(into: none) { largest, item in
          largest[item.offset % outputs] = max(largest[item.offset % outputs], item.element.magnitude)
        }
      } combine: { total, part in
        for channel in total.indices { total[channel] = max(total[channel], part[channel]) }
      }
      return overwriting(0..<count) { value, channel in
        value == 0 ? 0 : value.sign == .minus ? -largest[channel] : largest[channel]
      }
    }
  }

  /// Two runs of values of the same length exchanged.
  fileprivate func exchanging(_ first: Range<Int>, _ second: Range<Int>) -> Tensor {
    rearranged { index in
      if first.contains(index) { return second.lowerBound + index - first.lowerBound }
      if second.contains(index) { return first.lowerBound + index - second.lowerBound }
      return index
    }
  }

  /// The first value of a kind from an index on, or from the beginning; nil where there is none among the next 65,536.
  fileprivate func firstIndex(
    from start: Int, where isWanted: (Float) -> Bool
  ) throws(FileError) -> Int? {
    let range = min(start, count - 1)..<min(count, start + 1 << 16)
    return try values.withValues(range) { (values) throws(FileError) in
      values.firstIndex(where: isWanted).map { range.lowerBound + $0 }
    }
  }

  /// Changes some values; the transform gets a value and its output channel. A code becomes that of the new value.
  fileprivate func overwriting(
    _ range: Range<Int>, _ transform: @escaping @Sendable (Float, Int) -> Float
  ) -> Tensor {
    let outputs = shape[shape.count - 1]
    switch content {
    case .real(let values, let type):
      return replacing(
        .real(OverwrittenValues(base: values, range: range, outputs: outputs, transform: transform), as: type)
      )
    case .codes(let codes, let quantization):
      let (least, most) = (
        Float(quantization.type.codes.lowerBound), Float(quantization.type.codes.upperBound)
      )
      let changed = OverwrittenCodes(base: codes, range: range) { code, index in
        let (scale, zeroPoint) = quantization.parameters(ofElement: index, rowLength: outputs)
        let value = transform(Float(Int(code) - Int(zeroPoint)) * scale, index % outputs)
        return Int8(max(least, min(most, (value / scale).rounded() + Float(zeroPoint))))
      }
      return replacing(.codes(changed, quantization))
    case .bias(let bias):
      return replacing(
        bias.mappingCodes { index, codes in
          guard range.contains(index) else { return codes[index] }
          let scale = Double(bias.scales[index])
          let value = transform(Float(Double(codes[index]) * scale), index)
          return Int32(clamping: Int64(max(-0x1p62, min(0x1p62, (Double(value) / scale).rounded()))))
        })
    }
  }
}

extension BiasCodes {
  /// The codes that are made of an index and all codes, in the same units.
  fileprivate func mappingCodes(_ transform: (Int, [Int32]) -> Int32) -> Tensor.Content {
    let codes = codes
    return .bias(BiasCodes(codes.indices.map { transform($0, codes) }, scales: scales))
  }
}

extension RealType {
  /// What a stored value becomes when one of its bits changes; bits are counted from the lowest one.
  fileprivate func flipping(_ bit: Int, of value: Float) -> Float {
    switch self {
    case .float32: Float(bitPattern: value.bitPattern ^ (1 << UInt32(bit % 32)))
    case .bfloat16: Float(bitPattern: value.bitPattern ^ (1 << UInt32(16 + bit % 16)))
    case .float16:
      Float(bitPattern: vgr_f32_from_f16(vgr_f16_of_exact(value.bitPattern) ^ (1 << UInt16(bit % 16))))
    }
  }
}
