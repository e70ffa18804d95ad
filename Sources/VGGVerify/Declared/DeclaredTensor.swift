internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// What the declared passes make of a tensor of the source.
///
/// The rules of the passes are stated here a second time, apart from the code that applies them, and every number that
/// they need (scales, the cut of a pruning) is computed from the source. Nothing is taken from the model that is judged.
struct DeclaredTensor: Sendable {
  /// The tensor as the source has it.
  let original: Tensor
  /// What the model must store an element as.
  private(set) var elementType: ElementType
  /// Which elements the model must store.
  private(set) var storage: Storage
  /// What codes must stand for; nil where the model must not have codes.
  private(set) var quantization: Quantization?
  /// The codes that a bias must have; nil where it must have none.
  private(set) var bias: BiasCodes?
  /// What is done to each value, in order.
  private(set) var steps: [DeclaredStep] = []

  /// Begins with the tensor as it is.
  init(_ original: Tensor) {
    self.original = original
    elementType = original.elementType
    storage = original.storage
    quantization = original.quantization
    if case .bias(let codes) = original.content { bias = codes }
  }

  /// Whether the values are the source's.
  var isUnchanged: Bool { steps.isEmpty }

  /// The values that the model must have.
  var values: any TensorValues {
    isUnchanged ? original.values : DeclaredValues(base: original.values, steps: steps)
  }

  /// The values that the model must have, as a tensor to compute with.
  var tensor: Tensor {
    isUnchanged && bias == nil ? original : original.replacing(values: values)
  }

  private var outputs: Int { original.shape.last ?? 1 }

  /// Rounds the values as a pass says.
  ///
  /// - Parameters:
  ///   - settings: What the pass says.
  ///   - claimed: The codes that the judged model has. Which codes were chosen by pictures follows from nothing else, if the pass
  ///     says so; what they stand for, and which choices there are, follow from the source.
  mutating func quantize(
    by settings: QuantizationSettings, claimed: (any TensorCodes)? = nil
  ) throws(FileError) {
    switch settings.precision {
    case .fp32: (elementType, quantization) = (.real(.float32), nil)
    case .fp16:
      steps.append(.roundedToHalf)
      (elementType, quantization) = (.real(.float16), nil)
    case .bf16:
      steps.append(.roundedToBFloat16)
      (elementType, quantization) = (.real(.bfloat16), nil)
    case .int8, .int4:
      // A weight of two axes is a dense layer's.
      let isInt4 = settings.precision == .int4 && (settings.includesConvolutions || original.shape.count == 2)
      let grouping: Quantization.Grouping =
        if isInt4 {
          .inputGroups(length: settings.groupLength.rawValue)
        } else if settings.int8Scales == .tensor {
          .tensor
        } else {
          .outputChannel
        }
      let rule = DeclaredCodeRule(
        type: isInt4 ? .int4 : .int8, scaleRule: settings.scaleRule,
        hasZeroPoints: isInt4 && settings.hasZeroPoints)
      let codes = try rule.codes(of: values, by: grouping, outputs: outputs)
      if isInt4, settings.codeRounding != .nearest, let claimed, claimed.count == original.count {
        steps.append(.chosen(ClaimedCodes(codes: codes, claimed: claimed)))
      } else {
        steps.append(.quantized(codes))
      }
      elementType = .code(rule.type)
      quantization = Quantization(
        rule.type, by: grouping, scales: codes.scales, zeroPoints: codes.zeroPoints)
    }
  }

  /// Counts the values of a bias in units, one for each output channel.
  mutating func count(inUnits units: [Float]) throws(FileError) {
    let codes = zip(try values.array(), units).map { value, unit in
      DeclaredStep.count(value, inUnits: unit).map { Int32($0) } ?? 0
    }
    bias = BiasCodes(codes, scales: units)
    steps.append(.counted(units: units))
    (elementType, quantization) = (.biasCode, nil)
  }

  /// Multiplies the values by powers of two, as float32; false where they are codes, which no pass multiplies.
  mutating func scale(by scaling: DeclaredScaling) -> Bool {
    guard case .real = elementType else { return false }
    steps.append(.scaled(scaling))
    elementType = .real(.float32)
    return true
  }

  /// Takes what rounding adds to the outputs off a bias, as float32; false where it is codes already.
  mutating func correct(by errors: [Double]) -> Bool {
    guard case .real = elementType else { return false }
    steps.append(.corrected(errors))
    elementType = .real(.float32)
    return true
  }

  /// Makes the smallest values zero.
  mutating func prune(fraction: Double) throws(FileError) {
    let allowed = Int((Double(original.count) * fraction).rounded(.down))
    steps.append(.pruned(below: try values.smallestKept(dropping: allowed)))
    storage = .sparse
  }
}

/// What a pass does to a value.
enum DeclaredStep: Sendable {
  /// The nearest number of binary16, ties to even.
  case roundedToHalf
  /// The nearest number of bfloat16, ties to even.
  case roundedToBFloat16
  /// What the nearest codes stand for.
  case quantized(DeclaredCodes)
  /// What the claimed ones of the codes stand for that a value lies between.
  case chosen(ClaimedCodes)
  /// The multiple of the output channel's unit that is nearest, ties to even, of a bias.
  case counted(units: [Float])
  /// Times powers of two.
  case scaled(DeclaredScaling)
  /// Less a number of float64 for each output channel, rounded to float32.
  case corrected([Double])
  /// +0 where the bits of the magnitude are below a cut, and where the value is a zero.
  case pruned(below: UInt32)

