internal import VGGBytes
internal import VGGInterchange
internal import VGGTensors

/// The values of a graph by name: which node makes each and which read it, and tensors that are no value of a layer.
struct ONNXGraph {
  let file: ONNXFile
  let model: ONNXModel
  /// Opens a file beside this one.
  let companion: (String) throws(FileError) -> MappedFile

  private let tensors: [String: ONNXTensor]
  private let producers: [String: Int]
  private let consumers: [String: [Int]]

  /// How many operations a tensor may go through on its way to a layer.
  private static let mostSteps = 16
  /// How many of these an operand counts that is no tensor's own way, so that few operands have operands of their own.
  private static let operandSteps = 6

  init(
    _ model: ONNXModel, _ file: ONNXFile, companion: @escaping (String) throws(FileError) -> MappedFile
  ) throws(FileError) {
    (self.model, self.file, self.companion) = (model, file, companion)
    var producers: [String: Int] = [:]
    var consumers: [String: [Int]] = [:]
    for (index, node) in model.nodes.enumerated() {
      for output in node.outputs where !output.isEmpty {
        guard producers.updateValue(index, forKey: output) == nil else {
          throw file.malformed(
            "duplicate", "has two nodes that give one value", at: node.offset, place: node.place, seen: output
          )
        }
      }
      for input in Set(node.inputs) { consumers[input, default: []].append(index) }
    }
    tensors = Dictionary(model.tensors.map { ($0.name, $0) }) { first, _ in first }
    (self.producers, self.consumers) = (producers, consumers)
  }

  /// The nodes that compute with a value; one that only asks for its shape does not.
  func readers(of value: String) -> [Int] {
    (consumers[value] ?? []).filter { model.nodes[$0].type != "Shape" }
  }

  /// Whether the channels of pictures come last: the first transposition on their way brings them to the front.
  func isTransposed(_ input: String) -> Bool {
    var value = input
    for _ in model.nodes {
      guard let index = readers(of: value).first else { return false }
      let node = model.nodes[index]
      if node.type == "Transpose" { return node.integers("perm") == [0, 3, 1, 2] }
      guard !["Conv", "Gemm", "MatMul"].contains(node.type), let output = node.outputs.first else {
        return false
      }
      value = output
    }
    return false
  }

  /// A tensor of the file, or what operations make of one that need nothing else; nil: it depends on the input.
  func constant(_ name: String) throws(FileError) -> ONNXConstant? { try constant(name, depth: 0) }

  private func constant(_ name: String, depth: Int) throws(FileError) -> ONNXConstant? {
    if let tensor = tensors[name] { return ONNXConstant(tensor) }
    guard let producer = producers[name], depth < ONNXGraph.mostSteps else { return nil }
    let node = model.nodes[producer]
    guard ONNXNode.isStandard(node.domain) else { return nil }
    if node.type == "Constant" {
      return try node.attributes["value"]?.tensor.map { (range) throws(FileError) in
        ONNXConstant(try ONNXTensor(range, file), named: name)
      }
    }
    guard let first = node.input(0), var constant = try constant(first, depth: depth + 1) else { return nil }
    switch node.type {
    case "Identity": break
    // Numbers are read as float32, whatever they are widened from; what is narrowed is another number.
    case "Cast":
      guard node.integer("to", otherwise: 0) == 1 else { return nil }
      constant.isWidened = true
    case "Transpose":
      let axes = node.integers("perm") ?? Array(constant.shape.indices.reversed())
      guard axes.sorted() == Array(constant.shape.indices) else { throw mismatch(node, constant) }
      constant.transpose(axes)
    case "Reshape":
      let named = try node.input(1).flatMap { (name) throws(FileError) in
        try integers(name, depth: depth + ONNXGraph.operandSteps)
      }
      guard let shape = named ?? node.integers("shape"), constant.reshape(shape) else {
        throw mismatch(node, constant)
      }
    case "Unsqueeze", "Squeeze":
      let named = try node.input(1).flatMap { (name) throws(FileError) in
        try integers(name, depth: depth + ONNXGraph.operandSteps)
      }
      let axes = named ?? node.integers("axes")
      guard node.type == "Squeeze" ? constant.squeeze(axes) : constant.unsqueeze(axes ?? []) else {
        throw mismatch(node, constant)
      }
    case "DequantizeLinear":
      guard constant.steps.isEmpty, constant.scales == nil, let scales = node.input(1),
        let parameters = try self.constant(scales, depth: depth + ONNXGraph.operandSteps),
        parameters.steps.isEmpty, parameters.scales == nil
      else { throw mismatch(node, constant) }
      var zeroPoints: ONNXConstant?
      if let name = node.input(2) {
        zeroPoints = try self.constant(name, depth: depth + ONNXGraph.operandSteps)
        guard let zeroPoints, zeroPoints.steps.isEmpty, zeroPoints.scales == nil else {
          throw mismatch(node, constant)
        }
      }
      constant.scales = ONNXConstant.Scales(
        values: parameters.tensor, zeroPoints: zeroPoints?.tensor, axis: node.integer("axis", otherwise: 1),
        blockLength: node.integer("block_size", otherwise: 0))
    default: return nil
    }
    return constant
  }

