/// A named tensor of a model: what it is, how its values are to be stored, and where they come from.
public struct Tensor: Sendable {
  /// What a tensor does in its layer.
  public enum Role: String, Sendable {
    case weight
    case bias
  }

  /// The order of a tensor's axes in a model; always row-major.
  public enum Layout: String, Sendable {
    /// A convolution kernel: [row, column, input channel, output channel].
    case hwio
    /// A dense weight: [input, output]; the inputs of a flattened map in the order row, column, channel.
    case inOut = "in,out"
    /// A bias: [output].
    case out
  }

  /// The canonical name, `conv1_1/weight`.
  public let name: String
  /// What the tensor does in its layer.
  public let role: Role
  /// The lengths of the axes.
  public let shape: [Int]
  /// What the tensor holds.
  public let content: Content
  /// Which of its elements a file stores.
  public let storage: Storage
  /// The tensor in the source file, as long as no pass has changed the values.
  public let source: SourceTensor?

  /// Numbers, or codes that stand for numbers.
  public enum Content: Sendable {
    /// Numbers that a type can hold exactly: a pass that changes the type changes the numbers with it.
    case real(any TensorValues, as: RealType)
    /// Integers, and what they stand for.
    case codes(any TensorCodes, Quantization)
    /// The biases of a layer that computes in integers.
    case bias(BiasCodes)

    /// The number of elements.
    public var count: Int {
      switch self {
      case .real(let values, _): values.count
      case .codes(let codes, _): codes.count
      case .bias(let bias): bias.count
      }
    }
  }

  /// Creates a tensor.
  ///
  /// - Precondition: `content` has as many elements as the shape, and as many scales as there are groups.
  public init(
    name: String, role: Role, shape: [Int], content: Content, storage: Storage = .raw,
    source: SourceTensor? = nil
  ) {
    precondition(shape.reduce(1, *) == content.count)
    if case .codes(_, let quantization) = content { precondition(quantization.fits(shape)) }
    self.name = name
    self.role = role
    self.shape = shape
    self.content = content
    self.storage = storage
    self.source = source
  }

  /// Creates a tensor of float32 values.
  public init(name: String, role: Role, shape: [Int], values: any TensorValues) {
    self.init(name: name, role: role, shape: shape, content: .real(values, as: .float32))
  }

  /// Creates a tensor from a source file's.
  public init(name: String, role: Role, source: SourceTensor) {
    self.init(
      name: name, role: role, shape: source.canonicalShape,
      content: .real(source.canonicalValues, as: .float32),
      source: source)
  }

  /// The values that the model computes with: those that codes stand for, computed as they are read.
  public var values: any TensorValues {
    switch content {
    case .real(let values, _): values
    case .codes(let codes, let quantization):
      DequantizedValues(codes: codes, quantization: quantization, rowLength: shape.last ?? 1)
    case .bias(let bias): bias.values
    }
  }

  /// What the codes of a weight stand for; nil where there are none.
  public var quantization: Quantization? {
    if case .codes(_, let quantization) = content { quantization } else { nil }
  }

  /// What one element is stored as.
  public var elementType: ElementType {
    switch content {
    case .real(_, let type): .real(type)
    case .codes(_, let quantization): .code(quantization.type)
    case .bias: .biasCode
    }
  }

  /// Whether all values are stored as float32.
  public var isPlain: Bool { elementType == .real(.float32) && storage == .raw }

  /// The order of the axes, which follows from their number.
  public var layout: Layout {
    switch shape.count {
    case 4: .hwio
    case 2: .inOut
    default: .out
    }
  }

  /// The number of elements.
  public var count: Int { content.count }

  /// The same tensor with other content, and with the storage that it has unless another one is given.
  public func replacing(_ content: Content, storage: Storage? = nil) -> Tensor {
    Tensor(name: name, role: role, shape: shape, content: content, storage: storage ?? self.storage)
  }

  /// The same tensor with other values, all stored as float32.
  public func replacing(values: any TensorValues) -> Tensor {
    replacing(.real(values, as: .float32), storage: .raw)
  }
}

/// Which elements of a tensor a file stores, and how they lie there.
public enum Storage: String, CaseIterable, Sendable {
  /// Every element, one after the other.
  case raw
  /// Only elements other than zero, with a bit map that says where they are.
  case sparse
}
