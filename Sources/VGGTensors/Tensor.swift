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
  /// How a file stores the values.
  public let encoding: Encoding
  /// The values that the model computes with.
  ///
  /// They are what the encoding can represent: a pass that changes the encoding changes the values with it.
  public let values: any TensorValues
  /// The tensor in the source file, as long as no pass has changed the values.
  public let source: SourceTensor?

  /// Creates a tensor.
  ///
  /// - Precondition: `values` has as many values as the shape.
  public init(
    name: String, role: Role, shape: [Int], encoding: Encoding = .float32, values: any TensorValues,
    source: SourceTensor? = nil
  ) {
    precondition(shape.reduce(1, *) == values.count)
    self.name = name
    self.role = role
    self.shape = shape
    self.encoding = encoding
    self.values = values
    self.source = source
  }

  /// Creates a tensor from a source file's.
  public init(name: String, role: Role, source: SourceTensor) {
    self.init(
      name: name, role: role, shape: source.canonicalShape, values: source.canonicalValues, source: source)
  }

  /// The order of the axes, which follows from their number.
  public var layout: Layout {
    switch shape.count {
    case 4: .hwio
    case 2: .inOut
    default: .out
    }
  }

  /// The number of values.
  public var count: Int { values.count }

  /// The same tensor with other values.
  public func replacing(values: any TensorValues, encoding: Encoding) -> Tensor {
    Tensor(name: name, role: role, shape: shape, encoding: encoding, values: values)
  }
}

/// How a file stores a tensor's values.
public struct Encoding: Equatable, Sendable {
  /// How one value is stored.
  public enum Element: Equatable, Sendable {
    case float32
    case float16
    case bfloat16
    /// A signed byte times the scale of its output channel: `value = Float(byte) * scales[channel]`.
    case int8(scales: [Float])

    /// The name in manifests and reports.
    public var name: String {
      switch self {
      case .float32: "float32"
      case .float16: "float16"
      case .bfloat16: "bfloat16"
      case .int8: "int8"
      }
    }

    /// The number of bytes of one value.
    public var byteCount: Int {
      switch self {
      case .float32: 4
      case .float16, .bfloat16: 2
      case .int8: 1
      }
    }
  }

  /// How one value is stored.
  public var element: Element
  /// Whether only values other than zero are stored, with a bit map that says where they are.
  public var isSparse: Bool

  /// Creates an encoding.
  public init(_ element: Element, isSparse: Bool = false) {
    self.element = element
    self.isSparse = isSparse
  }

  /// Float32, every value.
  public static let float32 = Encoding(.float32)
}
