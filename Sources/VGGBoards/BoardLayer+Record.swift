internal import CVGGRuntime
internal import VGGModel
internal import VGGTensors

extension BoardLayer {
  /// The layer as the runtime knows it, without codes, weights and table.
  var record: vggrt_layer {
    var record = vggrt_layer()
    record.kind = UInt8(kind.record.rawValue)
    record.encoding = UInt8(encoding.record.rawValue)
    (record.stride_height, record.stride_width) = (UInt8(stride.height), UInt8(stride.width))
    (record.dilation_height, record.dilation_width) = (UInt8(dilation.height), UInt8(dilation.width))
    (record.padding_top, record.padding_left) = (UInt16(padding.height), UInt16(padding.width))
    (record.kernel_height, record.kernel_width) = (UInt16(kernel.height), UInt16(kernel.width))
    (record.input, record.output) = (vggrt_shape(input), vggrt_shape(output))
    record.weights_length = UInt32(weightByteCount)
    return record
  }
}

extension vggrt_shape {
  fileprivate init(_ shape: FeatureShape) {
    self.init(
      height: UInt16(shape.extent.height), width: UInt16(shape.extent.width), channels: UInt32(shape.channels)
    )
  }
}

extension BoardLayer.Kind {
  fileprivate var record: vggrt_kind {
    switch self {
    case .convolution: VGGRT_CONVOLUTION
    case .maximumPooling: VGGRT_MAXIMUM_POOLING
    case .averagePooling: VGGRT_AVERAGE_POOLING
    case .dense: VGGRT_DENSE
    case .softmax: VGGRT_SOFTMAX
    case .normalization: VGGRT_NORMALIZATION
    case .lookup: VGGRT_LOOKUP
    }
  }
}

extension BoardLayer.Encoding {
  fileprivate var record: vggrt_encoding {
    switch self {
    case .plain: VGGRT_PLAIN
    case .sparse: VGGRT_SPARSE
    case .winograd: VGGRT_WINOGRAD
    }
  }
}
