internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGSources

/// What the grammar has against a configuration, in the words of Keras.
extension ConfigurationTranslation {
  func error(_ refusal: GrammarRefusal) -> FileError {
    guard let index = refusal.layer else {
      return FileError(
        .unsupported, code: "keras.empty", file: file, "has no weights",
        seen: "a configuration without convolutions")
    }
    let layer = elements[index].layer
    switch refusal.reason {
    case .refused(let error): return error
    case .noConvolutions: return topOnly(layer)
    case .misplaced(let seen, let allowed):
      // An activation may be part of a layer with weights that stands where it should.
      if case .activation = elements[index].neutral.operation, !layer.isActivation {
        return self.refusal(layer, "activation", seen: layer["activation"], allowed: allowed)
      }
      return wrongPlace(layer, seen: seen, allowed: allowed)
    case .normalization(let seen, let allowed):
      return FileError(
        .unsupported, code: "keras.normalization", file: file,
        "has a batch normalisation that cannot be worked into a layer", place: "layer \(layer.name)",
        seen: seen, allowed: allowed)
    case .setting(let setting, let allowed): return error(setting, of: layer, allowed: allowed)
    case .reducedHead:
      return FileError(
        .unsupported, code: "keras.head", file: file, GrammarRefusal.reducedHeadProblem,
        place: "layer \(layer.name)", seen: "kernel \(layer["kernel_size", "nb_row"]?.compact ?? "")",
        allowed: GrammarRefusal.allowedHeadConvolution, advice: GrammarRefusal.reducedHeadAdvice)
    case .unflattened:
      return FileError(
        .unsupported, code: "keras.layer", file: file,
        "is not a VGG: a dense layer does not read the flattened map", place: "layer \(layer.name)",
        seen: "no Flatten", allowed: "Flatten or a pooling over the whole map in front of it")
    case .activation(let allowed):
      return self.refusal(
        layer, "activation", seen: layer["activation"],
        allowed: allowed.map(\.rawValue).joined(separator: ", "))
    case .noActivation: return wrongActivation(of: layer, seen: .linear, allowed: "relu")
    case .behindEnd(let activation, let weighted):
      guard case .activation(let kind?) = elements[activation].neutral.operation else {
        preconditionFailure("only activations end a head")
      }
      return wrongActivation(of: elements[weighted].layer, seen: kind, allowed: "relu or linear")
    case .unknownNormalizationPlace: preconditionFailure("a configuration lists all layers")
    }
  }

  private func error(
    _ setting: GrammarRefusal.Setting, of layer: ModelConfiguration.Layer, allowed: String
  ) -> FileError {
    let key: String
    switch setting {
    case .kernel:
      return refusal(layer, "kernel_size", seen: layer["kernel_size", "nb_row"], allowed: allowed)
    case .padding: return paddingRefusal(layer)
    case .stride: key = layer["strides"] == nil ? "subsample" : "strides"
    case .dilation: key = "dilation_rate"
    case .groups: key = "groups"
    case .poolingWindow: key = "pool_size"
    case .poolingStride: key = "strides"
    }
    return refusal(layer, key, seen: layer[key], allowed: allowed)
  }

  /// The layers that people train on the features of a VGG, without it.
  private func topOnly(_ layer: ModelConfiguration.Layer) -> FileError {
    FileError(
      .unsupported, code: "keras.top", file: file, "is only the top of a network, without convolutions",
      place: "layer \(layer.name)", seen: "\(layer.className) in front of the first convolution",
      allowed: "a network with its convolutions",
      advice: "put it behind the network that gave the features, and save both as one model")
  }

  private func wrongActivation(
    of layer: ModelConfiguration.Layer, seen: HeadActivation, allowed: String
  ) -> FileError {
    FileError(
      .unsupported, code: "keras.config.value", file: file, "is configured otherwise than a VGG",
      place: "layer \(layer.name), activation", seen: seen.rawValue, allowed: allowed)
  }

  private func wrongPlace(_ layer: ModelConfiguration.Layer, seen: String, allowed: String) -> FileError {
    FileError(
      .unsupported, code: "keras.layer", file: file, "has a layer where no VGG has one",
      place: "layer \(layer.name)", seen: "\(layer.className), \(seen)", allowed: allowed)
  }
}