  private func mismatch(_ node: ONNXNode, _ constant: ONNXConstant) -> FileError {
    file.unsupported(
      "tensor", "does something with a tensor that is not supported", at: node.offset, place: node.place,
      seen: "tensor \(constant.tensor.name) of shape \(constant.shape)")
  }

  // MARK: Small tensors

  /// The integers of a small tensor, or of a list of them that other nodes put together; nil for each that depends on the input, and
  /// nil where nothing is known.
  func lengths(_ name: String, depth: Int = 0) throws(FileError) -> [Int?]? {
    if let integers = try integers(name, depth: depth) { return integers }
    guard let producer = producers[name], depth < ONNXGraph.mostSteps else { return nil }
    let node = model.nodes[producer]
    switch node.type {
    case "Concat":
      var lengths: [Int?] = []
      guard node.inputs.count <= ONNXTensor.mostAxes else { return nil }
      for input in node.inputs {
        guard let part = try self.lengths(input, depth: depth + ONNXGraph.operandSteps),
          lengths.count < ONNXTensor.mostAxes
        else {
          return nil
        }
        lengths += part
      }
      return lengths
    // One length of a shape, such as the number of pictures.
    case "Gather", "Slice":
      return try node.input(0).flatMap { (name) throws(FileError) in
        isShape(name, depth: depth + 1) ? [nil] : try lengths(name, depth: depth + 1)
      }
    case "Unsqueeze", "Squeeze", "Cast", "Identity", "Reshape":
      return try node.input(0).flatMap { (name) throws(FileError) in try lengths(name, depth: depth + 1) }
    default: return nil
    }
  }

  /// Whether a value is the shape of another one.
  private func isShape(_ name: String, depth: Int) -> Bool {
    guard let producer = producers[name], depth < ONNXGraph.mostSteps else { return false }
    let node = model.nodes[producer]
    switch node.type {
    case "Shape": return true
    case "Cast", "Identity": return node.input(0).map { isShape($0, depth: depth + 1) } ?? false
    default: return false
    }
  }

  /// The integers of a tensor of at most as many as there are axes; nil where it is none.
  func integers(_ name: String, depth: Int = 0) throws(FileError) -> [Int]? {
    if let producer = producers[name], model.nodes[producer].type == "Constant" {
      let node = model.nodes[producer]
      if let numbers = node.integers("value_ints") { return numbers }
      if let number = node.attributes["value_int"]?.integer { return [number] }
    }
    guard let constant = try constant(name, depth: depth), constant.scales == nil else { return nil }
    return try integers(of: constant.tensor)
  }

  /// The integers of a tensor of at most as many as there are ends of axes; nil where it is none.
  func integers(of tensor: ONNXTensor) throws(FileError) -> [Int]? {
    let count = tensor.count
    guard count <= 2 * ONNXTensor.mostAxes else { return nil }
    let element = try tensor.element(file)
    let (bytes, stride, _) = try tensor.numbers(file, companion)
    var integers: [Int] = []
    for index in 0..<count {
      let offset = index * stride
      let number: Int? =
        switch element {
        case .int64: bytes.integer(at: offset, as: Int64.self).map(Int.init)
        case .int32: bytes.integer(at: offset, as: Int32.self).map(Int.init)
        case .int8: bytes.integer(at: offset, as: Int8.self).map(Int.init)
        case .uint8: bytes.integer(at: offset, as: UInt8.self).map(Int.init)
        default: nil
        }
      guard let number else { return nil }
      integers.append(number)
    }
    return integers
  }
}

