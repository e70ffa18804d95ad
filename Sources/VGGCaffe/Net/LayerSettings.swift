internal import CCaffe
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// The settings messages of one layer, and what they make of the layer's type.
struct LayerSettings {
  /// The largest kernel, stride, padding or dilation: larger than any picture needs, too small to overflow anything.
  static let windowLimit = 4096

  let file: CaffeFile
  let place: String
  let offset: Int
  let convolution: Caffe__ConvolutionParameter?
  let innerProduct: Caffe__InnerProductParameter?
  let pooling: Caffe__PoolingParameter?
  let power: Caffe__PowerParameter?
  let normalization: Caffe__LRNParameter?
  var batchNormalization: Caffe__BatchNormParameter?
  var scale: Caffe__ScaleParameter?
  let relu: Caffe__ReLUParameter?
  let dropout: Caffe__DropoutParameter?
  let softmax: Caffe__SoftmaxParameter?
  let transformation: Caffe__TransformationParameter?
  let data: Caffe__DataParameter?
  var input: Caffe__InputParameter?

  /// What a layer computes, of V0 or of a type; with what no VGG has, the error for whoever needs the layer.
  func operation(v0: Caffe__V0LayerParameter?, type: String) throws(FileError) -> CaffeLayer.Operation {
    do throws(FileError) {
      if let v0 { return try operation(of: v0, type: type) }
      return try operation(type: type)
    } catch {
      guard error.kind == .unsupported else { throw error }
      return .refused(error)
    }
  }

  /// What a layer of a type computes.
  private func operation(type: String) throws(FileError) -> CaffeLayer.Operation {
    switch type {
    case "Input":
      let shapes = input.map { array($0.shape, $0.n_shape) } ?? []
      return .input(
        shapes.compactMap { $0.map { shape(of: $0.pointee) } },
        transformation == nil ? nil : try pictureTransformation("the Input layer"))
    case "HDF5Data", "DummyData": return .input([], nil)  // these give numbers, of whatever pictures
    case "Data", "ImageData", "MemoryData", "WindowData", "AnnotatedData":
      return .data(try pictureTransformation("a data layer"))
    case "Convolution":
      return .convolution(try convolution.map { (m) throws(FileError) in try convolutionSettings(m) })
    case "InnerProduct":
      return .innerProduct(try innerProduct.map { (m) throws(FileError) in try innerProductSettings(m) })
    case "Pooling": return .pooling(try poolingSettings())
    case "LRN": return .normalization(try normalizationSettings())
    case "BatchNorm":
      return .batchNormalization(
        try batchNormalization.map { (m) throws(FileError) in try batchNormalizationSettings(m) })
    case "Scale": return .scale(try scale.map { (m) throws(FileError) in try scaleSettings(m) })
    case "Power": return .power(try powerSettings())
    case "ReLU":
      let slope = relu?.negative_slope ?? 0
      guard slope == 0 else { throw unsupported("negative_slope", seen: "\(slope)", allowed: "0") }
      return .relu
    case "Dropout":
      // Of Caffe's relatives, some scale what is left when they do not while they train.
      guard dropout?.scale_train != 0 else {
        throw unsupported("scale_train", seen: "false", allowed: "true")
      }
      return .dropout
    case "Flatten": return .flatten
    case "Softmax":
      let axis = softmax?.axis ?? 1
      guard axis == 1 || axis == -1 else { throw unsupported("axis", seen: "\(axis)", allowed: "1") }
      return .softmax(axis: Int(axis))
    case "Split": return .split
    case "Sigmoid": return .sigmoid
    case "Accuracy", "Silence": return .training(nil)
    case "SoftmaxWithLoss": return .training(.softmax)
    case "SigmoidCrossEntropyLoss": return .training(.sigmoid)
    case "EuclideanLoss": return .training(.linear)
    default:
      if type.hasSuffix("Loss") { return .training(nil) }
      throw file.unsupported(
        "layer.type", "has a layer of a type that no VGG has", at: offset, place: place, seen: type,
        allowed:
          "Convolution, ReLU, Pooling, LRN, BatchNorm, Scale, InnerProduct, Dropout, Flatten, Softmax, Sigmoid",
        advice: type == "BN"
          ? "'BN' is a batch normalisation whose numbers have another order in each fork" : nil)
    }
  }

