internal import VGGBytes
internal import VGGHDF5
internal import VGGSources
internal import VGGTensors

/// How Keras 3 stores the kernel of a quantised dense layer.
///
/// | mode | kernel | scale | value |
/// |---|---|---|---|
/// | int8 | int8 [in, out] | [out] | `q / scale` |
/// | int4, 3.11 to 3.13 | two in a byte along the inputs: int8 [in/2, out] | [out] | `q / scale` |
/// | int4, from 3.14 | two in a byte along the outputs: int8 [in, out/2] | [out] | `q / scale` |
/// | int4 in groups | the same, with zeros [groups, out] and the group of each input | [groups, out] | `(q - zero) * scale` |
///
/// The low four bits of a byte come first; lengths are rounded up.
struct StoredQuantization {
  /// How values lie in the kernel's bytes.
  enum Packing {
    /// One in each.
    case bytes
    /// Two in each: rows 2i and 2i + 1.
    case alongInputs
    /// Two in each: columns 2j and 2j + 1.
    case alongOutputs
  }

  /// What is known of a layer's inputs.
  enum Inputs {
    case exactly(Int)
    /// A map of so many channels.
    case map(channels: Int)

    /// Whether there may be so many.
    ///
    /// - Parameters:
    ///   - count: The number of inputs.
    ///   - isSquare: Whether a map has as many rows as columns, for without a configuration nothing else is known.
    func fit(_ count: Int, isSquare: Bool) -> Bool {
      switch self {
      case .exactly(let inputs): return count == inputs
      case .map(let channels):
        guard count > 0, channels > 0, count % channels == 0 else { return false }
        let side = Int(Double(count / channels).squareRoot().rounded())
        return !isSquare || side * side == count / channels
      }
    }
  }

  private let scale: KerasWeight
  private let zero: KerasWeight?
  private let groupOfInput: KerasWeight?
  private var packing = Packing.bytes
  /// The inputs and outputs, once they are known.
  private(set) var shape: [Int]

  /// For reports.
  var summary: String { packing == .bytes ? "int8" : zero == nil ? "int4" : "int4 in groups" }

  /// Sorts the weights of a quantised layer: by name where they have names, else in the order in which Keras stores them.
  ///
  /// - Throws: Where they are quantised in a way that is not read.
  static func layer(_ layer: KerasLayer) throws(FileError) -> StoredLayer {
    func refusal(_ problem: String, _ weight: KerasWeight) -> FileError {
      FileError(
        .unsupported, code: "keras.quantization", file: weight.file.path, problem,
        place: "layer \(layer.name), tensor \(weight.dataset.path)",
        seen: layer.weights.map { "\($0.isOfBytes ? "bytes" : "numbers") \($0.shape)" }.joined(
          separator: ", "),
        allowed: "kernel, bias, scale, and zeros and groups of int4, of a dense layer")
    }
    if let unsigned = layer.weights.first(where: { $0.isOfBytes && $0.dataset.type.number == nil }) {
      throw refusal("holds weights quantised by GPTQ or AWQ, which are not read", unsigned)
    }
    var floats = layer.weights.filter { !$0.isOfBytes }
    let bytes = layer.weights.filter(\.isOfBytes)
    guard let kernel = bytes.first, bytes.count <= 2, bytes.allSatisfy({ $0.shape.count == 2 }) else {
      throw refusal("holds quantised weights in a layer that Keras does not quantise", bytes[0])
    }
    func takeFloat(_ part: String, last isLast: Bool) -> KerasWeight? {
      let named = floats.firstIndex { $0.part == part }
      guard let index = named ?? (isLast ? floats.indices.last : floats.indices.first) else { return nil }
      return floats.remove(at: index)
    }
    // Unnamed, they are: bias, scale, groups.
    let groups = bytes.count == 2 ? takeFloat("g_idx", last: true) : nil
    let scale = takeFloat("kernel_scale", last: true)
    let bias = takeFloat("bias", last: true)
    guard let scale, floats.isEmpty, (groups == nil) == (bytes.count == 1), bias?.shape.count ?? 1 == 1,
      scale.shape.count == bytes.count
    else { throw refusal("holds quantised weights of an unknown kind", kernel) }
    var stored = StoredLayer(name: layer.name, kernel: kernel, bias: bias)
    stored.quantization = StoredQuantization(
      scale: scale, zero: bytes.count == 2 ? bytes[1] : nil, groupOfInput: groups, shape: kernel.shape)
    return stored
  }

