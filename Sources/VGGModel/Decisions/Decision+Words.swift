internal import VGGTensors

/// The words that stand in files and reports. Files are compared byte by byte: they do not change.
extension Provenance.Decision.Kind {
  /// What was decided, such as `kernel-flip`.
  var subject: String {
    switch self {
    case .kernelLayout: "kernel-layout"
    case .kernelFlip: "kernel-flip"
    case .flattenOrder: "flatten-order"
    case .quantization: "quantization"
    case .computesInFloat32: "precision"
    case .integerRounding: "rounding"
    case .layerOrderByName, .layerOrder: "layer-order"
    case .usualLayers: "layers"
    case .usualStructure: "structure"
    case .network: "network"
    case .inputSize: "input-size"
    case .poolings: "poolings"
    case .poolingRounding: "pooling-rounding"
    case .headPooling: "head-pooling"
    case .headOfWholeMap: "head"
    case .denseLayersOfConvolutions: "dense-layers"
    case .adaptivePoolingLeftOut: "adaptive-pooling"
    case .headActivation: "head-activation"
    case .linearLayers: "activation"
    case .localResponseNormalization: "normalization"
    case .normalizationSpread: "normalization-spread"
    case .normalizationEpsilon: "normalization-epsilon"
    case .normalizationOrder: "normalization-order"
    case .storedStatistics: "batch-statistics"
    case .foldedNormalizations: "batch-normalization"
    case .preprocessing: "preprocessing"
    case .foldedChannelOrder: "fold-channel-order"
    case .foldedMeanAndScale: "fold-preprocessing"
    case .labels: "labels"
    case .augmentationLeftOut: "augmentation"
    case .lambdaPassedOver: "lambda"
    case .inputScalingPassedOver: "input-scaling"
    case .skippedFields: "prototxt-fields"
    case .trainingLayers: "training-layers"
    case .recorded(let subject, _): subject
    }
  }

  /// The decision, such as `yes`.
  var choice: String {
    switch self {
    case .kernelLayout(let layout): layout == .oihw ? "OIHW" : layout == .ohwi ? "OHWI" : "HWIO"
    case .kernelFlip(let isRotated): isRotated ? "yes" : "no"
    case .flattenOrder(let order): order.rawValue
    case .computesInFloat32(let layers): "float32 in \(layers.joined(separator: ", "))"
    case .quantization(let kind, let layers): "\(kind) in \(layers.joined(separator: ", "))"
    case .integerRounding(let rounding): rounding.rawValue
    case .layerOrderByName: "by name"
    case .layerOrder(let first, let last): "\(first) to \(last)"
    case .usualLayers: "as in VGG: convolutions that keep the extent, ReLUs, poolings of 2x2"
    case .usualStructure: "that of VGG"
    case .network(let prefix): prefix.title
    case .inputSize(let extent): extent.description
    case .poolings(let places):
      places.isEmpty ? "none" : "behind convolutions \(places.map(String.init).joined(separator: ", "))"
    case .poolingRounding(let rounding): rounding?.rawValue ?? "as each layer says"
    case .headPooling(.window(let method)): "the \(method.rawValue) of 2x2 pixels"
    case .headPooling(.wholeMap): "over the whole map"
    case .headPooling(.behindLastBlock): "behind that of the last block"
    case .headOfWholeMap(let method): "reads the \(method.rawValue) of each channel"
    case .denseLayersOfConvolutions: "made of convolutions"
    case .adaptivePoolingLeftOut: "left out"
    case .headActivation(let activation): activation.rawValue
    case .linearLayers(let names): "none behind \(names.joined(separator: ", "))"
    case .localResponseNormalization(let constants): constants.words
    case .normalizationSpread(let spread): spread.rawValue
    case .normalizationEpsilon(let epsilon): "\(epsilon)"
    case .normalizationOrder(let place): place.rawValue
    case .storedStatistics: "those that are stored"
    case .foldedNormalizations(let layerCount): "folded into \(layerCount) layers"
    case .preprocessing(let rule, let isAssumed):
      rule.map { (isAssumed ? "assumed: " : "") + $0.summary } ?? "unknown"
    case .foldedChannelOrder(let order): order.rawValue
    case .foldedMeanAndScale: "yes"
    case .labels(let count): "\(count) names of classes"
    case .augmentationLeftOut: "left out"
    case .lambdaPassedOver, .inputScalingPassedOver: "passed over"
    case .skippedFields(let names): "skipped: \(names.joined(separator: ", "))"
    case .trainingLayers(let names): "left out: \(names.joined(separator: ", "))"
    case .recorded(_, let choice): choice
    }
  }
}

extension Provenance.Decision.NormalizationConstants {
  fileprivate var words: String {
    switch self {
    case .stated(let constants): constants.words(scale: "\(constants.scale)")
    case .statedForCaffe(let constants): constants.words(scale: "\(constants.scale) for each element")
    case .caffe(let alpha, let elementCount): "alpha \(alpha) divided by \(elementCount)"
    }
  }
}

extension LocalResponseNormalization {
  fileprivate func words(scale: String) -> String { "size \(size), scale \(scale), beta \(beta), k \(k)" }
}

extension Preprocessing {
  /// `bgr less [103.939, 116.779, 123.68], times 1.0`, for people.
  package var summary: String {
    let scale = Set(self.scale).count == 1 ? "\(self.scale[0])" : "\(self.scale)"
    return "\(channelOrder.rawValue) less \(mean.map(\.threeDigits)), times \(scale)"
  }
}

extension Double {
  /// At most three digits behind the point, for people; the model has the number itself.
  package var threeDigits: Double { abs(self) < 1e12 ? (self * 1000).rounded() / 1000 : self }
}