  /// What a layer of V0 computes, whose settings stand in one message for all types.
  private func operation(of v0: Caffe__V0LayerParameter, type: String) throws(FileError)
    -> CaffeLayer.Operation
  {
    let side = v0.has_kernelsize != 0 ? v0.kernelsize : nil
    switch type {
    case "Data", "ImageData", "WindowData":
      return .data(
        Transformation(
          layer: "a data layer", means: [], scale: v0.scale,
          cropSide: v0.cropsize > 0 ? Int(v0.cropsize) : nil,
          meanFile: string(v0.meanfile)))
    case "Padding": return .padding(Extent(side: try bounded(v0.pad, 0, "pad")))
    case "Convolution":
      return .convolution(
        ConvolutionSettings(
          outputs: Int(v0.num_output), hasBias: v0.biasterm != 0,
          kernel: Extent(side: try bounded(side, 1, "kernelsize")),
          stride: Extent(side: try bounded(v0.stride, 1, "stride")),
          padding: Extent(side: try bounded(v0.pad, 0, "pad")), dilation: Extent(side: 1),
          groups: Int(v0.group)))
    case "InnerProduct":
      return .innerProduct(
        InnerProductSettings(
          outputs: Int(v0.num_output), hasBias: v0.biasterm != 0, isTransposed: false))
    case "Pooling":
      var pooling = Pooling(rounding: .ceiling)
      pooling.method = try method(v0.pool)
      pooling.kernel = Extent(side: try bounded(side, 1, "kernelsize"))
      pooling.stride = Extent(side: try bounded(v0.stride, 1, "stride"))
      pooling.padding = Extent(side: try bounded(v0.pad, 0, "pad"))
      return .pooling(pooling)
    case "LRN":
      return .normalization(
        try checked(
          NormalizationSettings(
            size: Int(v0.local_size), alpha: v0.alpha, beta: v0.beta, k: v0.has_k != 0 ? v0.k : nil,
            region: .acrossChannels)))
    default: return try operation(type: type)
    }
  }

  // MARK: Settings of one type each

  private func convolutionSettings(_ message: Caffe__ConvolutionParameter) throws(FileError)
    -> ConvolutionSettings
  {
    guard message.axis == 1 else { throw unsupported("axis", seen: "\(message.axis)", allowed: "1") }
    return ConvolutionSettings(
      outputs: Int(message.num_output), hasBias: message.bias_term != 0,
      kernel: try extent(
        array(message.kernel_size, message.n_kernel_size),
        height: message.has_kernel_h != 0 ? message.kernel_h : nil,
        width: message.has_kernel_w != 0 ? message.kernel_w : nil, default: nil, minimum: 1, "kernel_size"),
      stride: try extent(
        array(message.stride, message.n_stride), height: message.has_stride_h != 0 ? message.stride_h : nil,
        width: message.has_stride_w != 0 ? message.stride_w : nil, default: 1, minimum: 1, "stride"),
      padding: try extent(
        array(message.pad, message.n_pad), height: message.has_pad_h != 0 ? message.pad_h : nil,
        width: message.has_pad_w != 0 ? message.pad_w : nil, default: 0, minimum: 0, "pad"),
      dilation: try extent(
        array(message.dilation, message.n_dilation), height: nil, width: nil, default: 1, minimum: 1,
        "dilation"),
      groups: Int(message.group))
  }

  private func innerProductSettings(_ message: Caffe__InnerProductParameter) throws(FileError)
    -> InnerProductSettings
  {
    guard message.axis == 1 else { throw unsupported("axis", seen: "\(message.axis)", allowed: "1") }
    return InnerProductSettings(
      outputs: Int(message.num_output), hasBias: message.bias_term != 0,
      isTransposed: message.transpose != 0)
  }

  private func poolingSettings() throws(FileError) -> Pooling {
    guard let message = pooling else {
      throw error("does not say what it pools", seen: "no pooling_param", allowed: "a kernel size")
    }
    if message.global_pooling != 0 { return Pooling(global: try method(message.pool)) }
    let isFloor =
      message.round_mode == CAFFE__POOLING_PARAMETER__ROUND_MODE__FLOOR || message.ceil_mode == 0
    var pooling = Pooling(rounding: isFloor ? .floor : .ceiling)
    pooling.method = try method(message.pool)
    pooling.kernel = try extent(
      message.has_kernel_size != 0 ? [message.kernel_size] : [],
      height: message.has_kernel_h != 0 ? message.kernel_h : nil,
      width: message.has_kernel_w != 0 ? message.kernel_w : nil, default: nil, minimum: 1, "kernel_size")
    pooling.stride = try extent(
      message.has_stride != 0 ? [message.stride] : [],
      height: message.has_stride_h != 0 ? message.stride_h : nil,
      width: message.has_stride_w != 0 ? message.stride_w : nil, default: 1, minimum: 1, "stride")
    pooling.padding = try extent(
      message.has_pad != 0 ? [message.pad] : [], height: message.has_pad_h != 0 ? message.pad_h : nil,
      width: message.has_pad_w != 0 ? message.pad_w : nil, default: 0, minimum: 0, "pad")
    return pooling
  }

  private func method(_ method: Caffe__PoolingParameter__PoolMethod) throws(FileError) -> Pooling.Method {
    switch method {
    case CAFFE__POOLING_PARAMETER__POOL_METHOD__MAX: return .maximum
    case CAFFE__POOLING_PARAMETER__POOL_METHOD__AVE: return .average
    default: throw unsupported("pool", seen: "\(method.rawValue)", allowed: "MAX or AVE")
    }
  }

