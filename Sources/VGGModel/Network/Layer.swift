public import VGGTensors

/// A layer of a network: a canonical name and what it computes.
public struct Layer: Equatable, Sendable {
  /// The paper's and Caffe's name: `conv1_1`, `pool1`, `norm1`, `fc6`, `prob`.
  public let name: String
  /// What the layer computes.
  public let operation: Operation

  /// Creates a layer.
  public init(name: String, operation: Operation) {
    self.name = name
    self.operation = operation
  }

  /// What a layer computes, with all numbers that it needs besides its weights.
  public enum Operation: Equatable, Sendable {
    case convolution(Convolution)
    case pooling(Pooling)
    case normalization(LocalResponseNormalization)
    case dense(Dense)
    case softmax
    /// The logistic function of each value by itself.
    case sigmoid
  }

  /// Whether every output depends on every input.
  public var isDense: Bool { if case .dense = operation { true } else { false } }

  /// The name of the layer's weight tensor, `conv1_1/weight`.
  public var weightName: String { "\(name)/weight" }
  /// The name of the layer's bias tensor, `conv1_1/bias`.
  public var biasName: String { "\(name)/bias" }
}

/// What is applied to the output of a convolution or dense layer.
public enum Activation: String, Sendable {
  case none
  case relu
}

/// A two-dimensional correlation: the kernel is not flipped, padding is zero.
public struct Convolution: Equatable, Sendable {
  /// Rows and columns of the kernel.
  public var kernel: Extent
  /// Channels of the input.
  public var inputChannels: Int
  /// Channels of the output.
  public var outputChannels: Int
  /// Step of the window.
  public var stride = Extent(side: 1)
  /// Zeros added at each of the two ends of both axes.
  public var padding = Extent(side: 0)
  /// Distance of the kernel's taps.
  public var dilation = Extent(side: 1)
  /// Whether a bias is added.
  public var hasBias = true
  /// What is applied to the sums.
  public var activation = Activation.relu

  /// Creates a convolution of stride and dilation 1 with the padding that keeps the extent.
  public init(kernel: Extent, inputChannels: Int, outputChannels: Int) {
    self.kernel = kernel
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.padding = Extent(height: kernel.height / 2, width: kernel.width / 2)
  }
}

/// The maximum or the mean of a moving window.
public struct Pooling: Equatable, Sendable {
  /// What is taken of the window.
  public enum Method: String, Sendable {
    case maximum
    case average
  }
  /// How the number of windows is rounded where the stride does not divide the extent.
  public enum Rounding: String, Sendable {
    /// Down, as Keras does.
    case floor
    /// Up, as Caffe does; a last window that would begin in the padding behind the image is left out.
    case ceiling
  }
  /// What is taken of the window.
  public var method = Method.maximum
  /// Rows and columns of the window.
  public var kernel = Extent(side: 2)
  /// Step of the window.
  public var stride = Extent(side: 2)
  /// Padding at each of the two ends of both axes; ignored by the maximum.
  public var padding = Extent(side: 0)
  /// How the number of windows is rounded.
  public var rounding = Rounding.floor
  /// Whether there is one window, the whole map whatever its extent; the other settings but `method` do not count then.
  public var isGlobal = false

  /// Creates VGG's pooling: the maximum of 2 x 2 with stride 2.
  public init(rounding: Rounding = .floor) { self.rounding = rounding }

  /// Creates a pooling over the whole map.
  public init(global method: Method) {
    self.method = method
    isGlobal = true
  }
}

/// Local response normalisation, `y = x / (k + s * sum(x^2)) ^ beta` (paper of Krizhevsky et al. 2012, section 3.3).
///
/// The factor is stored per element: what Caffe calls alpha is divided by the window's size, what the paper and
/// TensorFlow call alpha is not. So nobody needs to know whose alpha it was.
public struct LocalResponseNormalization: Equatable, Sendable {
  /// Over what the squares are summed.
  public enum Region: String, Sendable {
    /// Over neighbouring channels at one pixel.
    case acrossChannels
    /// Over a square of pixels in one channel.
    case withinChannel
  }
  /// The number of channels, or the side of the square.
  public var size: Int
  /// The factor of the sum of squares, per element.
  public var scale: Double
  /// The exponent.
  public var beta: Double
  /// The constant added to the sum.
  public var k: Double
  /// Over what the squares are summed.
  public var region: Region

  /// Creates a normalisation from its mathematical form.
  public init(size: Int, scale: Double, beta: Double, k: Double, region: Region = .acrossChannels) {
    self.size = size
    self.scale = scale
    self.beta = beta
    self.k = k
    self.region = region
  }

  /// `beta * 4` where that is a whole number from 1 to 16: then the power is made of products and square roots, which every machine
  /// rounds alike.
  package var quarters: Int32? { (1...16).first { Double($0) == beta * 4 } }

  /// The constants of the paper's A-LRN, those of Krizhevsky et al.: n = 5, alpha = 1e-4 per element, beta = 0.75, k = 2.
  public static let paper = LocalResponseNormalization(size: 5, scale: 1e-4, beta: 0.75, k: 2)
}

/// A fully connected layer; its input is flattened in the order row, column, channel.
public struct Dense: Equatable, Sendable {
  /// The number of inputs.
  public var inputs: Int
  /// The number of outputs.
  public var outputs: Int
  /// Whether a bias is added.
  public var hasBias = true
  /// What is applied to the sums.
  public var activation: Activation

  /// Creates a dense layer.
  public init(inputs: Int, outputs: Int, activation: Activation) {
    self.inputs = inputs
    self.outputs = outputs
    self.activation = activation
  }
}