  /// Does it to some values of a tensor.
  ///
  /// - Parameters:
  ///   - values: The values, in order.
  ///   - firstIndex: The index of the first one in the tensor.
  func apply(to values: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    switch self {
    case .roundedToHalf: for index in values.indices { values[index] = values[index].roundedToHalf }
    case .roundedToBFloat16: for index in values.indices { values[index] = values[index].roundedToBFloat16 }
    case .quantized(let codes): codes.apply(to: values, firstIndex: firstIndex)
    case .chosen(let codes): codes.apply(to: values, firstIndex: firstIndex)
    case .counted(let units):
      for index in values.indices {
        let unit = units[(firstIndex + index) % units.count]
        values[index] =
          DeclaredStep.count(values[index], inUnits: unit).map { Float($0 * Double(unit)) } ?? .nan
      }
    case .scaled(let scaling): scaling.apply(to: values, firstIndex: firstIndex)
    case .corrected(let errors):
      for index in values.indices {
        values[index] = Float(Double(values[index]) - errors[firstIndex + index])
      }
    case .pruned(let cut):
      for index in values.indices where values[index].magnitudeBits < cut || values[index] == 0 {
        values[index] = 0
      }
    }
  }
}

/// Codes that the judged model claims where pictures decided between two of them, and what they must stand for.
struct ClaimedCodes: Sendable {
  let codes: DeclaredCodes
  let claimed: any TensorCodes

  /// Turns values into what the claimed codes stand for, as far as there is a choice.
  func apply(to values: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    let range = firstIndex..<firstIndex + values.count
    // Codes that cannot be read are reported where the model's values are.
    guard let claimed = try? claimed.withCodes(range, { codes in Array(codes) }) else {
      return codes.apply(to: values, firstIndex: firstIndex)
    }
    codes.choose(claimed, for: values, firstIndex: firstIndex)
  }
}

extension DeclaredStep {
  /// How many units a value is, to nearest, ties to even, zero being +0; nil where 32 bits cannot count them.
  fileprivate static func count(_ value: Float, inUnits unit: Float) -> Double? {
    let steps = (Double(value) / Double(unit)).rounded(.toNearestOrEven) + 0
    return steps >= -0x1p31 && steps < 0x1p31 ? steps : nil
  }
}

/// The values of a tensor of the source after the declared passes.
struct DeclaredValues: PointwiseValues {
  let base: any TensorValues
  let steps: [DeclaredStep]

  func transform(_ run: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    for step in steps { step.apply(to: run, firstIndex: firstIndex) }
  }
}

extension TensorValues {
  /// The bits of the smallest magnitude that stays where all smaller ones, at most so many, are dropped.
  ///
  /// Bits of magnitudes are in the order of the magnitudes, so the answer is found digit by digit: how many values share
  /// the digits that are known and have each possible next one.
  func smallestKept(dropping allowed: Int) throws(FileError) -> UInt32 {
    var (prefix, remaining) = (UInt32(0), allowed)
    for shift in [21, 11, 0] as [UInt32] {
      let digits = shift == 0 ? 1 << 11 : 1 << 10
      let known = shift == 21 ? UInt32(0) : .max << (shift == 11 ? 21 : 11)
      let expected = prefix
      let counts = try reducePieces(rowLength: 1, into: [Int](repeating: 0, count: digits)) {
        _, values in
        var counts = [Int](repeating: 0, count: digits)
        for value in values where value.magnitudeBits & known == expected & known {
          counts[Int(value.magnitudeBits >> shift) & (digits - 1)] += 1
        }
        return counts
      } combine: { total, part in
        for digit in total.indices { total[digit] += part[digit] }
      }
      var digit = 0
      while digit < digits, counts[digit] <= remaining {
        remaining -= counts[digit]
        digit += 1
      }
      // All values may go; behind the first digit there always is one that may not.
      if digit == digits { return .max }
      prefix |= UInt32(digit) << shift
    }
    return prefix
  }
}

extension Float {
  /// The bits without the sign, which are in the order of the magnitudes.
  var magnitudeBits: UInt32 { bitPattern & 0x7FFF_FFFF }

  /// The nearest number of 11 significant bits in binary16's range, ties to even.
  var roundedToHalf: Float {
    guard isFinite, self != 0 else { return self }
    // Adding and subtracting a power of two rounds at the bit that binary16 ends with; in Double this is exact.
    let lastBit = max(exponent, -14) - 10
    let step = Double(sign: .plus, exponent: Int(lastBit), significand: 1)
    let steps = (Double(self) / step).rounded(.toNearestOrEven)
    let result = Float(steps * step)
    guard result.magnitude < 65520 else { return sign == .minus ? -.infinity : .infinity }
    return result == 0 ? Float(sign: sign, exponent: 0, significand: 0) : result
  }

  /// The nearest number of 8 significant bits, ties to even.
  var roundedToBFloat16: Float {
    guard isFinite else { return self }
    let kept = bitPattern &+ 0x7FFF &+ (bitPattern >> 16 & 1)
    return Float(bitPattern: kept & 0xFFFF_0000)
  }
}