  private func normalizationSettings() throws(FileError) -> NormalizationSettings {
    guard let message = normalization else {
      return NormalizationSettings(size: 5, alpha: 1, beta: 0.75, k: nil, region: .acrossChannels)
    }
    return try checked(
      NormalizationSettings(
        size: Int(message.local_size), alpha: message.alpha, beta: message.beta,
        k: message.has_k != 0 ? message.k : nil,
        region: message.norm_region == CAFFE__LRNPARAMETER__NORM_REGION__WITHIN_CHANNEL
          ? .withinChannel : .acrossChannels))
  }

  private func batchNormalizationSettings(_ message: Caffe__BatchNormParameter) throws(FileError)
    -> BatchNormalizationSettings
  {
    guard message.eps.isFinite, message.eps >= 0 else {
      throw unsupported("eps", seen: "\(message.eps)", allowed: "a finite number, not negative")
    }
    return BatchNormalizationSettings(
      epsilon: message.eps,
      usesBatchStatistics: message.has_use_global_stats != 0 && message.use_global_stats == 0)
  }

  private func scaleSettings(_ message: Caffe__ScaleParameter) throws(FileError) -> ScaleSettings {
    guard message.axis == 1, message.num_axes == 1 else {
      throw unsupported(
        "axis or num_axes", seen: "\(message.axis), \(message.num_axes)", allowed: "1 and 1: the channels")
    }
    return ScaleSettings(hasBias: message.bias_term != 0)
  }

  private func powerSettings() throws(FileError) -> PowerSettings {
    let settings = PowerSettings(scale: power?.scale ?? 1, shift: power?.shift ?? 0)
    guard power?.power ?? 1 == 1, settings.scale.isFinite, settings.scale != 0, settings.shift.isFinite else {
      throw unsupported(
        "power", seen: "(\(settings.shift) + \(settings.scale) x) ^ \(power?.power ?? 1)",
        allowed: "a scale and a shift, to the power of 1")
    }
    return settings
  }

  private func checked(_ settings: NormalizationSettings) throws(FileError) -> NormalizationSettings {
    guard settings.size % 2 == 1, settings.size <= Self.windowLimit else {
      throw unsupported("local_size", seen: "\(settings.size)", allowed: "odd, up to \(Self.windowLimit)")
    }
    guard settings.alpha.isFinite, settings.beta.isFinite, (settings.k ?? 1).isFinite else {
      throw unsupported(
        "alpha, beta, k", seen: "\(settings.alpha), \(settings.beta), \(settings.k ?? 1)",
        allowed: "finite numbers")
    }
    return settings
  }

  private func pictureTransformation(_ layer: String) throws(FileError) -> Transformation {
    let means = transformation.map { array($0.mean_value, $0.n_mean_value) } ?? []
    let scale =
      transformation.flatMap { $0.has_scale != 0 ? $0.scale : nil } ?? data?.scale ?? 1
    let side = transformation.flatMap { $0.has_crop_size != 0 ? $0.crop_size : nil } ?? data?.crop_size ?? 0
    guard means.allSatisfy(\.isFinite), scale.isFinite else {
      throw unsupported("mean_value, scale", seen: "\(means), \(scale)", allowed: "finite numbers")
    }
    return Transformation(
      layer: layer, means: means, scale: scale, cropSide: side > 0 ? Int(side) : nil,
      meanFile: string(transformation?.mean_file) ?? string(data?.mean_file))
  }

  // MARK: Numbers

  /// A height and a width, of one number for both, of two, or of one for each.
  private func extent(
    _ both: [UInt32], height: UInt32?, width: UInt32?, default standard: UInt32?, minimum: Int,
    _ field: String
  ) throws(FileError) -> Extent {
    guard both.isEmpty || (height == nil && width == nil), both.count <= 2 else {
      throw unsupported(
        field,
        seen: "\(both.count) of it, \(height == nil ? "no" : "a") height, \(width == nil ? "no" : "a") width",
        allowed: "one number, two, or a height and a width")
    }
    return Extent(
      height: try bounded(both.first ?? height ?? standard, minimum, field),
      width: try bounded(both.last ?? width ?? standard, minimum, field))
  }

  private func bounded(_ value: UInt32?, _ minimum: Int, _ field: String) throws(FileError) -> Int {
    let allowed = minimum...Self.windowLimit
    guard let value = value.map(Int.init), allowed.contains(value) else {
      throw error(
        "has an impossible \(field)", seen: value.map(String.init) ?? "none",
        allowed: "\(allowed.lowerBound) to \(allowed.upperBound)")
    }
    return value
  }

  private func error(_ problem: String, seen: String, allowed: String) -> FileError {
    file.malformed("layer.settings", problem, at: offset, place: place, seen: seen, allowed: allowed)
  }

  private func unsupported(_ field: String, seen: String, allowed: String) -> FileError {
    file.unsupported(
      "layer.settings", "has a \(field) that no VGG has", at: offset, place: place, seen: seen,
      allowed: allowed)
  }
}
