internal import VGGModel

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
  }

  var generation: Generation
  /// The names of the inputs that the file declares besides Input layers.
  var inputNames: [String] = []
  /// The shape of the first input where a layer or the file says it: pictures, channels, rows, columns.
  var inputShape: [Int]?
  /// What a data layer does to pictures; that of the test phase where there are several.
  var transformation: Transformation?
  var layers: [CaffeLayer] = []

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
  /// Where the layer's BlobProto messages are.
  var blobs: [Range<Int>]
  /// Where the layer is in its file.
  var offset: Int?
  /// The path of the prototxt, where only that tells of the layer.
  var prototxt: String?

  /// What a layer computes, with its settings.
  enum Operation: Equatable {
    case input([[Int]])
    case data(Transformation)
    /// Settings are nil where the file gives none.
    case convolution(ConvolutionSettings?)
    case innerProduct(InnerProductSettings?)
    case pooling(Pooling)
    case normalization(NormalizationSettings)
    case relu
    case dropout
    case flatten
    case softmax
    /// V0's padding for the layer behind it; part of that one in a `CaffeNet`.
    case padding(Extent)
    case split
    /// Losses, accuracy and the like: nothing that an answer depends on.
    case training
    case other
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

/// What a data layer does to pictures: subtract the mean, then multiply.
struct Transformation: Equatable {
  var means: [Float]
  var scale: Float
  var cropSide: Int?
  var meanFile: String?
}
