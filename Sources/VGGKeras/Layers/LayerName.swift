internal import VGGModel

/// What the name of a layer without weights gives away where nothing else tells what the layer computes.
enum LayerName {
  /// Whether the name speaks of local response normalisation, for which Keras has no class.
  static func isNormalization(_ name: String) -> Bool {
    let name = name.lowercased()
    if name.contains("lrn") || name.contains("local_response") || name.contains("localresponse") {
      return true
    }
    return name.hasPrefix("norm") && !name.dropFirst(4).isEmpty && name.dropFirst(4).allSatisfy(\.isNumber)
  }

  /// Whether the name is one that Keras makes of the class Lambda.
  static func isLambda(_ name: String) -> Bool { stem(of: name) == "lambda" }

  /// Whether the name is one that Keras makes of a class that no VGG has but that may be among VGG's weights.
  static func isForeign(_ name: String) -> Bool {
    [
      "add", "concatenate", "merge", "multiply", "average", "maximum", "subtract", "dot", "leaky_re_lu",
      "leakyrelu", "elu", "p_re_lu", "prelu", "thresholded_re_lu", "thresholdedrelu", "average_pooling2d",
      "averagepooling2d", "up_sampling2d", "upsampling2d",
    ].contains(stem(of: name))
  }

  /// Whether a layer without weights that has the name may be an activation: it speaks of nothing else.
  static func mayBeActivation(_ name: String) -> Bool {
    let name = name.lowercased()
    return !["pool", "drop", "pad", "flatten", "input", "noise", "reshape", "lambda"].contains(
      where: name.contains)
  }

  /// Whether the name is one that Keras makes of a class with kernels that no VGG has, though some look the same.
  static func isForeignKernel(_ name: String) -> Bool {
    [
      "time_distributed", "timedistributed", "bidirectional", "conv2d_transpose", "deconvolution2d",
      "depthwise_conv2d", "separable_conv2d", "separableconvolution2d", "atrous_convolution2d",
      "atrousconvolution2d", "locally_connected2d", "locallyconnected2d", "einsum_dense", "embedding", "lstm",
      "gru",
    ].contains(stem(of: name))
  }

  static func foreignKernel(_ name: String, file: String) -> FileError {
    FileError(
      .unsupported, code: "keras.layer", file: file, "has a layer that no VGG has", place: "layer \(name)",
      seen: stem(of: name))
  }

  /// Whether the name is one that Keras makes of a pooling over the whole map.
  static func isGlobalPooling(_ name: String) -> Bool {
    ["global_average_pooling2d", "global_max_pooling2d", "globalaveragepooling2d", "globalmaxpooling2d"]
      .contains(stem(of: name))
  }

  /// Whether the name is one that Keras makes of a scaling of the input.
  static func isInputScaling(_ name: String) -> Bool {
    ["rescaling", "normalization"].contains(stem(of: name))
  }

  /// The name without the number that Keras appends.
  static func stem(of name: some StringProtocol) -> String {
    guard let underscore = name.lastIndex(of: "_"),
      name[name.index(after: underscore)...].allSatisfy(\.isNumber)
    else { return String(name) }
    return String(name[..<underscore])
  }

  /// How a user states the constants of the normalisation.
  static let lrnAdvice =
    "state its constants: --lrn SIZE,ALPHA,BETA,K, such as --lrn 5,0.0005,0.75,2 in Caffe's terms"

  static func unknownFunction(_ name: String, file: String) -> FileError {
    FileError(
      .unsupported, code: "keras.lambda", file: file, "has a layer whose function the file does not tell",
      place: "layer \(name)", seen: "Lambda",
      advice: "if it is a local response normalisation, \(lrnAdvice)")
  }

  static func passedOver(_ name: String) -> Provenance.Decision {
    Provenance.Decision(
      "lambda", "passed over",
      because: "\(name) stands in front of the first convolution: preprocessing, whose code is not run")
  }
}
