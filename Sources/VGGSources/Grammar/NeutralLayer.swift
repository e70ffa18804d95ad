public import VGGBytes
public import VGGModel
public import VGGTensors

/// A layer as every importer describes it to ``VGGGrammar``, whatever its format calls it.
///
/// An importer gives one for each thing that a layer of its own does: a Keras convolution with an activation is two.
public struct NeutralLayer: Equatable, Sendable {
  /// What a layer does, as far as it matters for where it may stand.
  public enum Operation: Equatable, Sendable {
    /// Something that is done to pictures, such as scaling them.
    case inputTransformation
    /// Zeros at each of the two ends of both axes, for the convolution behind.
    case padding(Extent)
    case convolution(Window)
    case dense
    /// Anything but `linear`, which is nothing; nil: one that no VGG has.
    case activation(HeadActivation?)
    case pooling(Pooling)
    case localResponseNormalization
    case batchNormalization
    /// A factor and a summand for each channel, often the second half of a batch normalisation.
    case scale
    case flatten
    /// Nothing, once training is over.
    case identity
    /// A loss that reads what the layer before gives; it computes nothing, but tells what the outputs are.
    case loss(HeadActivation)
    /// Nothing that a VGG has; the error is thrown only if the chain is followed so far.
    case refused(FileError)
  }

  /// How the window of a convolution moves.
  public struct Window: Equatable, Sendable {
    /// Rows and columns of the kernel; nil where nothing tells them.
    public var kernel: Extent?
    /// Step of the window.
    public var stride = Extent(side: 1)
    /// Zeros added at each of the two ends of both axes; nil where nothing tells them.
    public var padding: Extent?
    /// Distance of the kernel's taps.
    public var dilation = Extent(side: 1)
    /// Into how many groups the channels are divided.
    public var groups = 1

    /// Creates a window that goes pixel by pixel.
    public init(kernel: Extent?, padding: Extent? = nil) { (self.kernel, self.padding) = (kernel, padding) }
  }

  /// The layer's name in the source.
  public var name: String
  /// What it does.
  public var operation: Operation

  /// Creates a layer.
  public init(name: String, operation: Operation) {
    (self.name, self.operation) = (name, operation)
  }
}

extension NeutralLayer.Window {
  /// Whether the window goes pixel by pixel over taps side by side.
  var isDense: Bool { stride == Extent(side: 1) && dilation == Extent(side: 1) }

  /// Whether it goes over the map as it is, so that a kernel as large as the map gives one pixel.
  var isUnpadded: Bool { isDense && padding ?? Extent(side: 0) == Extent(side: 0) }

  /// Whether it is that of a convolution of 3x3 in a block.
  var isOfBlock: Bool { isDense && kernel == Extent(side: 3) && padding == Extent(side: 1) }
}

extension Extent {
  /// The padding that keeps the extent of a map under a kernel of this one.
  public var paddingThatKeepsTheMap: Extent { Extent(height: height / 2, width: width / 2) }
}
