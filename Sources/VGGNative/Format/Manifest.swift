internal import CVGGManifest
internal import VGGModel
internal import VGGTensors

/// Everything that a native file says besides the tensors' bytes; `schemas/vggw.proto`.
struct Manifest: Equatable {
  /// The program that wrote the file.
  var tool: String
  /// The layers.
  var network: Network
  /// The tensors, in the order of their offsets.
  var tensors: [TensorRecord]
  /// What is done to a picture before the first layer.
  var preprocessing: Preprocessing?
  /// The names of the classes.
  var labels: [String]
  /// How the model computes in integers.
  var integerArithmetic: IntegerArithmetic?
  /// Where the model came from.
  var provenance: Provenance

  /// One identity of all weights.
  var weightsDigest: Digest {
    let records = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
    return VGGNative.weightsDigest(
      network.tensorRequirements.compactMap { requirement in
        records[requirement.name].map { ($0.name, $0.shape, $0.valuesDigest) }
      })
  }
}

extension Manifest {
  /// The least minor version that knows all that is said: what 1.0 can say is written as 1.0.
  var minorVersion: Int {
    if provenance.passes.contains(where: \.needs1_6) { return 6 }
    if requiredFeatures & Header.integers != 0 || provenance.passes.contains(where: \.needs1_5) { return 5 }
    if requiredFeatures & (Header.int4 | Header.groups) != 0 { return 4 }
    if requiredFeatures & ~Header.globalPooling != 0 || !provenance.passes.isEmpty { return 3 }
    if requiredFeatures != 0 { return 2 }
    return provenance.companions.isEmpty && provenance.folded.isEmpty ? 0 : 1
  }

  /// What a reader must know so as not to get the model wrong.
  var requiredFeatures: UInt64 {
    var features: UInt64 = 0
    for case .pooling(let pooling) in network.layers.lazy.filter({ $0.name == "pool6" }).map(\.operation) {
      features |= pooling.isGlobal ? Header.globalPooling : Header.sixthPooling
    }
    if network.cut != nil { features |= Header.prefix }
    if let head = network.head, head.activation != .softmax { features |= Header.otherHead }
    if integerArithmetic != nil { features |= Header.integers }
    for tensor in tensors {
      if tensor.elementType == .code(.int4) { features |= Header.int4 }
      if let parameters = tensor.parameters, !parameters.isPlain { features |= Header.groups }
    }
    return features
  }
}

extension Pass {
  /// Whether versions up to 1.4 of the format cannot say it.
  fileprivate var needs1_5: Bool {
    if case .quantize(let settings) = self { settings.needs1_5 } else { false }
  }

  /// Whether versions up to 1.5 of the format cannot say it.
  fileprivate var needs1_6: Bool {
    switch self {
    case .equalize, .correctBiases: true
    case .quantize(let settings): settings.needs1_6
    case .quantizeActivations, .prune, .dropDense, .unknown: false
    }
  }
}

/// The numbers that stand for the cases of an enumeration in a manifest: one place for both directions.
struct Codes<Value: Equatable & Sendable, Code: RawRepresentable>: Sendable where Code.RawValue == UInt32 {
  private let numbers: [(value: Value, number: UInt32)]

  init(_ pairs: [(Value, Code)]) {
    numbers = pairs.map { ($0, $1.rawValue) }
  }

  /// The number of a case; 0, which no reader accepts, where it has none.
  subscript(value: Value) -> Code {
    let number = numbers.first { $0.value == value }?.number ?? 0
    guard let code = Code(rawValue: number) else { preconditionFailure("C enumerations take any number") }
    return code
  }

  /// The case of a number.
  func value(of code: Code) -> Value? {
    numbers.first { $0.number == code.rawValue }?.value
  }

  /// The numbers that stand for something.
  var allowed: String { numbers.map { "\($0.number)" }.joined(separator: ", ") }
}

