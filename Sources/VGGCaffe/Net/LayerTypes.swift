internal import CCaffe

/// The names of layer types through the generations.
enum LayerTypes {
  /// The name in V2 of a type of V0 or V1; its own name where V2's is not needed here.
  static func current(v0: String?, v1: Caffe__V1LayerParameter) -> String {
    if let v0 { return fromV0[v0] ?? v0 }
    guard v1.has_type != 0 else { return "NONE" }
    guard
      let value = protobuf_c_enum_descriptor_get_value(
        enumeration(), Int32(bitPattern: UInt32(truncatingIfNeeded: v1.type.rawValue)))
    else { return "number \(v1.type.rawValue)" }
    let name = String(cString: value.pointee.name)
    return fromV1[name] ?? name
  }

  private static func enumeration() -> UnsafePointer<ProtobufCEnumDescriptor>? {
    guard case .message(let layer) = MessageSchema.net.field(named: "layers")?.kind,
      case .enumeration(let types) = layer.field(named: "type")?.kind
    else { return nil }
    return types
  }

  private static let fromV1 = [
    "ACCURACY": "Accuracy", "CONVOLUTION": "Convolution", "DATA": "Data", "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData", "EUCLIDEAN_LOSS": "EuclideanLoss", "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data", "HINGE_LOSS": "HingeLoss", "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN",
    "MEMORY_DATA": "MemoryData", "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "POOLING": "Pooling", "POWER": "Power", "RELU": "ReLU", "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss", "SILENCE": "Silence", "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split", "WINDOW_DATA": "WindowData",
  ]

  private static let fromV0 = [
    "accuracy": "Accuracy", "conv": "Convolution", "data": "Data", "dropout": "Dropout",
    "euclidean_loss": "EuclideanLoss", "flatten": "Flatten", "hdf5_data": "HDF5Data",
    "images": "ImageData", "infogain_loss": "InfogainLoss", "innerproduct": "InnerProduct", "lrn": "LRN",
    "multinomial_logistic_loss": "MultinomialLogisticLoss", "padding": "Padding", "pool": "Pooling",
    "relu": "ReLU", "sigmoid": "Sigmoid", "softmax": "Softmax", "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
    "window_data": "WindowData",
  ]
}
