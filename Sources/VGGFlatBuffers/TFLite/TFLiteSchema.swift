/// The schema of TensorFlow Lite's models, as far as a VGG needs it: numbers of fields, types and operators
/// (tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3).
package enum TFLite {
  /// The file's identifier.
  package static let identifier = "TFL3"
  /// The only version that runtimes take.
  package static let version: UInt32 = 3
  /// The name of our own metadata: JSON that only this program reads.
  package static let ownMetadata = "vggconv"

  /// The fields of the table that a file is.
  package enum Model {
    package static let (version, operatorCodes, subgraphs, description, buffers) = (0, 1, 2, 3, 4)
    package static let (metadata, signatures) = (6, 7)
  }

  package enum Subgraph {
    package static let (tensors, inputs, outputs, operators, name) = (0, 1, 2, 3, 4)
  }

  package enum Tensor {
    package static let (shape, type, buffer, name, quantization) = (0, 1, 2, 3, 4)
    package static let (isVariable, sparsity, shapeSignature) = (5, 6, 7)
  }

  package enum Quantization {
    package static let (scales, zeroPoints, detailsType, dimension) = (2, 3, 4, 6)
  }

  package enum Buffer { package static let (data, offset, size) = (0, 1, 2) }
  package enum Metadata { package static let (name, buffer) = (0, 1) }
  package enum OperatorCode {
    package static let (oldCode, customCode, version, code) = (0, 1, 2, 3)
  }
  package enum Operator {
    package static let (code, inputs, outputs, optionsType, options) = (0, 1, 2, 3, 4)
  }
  package enum Signature { package static let (inputs, outputs, key, subgraph) = (0, 1, 2, 4) }
  package enum TensorMap { package static let (name, tensor) = (0, 1) }

  // The fields of the options of operators.
  package enum Convolution {
    package static let (padding, strideWidth, strideHeight, activation) = (0, 1, 2, 3)
    package static let (dilationWidth, dilationHeight) = (4, 5)
  }
  package enum Pooling {
    package static let (padding, strideWidth, strideHeight, width, height, activation) = (0, 1, 2, 3, 4, 5)
  }
  package enum Dense { package static let (activation, weightsFormat, keepsDimensions) = (0, 1, 2) }
  package enum Softmax { package static let beta = 0 }
  package enum Normalization { package static let (radius, bias, alpha, beta) = (0, 1, 2, 3) }
  package enum Reshape { package static let shape = 0 }
  package enum Reduction { package static let keepsDimensions = 0 }
  package enum Slice {
    package static let (begin, end, ellipsis, newAxis, shrink, isOffset) = (0, 1, 2, 3, 4, 5)
  }
  package enum Pack { package static let (count, axis) = (0, 1) }

  /// The types of tensors that occur.
  package enum TensorType: Int8, Sendable {
    case float32 = 0
    case float16 = 1
    case int32 = 2
    case int64 = 4
    case int8 = 9
  }

  /// How far a window reaches over the border of a map.
  package enum Padding: UInt8, Sendable {
    /// As far as needed for as many outputs as strides fit into the map, at the end more than in front.
    case same = 0
    /// Not at all.
    case valid = 1
  }

  /// What an operator applies to what it computes.
  package enum Activation: Int8, Sendable {
    case none = 0
    case relu = 1
  }

  /// The operators that occur in a VGG.
  package enum Operation: Int32, Sendable {
    case averagePooling = 1
    case convolution = 3
    case dequantize = 6
    case fullyConnected = 9
    case logistic = 14
    case localResponseNormalization = 13
    case maximumPooling = 17
    case relu = 19
    case reshape = 22
    case softmax = 25
    case pad = 34
    case mean = 40
    case stridedSlice = 45
    case shape = 77
    case reduceMaximum = 82
    case pack = 83
    case quantize = 114

    /// The name in the schema.
    package var name: String {
      switch self {
      case .averagePooling: "AVERAGE_POOL_2D"
      case .convolution: "CONV_2D"
      case .dequantize: "DEQUANTIZE"
      case .fullyConnected: "FULLY_CONNECTED"
      case .logistic: "LOGISTIC"
      case .localResponseNormalization: "LOCAL_RESPONSE_NORMALIZATION"
      case .maximumPooling: "MAX_POOL_2D"
      case .relu: "RELU"
      case .reshape: "RESHAPE"
      case .softmax: "SOFTMAX"
      case .pad: "PAD"
      case .mean: "MEAN"
      case .stridedSlice: "STRIDED_SLICE"
      case .shape: "SHAPE"
      case .reduceMaximum: "REDUCE_MAX"
      case .pack: "PACK"
      case .quantize: "QUANTIZE"
      }
    }

    /// The number of the options' table among all tables of options.
    package var optionsType: UInt8 {
      switch self {
      case .convolution: 1
      case .averagePooling, .maximumPooling: 5
      case .fullyConnected: 8
      case .softmax: 9
      case .localResponseNormalization: 13
      case .reshape: 17
      case .pad: 22
      case .mean, .reduceMaximum: 27
      case .stridedSlice: 32
      case .pack: 59
      case .dequantize, .logistic, .relu, .shape, .quantize: 0
      }
    }
  }
}
