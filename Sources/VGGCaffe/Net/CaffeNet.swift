internal import VGGBytes
internal import VGGHDF5
internal import VGGModel
internal import VGGTensors

/// A network as a file of Caffe's describes it: the same for all generations, in binary form and as text.
struct CaffeNet {
  /// The generation of the format.
  enum Generation: String {
    /// 2013: a V0LayerParameter in each of `layers`.
    case v0 = "caffe-v0"
    /// 2014: `layers`, types as numbers.
    case v1 = "caffe-v1"
    /// Since 2015: `layer`, types as strings.
    case v2 = "caffe-v2"
    /// Since 2015: an HDF5 snapshot, with blobs by the names of their layers and nothing else.
    case snapshot = "caffe-hdf5"
  }

  var generation: Generation
  /// The names of the inputs that the file declares besides Input layers.
  var inputNames: [String] = []
  /// The shape of the first input where a layer or the file says it: pictures, channels, rows, columns.
  var inputShape: [Int]?
  /// What a data or Input layer says is done to pictures; that of the test phase where there are several.
  var transformation: Transformation?
  var layers: [CaffeLayer] = []
  /// What a snapshot's blobs are in.
  var snapshot: HDF5File?
  /// What the file holds besides the layers' blobs.
  var dropped: [Provenance.DroppedTensor] = []

  /// Whether layers without weights are listed at all; some tools leave them out.
  var hasStructure: Bool {
    layers.contains {
      switch $0.operation {
      case .relu, .pooling: true
      default: false
      }
    }
  }
}

/// A layer as a file describes it.
struct CaffeLayer {
  var name: String
  /// The type's name in V2, whatever the generation; that of its own generation where V2 has none.
  var type: String
  var operation: Operation
  var bottoms: [String]
  var tops: [String]
  /// Whether the layer is there when the network is tested, by its include and exclude rules.
  var isUsedForTesting: Bool
  /// What its blobs are called, where they have names; blobs of one name are one in all layers.
  var blobNames: [String] = []
  /// Where the layer's blobs are.
  var blobs: [BlobPlace]
  /// Where the layer is in its file.
  var offset: Int?
  /// The path of the prototxt, where only that tells of the layer.
  var prototxt: String?

  /// What a layer computes, with its settings.
  enum Operation: Equatable {
    /// The shapes, and what the layer says is to be done to pictures.
    case input([[Int]], Transformation?)
    case data(Transformation)
    /// Settings are nil where the file gives none.
    case convolution(ConvolutionSettings?)
    case innerProduct(InnerProductSettings?)
    case pooling(Pooling)
    case normalization(NormalizationSettings)
    case batchNormalization(BatchNormalizationSettings?)
    case scale(ScaleSettings?)
    case power(PowerSettings)
    case relu
    case dropout
    case flatten
    case softmax(axis: Int)
    case sigmoid
    /// V0's padding for the layer behind it; part of that one in a `CaffeNet`.
    case padding(Extent)
    case split
    /// Losses, accuracy and the like: nothing that an answer depends on. A loss tells what the outputs are that it reads.
    case training(HeadActivation?)
    /// A layer that nothing is known of but its blobs.
    case undescribed
    /// A layer of a type or with settings that no VGG has, and what is to be said of it if an answer depends on it.
    case refused(FileError)

    /// Whether the layer is there only for training.
    var isTraining: Bool { if case .training = self { true } else { false } }
  }

  /// `layer conv1_1`, for errors.
  var place: String { "layer \(name)" + (prototxt.map { " of \($0)" } ?? "") }

  /// The name of one of the layer's blobs, as Caffe's HDF5 snapshots have it.
  func blobName(_ index: Int) -> String { "\(name)/\(index)" }
}

/// The settings of a convolution.
struct ConvolutionSettings: Equatable {
  var outputs: Int
  var hasBias: Bool
  var kernel: Extent
  var stride: Extent
  var padding: Extent
  var dilation: Extent
  var groups: Int
}

/// The settings of a dense layer.
struct InnerProductSettings: Equatable {
  var outputs: Int
  var hasBias: Bool
  /// Whether the weight is [in, out].
  var isTransposed: Bool
}

/// The settings of a local response normalisation, in Caffe's terms.
struct NormalizationSettings: Equatable {
  var size: Int
  var alpha: Float
  var beta: Float
  /// Nil where the file does not say it: the earliest files could not.
  var k: Float?
  var region: LocalResponseNormalization.Region

  /// The number of elements that the squares are summed over, by which Caffe divides alpha.
  var elementCount: Int { region == .acrossChannels ? size : size * size }

  /// The mathematical form.
  var canonical: LocalResponseNormalization {
    // Within a channel Caffe's layer adds 1, whatever k says.
    let constant = region == .acrossChannels ? Double(k ?? 1) : 1
    return LocalResponseNormalization(
      size: size, scale: Double(alpha) / Double(elementCount), beta: Double(beta), k: constant, region: region
    )
  }
}

/// The settings of a batch normalisation.
struct BatchNormalizationSettings: Equatable {
  /// Caffe's own where the file says none.
  static let standardEpsilon: Float = 1e-5

  /// What is added to the variance.
  var epsilon: Float
  /// Whether the file says that the statistics are to be those of the batch, as in training.
  var usesBatchStatistics: Bool
}

/// The settings of a layer that scales and shifts each channel.
struct ScaleSettings: Equatable {
  var hasBias: Bool
}

/// The settings of a layer that scales and shifts every number alike, `y = shift + scale * x`.
struct PowerSettings: Equatable {
  var scale: Float
  var shift: Float
}

/// What a data layer does to pictures: subtract the mean, then multiply.
struct Transformation: Equatable {
  /// Who says so, such as `a data layer`.
  var layer: String
  var means: [Float]
  var scale: Float
  var cropSide: Int?
  var meanFile: String?
}