extension Manifest {
  static let architectures = Codes<Architecture, Vggw__Architecture>([
    (.a, VGGW__ARCHITECTURE__ARCHITECTURE_A), (.aLRN, VGGW__ARCHITECTURE__ARCHITECTURE_A_LRN),
    (.b, VGGW__ARCHITECTURE__ARCHITECTURE_B), (.c, VGGW__ARCHITECTURE__ARCHITECTURE_C),
    (.d, VGGW__ARCHITECTURE__ARCHITECTURE_D), (.e, VGGW__ARCHITECTURE__ARCHITECTURE_E),
  ])
  static let activations = Codes<Activation, Vggw__Activation>([
    (.none, VGGW__ACTIVATION__ACTIVATION_NONE), (.relu, VGGW__ACTIVATION__ACTIVATION_RELU),
  ])
  static let poolingMethods = Codes<Pooling.Method, Vggw__PoolingMethod>([
    (.maximum, VGGW__POOLING_METHOD__POOLING_METHOD_MAXIMUM),
    (.average, VGGW__POOLING_METHOD__POOLING_METHOD_AVERAGE),
  ])
  static let roundings = Codes<Pooling.Rounding, Vggw__Rounding>([
    (.floor, VGGW__ROUNDING__ROUNDING_FLOOR), (.ceiling, VGGW__ROUNDING__ROUNDING_CEILING),
  ])
  static let regions = Codes<LocalResponseNormalization.Region, Vggw__NormalizationRegion>([
    (.acrossChannels, VGGW__NORMALIZATION_REGION__NORMALIZATION_REGION_ACROSS_CHANNELS),
    (.withinChannel, VGGW__NORMALIZATION_REGION__NORMALIZATION_REGION_WITHIN_CHANNEL),
  ])
  static let roles = Codes<Tensor.Role, Vggw__Role>([
    (.weight, VGGW__ROLE__ROLE_WEIGHT), (.bias, VGGW__ROLE__ROLE_BIAS),
  ])
  static let layouts = Codes<Tensor.Layout, Vggw__Layout>([
    (.hwio, VGGW__LAYOUT__LAYOUT_HWIO), (.inOut, VGGW__LAYOUT__LAYOUT_IN_OUT),
    (.out, VGGW__LAYOUT__LAYOUT_OUT),
  ])
  static let elementTypes = Codes<ElementType, Vggw__ElementType>([
    (.real(.float32), VGGW__ELEMENT_TYPE__ELEMENT_TYPE_FLOAT32),
    (.real(.float16), VGGW__ELEMENT_TYPE__ELEMENT_TYPE_FLOAT16),
    (.real(.bfloat16), VGGW__ELEMENT_TYPE__ELEMENT_TYPE_BFLOAT16),
    (.code(.int8), VGGW__ELEMENT_TYPE__ELEMENT_TYPE_INT8),
    (.code(.int4), VGGW__ELEMENT_TYPE__ELEMENT_TYPE_INT4),
    (.biasCode, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_INT32),
  ])
  static let requantizations = Codes<IntegerArithmetic.Rounding, Vggw__Requantization>([
    (.litert, VGGW__REQUANTIZATION__REQUANTIZATION_LITERT),
    (.tflm, VGGW__REQUANTIZATION__REQUANTIZATION_TFLM),
  ])
  static let storages = Codes<Storage, Vggw__Encoding>([
    (.raw, VGGW__ENCODING__ENCODING_RAW), (.sparse, VGGW__ENCODING__ENCODING_SPARSE),
  ])
  static let channelOrders = Codes<Preprocessing.ChannelOrder, Vggw__ChannelOrder>([
    (.bgr, VGGW__CHANNEL_ORDER__CHANNEL_ORDER_BGR), (.rgb, VGGW__CHANNEL_ORDER__CHANNEL_ORDER_RGB),
    (.gray, VGGW__CHANNEL_ORDER__CHANNEL_ORDER_GRAY),
  ])
}
