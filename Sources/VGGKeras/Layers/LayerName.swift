internal import VGGBytes
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
      "leakyrelu", "elu", "p_re_lu", "prelu", "thresholded_re_lu", "thresholdedrelu", "up_sampling2d",
      "upsampling2d",
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

  /// The pooling that the name speaks of, over the whole map or over 2x2; nil for any other layer.
  static func pooling(_ name: String) -> Pooling? {
    let name = name.lowercased()
    let isAverage = ["average", "avg", "mean", "gap"].contains(where: name.contains)
    if ["gap", "gmp"].contains(stem(of: name)) || name.contains("global") && name.contains("pool") {
      return Pooling(global: isAverage ? .average : .maximum)
    }
    guard name.contains("pool") else { return nil }
    var pooling = Pooling(rounding: .floor)
    pooling.method = isAverage ? .average : .maximum
    return pooling
  }

  /// The activation that the name speaks of.
  static func activation(_ name: String) -> HeadActivation? {
    let name = name.lowercased()
    if name.contains("softmax") { return .softmax }
    if name.contains("sigmoid") { return .sigmoid }
    return name.contains("relu") || stem(of: name) == "re_lu" ? .relu : nil
  }

  /// Whether the layer, as far as its name tells, changes nothing about where poolings may stand: it is something else.
  static func isKnownOther(_ name: String) -> Bool {
    let name = name.lowercased()
    return [
      "drop", "pad", "flatten", "input", "noise", "activation", "relu", "re_lu", "softmax", "sigmoid",
      "rescaling", "normalization", "lambda", "random",
    ].contains(where: name.contains)
  }

  /// The block and the number in it of a convolution that is called `block4_conv3`, `conv4_3` or `conv_4_3`.
  static func blockAndNumber(_ name: String) -> (block: Int, number: Int)? {
    let name = name.lowercased()
    let rest: Substring
    let separator: String
    if name.hasPrefix("block") {
      (rest, separator) = (name.dropFirst(5), "_conv")
    } else if name.hasPrefix("conv") {
      (rest, separator) = (name.dropFirst(name.hasPrefix("conv_") ? 5 : 4), "_")
    } else {
      return nil
    }
    let parts = rest.split(separator: separator, omittingEmptySubsequences: false)
    guard parts.count == 2, let block = Int(parts[0]), let number = Int(parts[1]) else { return nil }
    return (block, number)
  }

  /// The number of convolutions of each block, where all names tell and count as a VGG's do.
  static func blockSizes(_ names: [String]) -> [Int]? {
    var sizes: [Int] = []
    for name in names {
      guard let (block, number) = blockAndNumber(name) else { return nil }
      if block == sizes.count + 1, number == 1 {
        sizes.append(1)
      } else if block == sizes.count, number == (sizes.last ?? 0) + 1 {
        sizes[block - 1] += 1
      } else {
        return nil
      }
    }
    return sizes
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
      .lambdaPassedOver,
      because: "\(name) stands in front of the first convolution: preprocessing, whose code is not run")
  }
}
