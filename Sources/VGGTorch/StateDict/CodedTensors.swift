internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGTensors

/// What our own files store beside codes: NAME.scales, NAME.zero_points and NAME.group_size for weights and biases, and the first
/// two for `input` and `LAYER/output`.
struct CodedTensors {
  private let file: String
  private let metadata: ModelMetadata?
  /// By the name of what they belong to, and the last part of their own.
  private var parts: [String: [String: StateDict.Tensor]] = [:]

  private static let kinds: Set<String> = ["scales", "zero_points", "group_size"]

  init(file: String, metadata: ModelMetadata?) { (self.file, self.metadata) = (file, metadata) }

  /// Takes a tensor, if it is one of these.
  mutating func take(_ tensor: StateDict.Tensor, named name: String) -> Bool {
    guard let dot = name.lastIndex(of: "."),
      CodedTensors.kinds.contains(String(name[name.index(after: dot)...]))
    else { return false }
    parts[String(name[..<dot]), default: [:]][String(name[name.index(after: dot)...])] = tensor
    return true
  }

  /// Requires that each belongs to a tensor or a map of the network.
  func requireUse(by names: Set<String>) throws(FileError) {
    for (name, parts) in parts.sorted(by: { $0.key < $1.key })
    where !names.contains(name) && name != "input" && !name.hasSuffix("/output") {
      throw malformed("has scales of a tensor that is not there", parts.values.first, seen: name)
    }
  }

  /// What the codes of a weight stand for.
  func quantization(of weight: StateDict.Tensor, named name: String, shape: [Int]) throws(FileError)
    -> Quantization
  {
    guard let parts = parts[name], let scales = parts["scales"] else {
      throw FileError(
        .unsupported, code: "statedict.codes", file: file, "has codes without scales",
        offset: weight.fileOffset,
        place: "tensor \(weight.name)", seen: weight.type.rawValue,
        allowed: "\(weight.name).scales beside it, as vggconv writes them",
        advice: "export the values that the codes stand for")
    }
    let (values, outputs) = (try floats(scales), shape.last ?? 1)
    let groups = try parts["group_size"].map { (tensor) throws(FileError) in try integer(tensor) }
    let grouping: Quantization.Grouping =
      groups.map { .inputGroups(length: $0) } ?? (values.count == 1 && outputs > 1 ? .tensor : .outputChannel)
    let rows = shape.dropLast().reduce(1, *)
    let count = groups.map { (rows + $0 - 1) / $0 * outputs } ?? (grouping == .tensor ? 1 : outputs)
    let zeroPoints = try parts["zero_points"].map { (tensor) throws(FileError) in try bytes(tensor) } ?? []
    guard values.count == count, zeroPoints.isEmpty || zeroPoints.count == count else {
      throw malformed(
        "has another number of scales than groups", scales, seen: "\(scales.shape)", allowed: "\(count)")
    }
    let isNibble = metadata?.nibbleTensors.contains(name) == true
    if isNibble {
      let range = CodeType.int4.codes
      let isInside =
        weight.bytes.withBytes { $0.allSatisfy { range.contains(Int8(bitPattern: $0)) } }
        && zeroPoints.allSatisfy(range.contains)
      guard isInside else { throw malformed("has codes of more than four bits", weight, allowed: "-8 to 7") }
    }
    return Quantization(isNibble ? .int4 : .int8, by: grouping, scales: values, zeroPoints: zeroPoints)
  }

  /// The codes of a bias, which are of 32 bits.
  func biasCodes(of bias: StateDict.Tensor, named name: String) throws(FileError) -> BiasCodes {
    let codes = (0..<bias.bytes.count / 4).compactMap { bias.bytes.integer(at: 4 * $0, as: Int32.self) }
    guard let scales = try parts[name]?["scales"].map({ (tensor) throws(FileError) in try floats(tensor) }),
      scales.count == codes.count
    else { throw malformed("has codes of biases without as many scales", bias) }
    return BiasCodes(codes, scales: scales)
  }

  /// How the network computes in integers; nil where nothing says that it does.
  func arithmetic(of network: Network) throws(FileError) -> IntegerArithmetic? {
    guard let rounding = metadata?.rounding else {
      guard let part = parts["input"]?.values.first else { return nil }
      throw malformed("does not say how integers are rounded", part)
    }
    func map(_ name: String) throws(FileError) -> ActivationQuantization {
      guard let parts = parts[name], let scales = parts["scales"], let points = parts["zero_points"],
        let scale = try floats(scales).first, let zeroPoint = try bytes(points).first, scales.shape == [1],
        points.shape == [1]
      else { throw malformed("does not say what the codes of a map stand for", nil, seen: "\(name).scales") }
      return ActivationQuantization(scale: scale, zeroPoint: zeroPoint)
    }
    let input = try map("input")
    var outputs: [ActivationQuantization] = []
    for layer in network.layers { outputs.append(try map("\(layer.name)/output")) }
    return IntegerArithmetic(rounding: rounding, input: input, outputs: outputs)
  }

  // MARK: Numbers

  private func floats(_ tensor: StateDict.Tensor) throws(FileError) -> [Float] {
    guard tensor.type == .float32, let source = tensor.source(nil, .vector) else {
      throw malformed("has scales that are no floats", tensor, seen: tensor.type.rawValue, allowed: "F32")
    }
    let values = try source.canonicalValues.array()
    guard values.allSatisfy(\.isFinite) else {
      throw malformed("has a scale that is no finite number", tensor)
    }
    return values
  }

  private func bytes(_ tensor: StateDict.Tensor) throws(FileError) -> [Int8] {
    guard tensor.type == .int8 else {
      throw malformed(
        "has zero points that are no signed bytes", tensor, seen: tensor.type.rawValue, allowed: "I8")
    }
    return tensor.bytes.withBytes { $0.map(Int8.init(bitPattern:)) }
  }

  private func integer(_ tensor: StateDict.Tensor) throws(FileError) -> Int {
    guard tensor.type == .int64, tensor.shape == [], let value = tensor.bytes.integer(at: 0, as: Int64.self),
      (1...1 << 30).contains(value)
    else { throw malformed("has an impossible length of groups", tensor, allowed: "one I64, 1 or more") }
    return Int(value)
  }

  private func malformed(
    _ problem: String, _ tensor: StateDict.Tensor?, seen: String? = nil, allowed: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "statedict.codes", file: file, problem, offset: tensor?.fileOffset,
      place: tensor.map { "tensor \($0.name)" }, seen: seen, allowed: allowed)
  }
}