  /// Finds out how the kernel is packed.
  ///
  /// - Throws: Where the shapes fit no way of packing, or more than one.
  mutating func unpack(_ layer: StoredLayer, inputs: Inputs, mode: String?) throws(FileError) {
    let (rows, columns) = (layer.kernel.shape[0], layer.kernel.shape[1])
    let outputs = scale.shape.last ?? 0
    func refusal(_ problem: String, _ weight: KerasWeight, allowed: String, advice: String? = nil)
      -> FileError
    {
      FileError(
        .malformed, code: "keras.quantization.shape", file: weight.file.path, problem,
        offset: weight.fileOffset, place: "layer \(layer.name), tensor \(weight.dataset.path)",
        seen: "shape \(weight.shape)", allowed: allowed, advice: advice)
    }
    let limit = 1 << 26  // No dense layer has more inputs or outputs: a map of 32x32 pixels.
    guard (1...limit).contains(rows), (1...limit).contains(columns), (1...limit).contains(outputs) else {
      throw refusal("has a quantised kernel of an impossible shape", layer.kernel, allowed: "1 to \(limit)")
    }
    if let zero, let groupOfInput {
      guard columns == (outputs + 1) / 2, zero.shape == scale.shape, groupOfInput.shape == [rows],
        (1...rows).contains(scale.shape[0])
      else {
        throw refusal(
          "has scales, zeros or groups that do not fit the quantised kernel", scale,
          allowed: "[groups, outputs] for a kernel of shape \(layer.kernel.shape)")
      }
      (packing, shape) = (.alongOutputs, [rows, outputs])
      return
    }
    // Inputs that are packed by twos are known but for the last bit.
    func fit(_ count: Int) -> Bool { inputs.fit(count, isSquare: mode == nil) }
    let packedInputs = [2 * rows, 2 * rows - 1].first(where: fit)
    var ways: [(Packing, [Int])] = []
    if columns == outputs, mode != "int4", fit(rows) { ways.append((.bytes, [rows, outputs])) }
    if columns == outputs, mode != "int8", let packedInputs {
      ways.append((.alongInputs, [packedInputs, outputs]))
    }
    if columns == (outputs + 1) / 2, mode != "int8", fit(rows) {
      ways.append((.alongOutputs, [rows, outputs]))
    }
    guard let way = ways.first, ways.count == 1 else {
      throw refusal(
        ways.isEmpty
          ? "has a quantised kernel that fits neither its scales nor the layer before it"
          : "does not tell whether its kernel holds one or two weights in a byte", layer.kernel,
        allowed: "what \(outputs) scales and the layer before it need",
        advice: ways.isEmpty ? nil : "save the whole model as .keras, which tells")
    }
    (packing, shape) = way
  }

  // MARK: Numbers

  /// The kernel's values, whose shapes are checked.
  ///
  /// - Throws: `malformed` where a scale is not positive or a group is none; `inputOutput` where there is no room to unpack.
  func tensor(of kernel: KerasWeight, _ options: ImportOptions) throws(FileError) -> SourceTensor {
    let stored = try kernel.bytes(options)
    let scales = try positiveScales(options)
    let count = shape[0] * shape[1]  // At most 2^52 by the limits above.
    func tensor(_ format: NumberFormat, _ bytes: ByteRegion, fileOffset: Int? = nil) -> SourceTensor {
      SourceTensor(
        name: kernel.dataset.path, shape: shape, format: format, bytes: bytes, layout: .inOut,
        fileOffset: fileOffset)
    }
    var result: SourceTensor
    if let zero, let groupOfInput {
      let zeros = try zero.bytes(options)
      let groups = try groups(groupOfInput, options)
      let scratch = try ScratchFile(
        byteCount: count * MemoryLayout<Float>.size, in: options.scratchFolder, for: kernel.file.path)
      let values = scratch.mutableBytes.bindMemory(to: Float.self)
      stored.withBytes { stored in
        zeros.withBytes { zeros in
          forEachNibble(stored) { row, column, number in
            let place = groups[row] * shape[1] + column
            values[row * shape[1] + column] =
              Float(Int(number) - Int(Int8(bitPattern: zeros[place]))) * scales[place]
          }
        }
      }
      return tensor(.float32, scratch.bytes)
    }
    if packing == .bytes {
      result = tensor(NumberFormat(.int8), stored, fileOffset: kernel.fileOffset)
    } else {
      let scratch = try ScratchFile(byteCount: count, in: options.scratchFolder, for: kernel.file.path)
      let values = scratch.mutableBytes.bindMemory(to: Int8.self)
      stored.withBytes { stored in
        forEachNibble(stored) { row, column, number in values[row * shape[1] + column] = number }
      }
      result = tensor(NumberFormat(.int8), scratch.bytes)
    }
    result.scaling = .divided(by: scales.map(Double.init))
    return result
  }

  /// Goes through the values of a packed kernel; the last half of a byte may be none.
  private func forEachNibble(_ stored: UnsafeRawBufferPointer, _ body: (Int, Int, Int8) -> Void) {
    let (rows, columns) = (shape[0], shape[1])
    let rowLength = packing == .alongInputs ? columns : (columns + 1) / 2
    for row in 0..<rows {
      let storedRow = (packing == .alongInputs ? row / 2 : row) * rowLength
      for column in 0..<columns {
        let byte = Int8(bitPattern: stored[storedRow + (packing == .alongInputs ? column : column / 2)])
        let isHigh = (packing == .alongInputs ? row : column) % 2 == 1
        body(row, column, isHigh ? byte >> 4 : (byte << 4) >> 4)
      }
    }
  }

  private func positiveScales(_ options: ImportOptions) throws(FileError) -> [Float] {
    var vector = try scale.tensor(.vector, options)
    vector.shape = [vector.shape.reduce(1, *)]
    let scales = try vector.canonicalValues.array()
    if let index = scales.firstIndex(where: { !($0 > 0 && $0.isFinite) }) {
      throw FileError(
        .malformed, code: "keras.quantization.scale", file: scale.file.path,
        "has a scale that no quantiser gives", offset: scale.fileOffset,
        place: "tensor \(scale.dataset.path), element \(index)", seen: "\(scales[index])",
        allowed: "a positive number")
    }
    return scales
  }

  /// The group of each input, which Keras stores as floating-point numbers.
  private func groups(_ weight: KerasWeight, _ options: ImportOptions) throws(FileError) -> [Int] {
    let values = try weight.tensor(.vector, options).canonicalValues.array()
    let groups = values.map { Int(exactly: $0) ?? -1 }
    if let index = groups.firstIndex(where: { !(0..<scale.shape[0]).contains($0) }) {
      throw FileError(
        .malformed, code: "keras.quantization.group", file: weight.file.path,
        "names a group of weights that is not there", offset: weight.fileOffset,
        place: "tensor \(weight.dataset.path), element \(index)", seen: "\(values[index])",
        allowed: "0 to \(scale.shape[0] - 1)")
    }
    return groups
  }
}