/// A tensor of the file and what is done to it before a layer reads it.
struct ONNXConstant {
  /// What codes stand for.
  struct Scales {
    var values: ONNXTensor
    var zeroPoints: ONNXTensor?
    /// The axis along which they differ, where they do.
    var axis: Int
    /// How many neighbours along it share one; 0: none.
    var blockLength: Int
  }

  /// A change of the order of the numbers.
  enum Step: Equatable {
    case transpose([Int])
    case reshape([Int])
  }

  /// The numbers.
  let tensor: ONNXTensor
  /// Its name, or of a tensor within a node what that gives.
  let name: String
  /// The shape of the numbers where they are read first, behind what leaves their order alone.
  private(set) var baseShape: [Int]
  /// The shape that the layer sees.
  private(set) var shape: [Int]
  /// What is done after that.
  private(set) var steps: [Step] = []
  /// What the numbers stand for, where they are codes.
  var scales: Scales?
  /// Whether the layer sees float32, whatever the tensor has.
  var isWidened = false

  init(_ tensor: ONNXTensor, named name: String? = nil) {
    self.tensor = tensor
    self.name = name ?? tensor.name
    (baseShape, shape) = (tensor.shape, tensor.shape)
  }

  /// The same numbers as they stand, under another shape of as many elements.
  init(_ constant: ONNXConstant, base shape: [Int]) {
    (tensor, name, scales) = (constant.tensor, constant.name, constant.scales)
    isWidened = constant.isWidened
    (baseShape, self.shape) = (shape, shape)
  }

  mutating func transpose(_ axes: [Int]) {
    shape = axes.map { shape[$0] }
    steps.append(.transpose(axes))
  }

  /// Gives the numbers another shape, with 0 for a length that stays and -1 for what is left; false where there is no such one.
  mutating func reshape(_ wanted: [Int]) -> Bool {
    func product(_ lengths: [Int]) -> Int? {
      lengths.reduce(1) { product, length in
        guard let (product, isTooLarge) = product?.multipliedReportingOverflow(by: length), !isTooLarge else {
          return nil
        }
        return product
      }
    }
    guard wanted.count <= ONNXTensor.mostAxes, let count = product(shape) else { return false }
    var lengths = wanted.enumerated().map { $1 == 0 && $0 < shape.count ? shape[$0] : $1 }
    if let free = lengths.firstIndex(of: -1) {
      lengths[free] = 1
      guard let rest = product(lengths), rest > 0 else { return false }
      lengths[free] = count / rest
    }
    guard lengths.allSatisfy({ $0 > 0 }), product(lengths) == count else { return false }
    shape = lengths
    if steps.isEmpty { baseShape = lengths } else { steps.append(.reshape(lengths)) }
    return true
  }

  /// Adds axes of one element, which have these numbers then; false where that is impossible.
  mutating func unsqueeze(_ axes: [Int]) -> Bool {
    let rank = shape.count + axes.count
    let places = Set(axes.map { $0 < 0 ? $0 + rank : $0 })
    guard steps.isEmpty, places.count == axes.count, !axes.isEmpty, rank <= ONNXTensor.mostAxes,
      places.allSatisfy((0..<rank).contains)
    else { return false }
    var rest = shape[...]
    shape = (0..<rank).map { places.contains($0) ? 1 : rest.removeFirst() }
    baseShape = shape
    return true
  }

  /// Leaves axes of one element out: these, or all where none are named; false where that is impossible.
  mutating func squeeze(_ axes: [Int]?) -> Bool {
    guard let axes else {
      dropUnitAxes()
      return steps.isEmpty
    }
    let places = Set(axes.map { $0 < 0 ? $0 + shape.count : $0 })
    guard steps.isEmpty, places.allSatisfy({ shape.indices.contains($0) && shape[$0] == 1 }) else {
      return false
    }
    shape = shape.indices.filter { !places.contains($0) }.map { shape[$0] }
    baseShape = shape
    return true
  }

  /// Leaves axes of one element out, where nothing else was done.
  mutating func dropUnitAxes() {
    guard steps.isEmpty else { return }
    shape = shape.filter { $0 != 1 }
    baseShape = shape
  }
}
