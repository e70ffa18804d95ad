internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// What the grammar has against a net, in the words of Caffe.
extension NetTranslation {
  func error(_ refusal: GrammarRefusal) -> FileError {
    guard let index = refusal.layer else { return withoutConvolutions }
    let layer = elements[index].layer
    switch refusal.reason {
    case .refused(let error): return error
    case .noConvolutions: return withoutConvolutions
    case .misplaced(let seen, let allowed), .normalization(let seen, let allowed):
      return deviation(layer, seen: "\(layer.type), \(seen)", allowed: allowed)
    case .setting(let setting, let allowed): return error(setting, of: layer, allowed: allowed)
    case .reducedHead: return reducedHead(index)
    case .noActivation(let next):
      return deviation(
        layer, seen: next.map { "no ReLU between it and \(elements[$0].layer.name)" } ?? "no ReLU behind it",
        allowed: next == nil
          ? "a ReLU behind each convolution" : "a ReLU behind each layer with weights but the last")
    case .behindEnd(let activation, _):
      let end = elements[activation].layer
      return deviation(
        layer, seen: "\(layer.type) behind \(end.name)", allowed: "nothing behind a \(end.type)")
    case .unknownNormalizationPlace:
      return file.unsupported(
        "normalization.order",
        "does not tell whether a batch normalisation stands in front of its ReLU or behind it",
        at: layer.offset, place: layer.place, seen: "no ReLU layers",
        advice: "give the deploy prototxt with --prototxt, or state it with --bn-before-activation or "
          + "--bn-after-activation")
    case .activation, .unflattened: preconditionFailure("a net has no such layers")
    }
  }

  /// Whether such a refusal may be because the file is another network, whose name says more.
  static func mayBeOfForeignNetwork(_ refusal: GrammarRefusal) -> Bool {
    switch refusal.reason {
    case .refused(let error): error.kind == .unsupported
    case .noConvolutions, .reducedHead, .unknownNormalizationPlace: false
    case .misplaced, .normalization, .setting, .noActivation, .behindEnd, .activation, .unflattened: true
    }
  }

  private func error(
    _ setting: GrammarRefusal.Setting, of layer: CaffeLayer, allowed: String
  ) -> FileError {
    let settings: ConvolutionSettings? =
      if case .convolution(let settings) = layer.operation { settings } else { nil }
    let kernel = settings?.kernel ?? Extent(side: 3)
    switch setting {
    case .kernel:
      return FileError(
        .unsupported, code: "model.kernel", file: file.path, "is not a VGG",
        offset: file.hasOffsets ? layer.offset : nil, place: layer.place,
        seen: "a kernel of \(kernel)", allowed: allowed)
    case .groups:
      return file.unsupported(
        "layer.settings", "has a group that no VGG has", at: layer.offset, place: layer.place,
        seen: "\(settings?.groups ?? 1)", allowed: allowed)
    case .stride, .padding, .dilation:
      return deviation(
        layer, seen: settings?.windowDescription ?? "",
        allowed:
          "padding \(kernel.paddingThatKeepsTheMap), stride 1x1, dilation 1x1 for a kernel of \(kernel)",
        advice: settings?.dilation == Extent(side: 1)
          ? nil : "this is a network for segmentation; use the one for classification that it was made from")
    case .poolingWindow, .poolingStride: preconditionFailure("poolings may have any window")
    }
  }

  private func reducedHead(_ index: Int) -> FileError {
    let (layer, neutral) = elements[index]
    var seen = "kernel"
    if case .convolution(let window) = neutral.operation, let kernel = window.kernel { seen += " \(kernel)" }
    if case .convolution(let settings?) = layer.operation { seen += ", \(settings.windowDescription)" }
    return file.unsupported(
      "fc_reduced", GrammarRefusal.reducedHeadProblem, at: layer.offset, place: layer.place, seen: seen,
      allowed: GrammarRefusal.allowedHeadConvolution, advice: GrammarRefusal.reducedHeadAdvice)
  }

  private var withoutConvolutions: FileError {
    file.unsupported(
      "noweights", "has no convolutions", seen: "\(steps.count) layers",
      allowed: "the layers of a VGG network")
  }

  func deviation(
    _ layer: CaffeLayer, seen: String, allowed: String, advice: String? = nil
  ) -> FileError {
    file.unsupported(
      "structure", "is not built like a VGG", at: layer.offset, place: layer.place, seen: seen,
      allowed: allowed, advice: advice)
  }
}

extension ConvolutionSettings {
  fileprivate var windowDescription: String {
    "padding \(padding), stride \(stride), dilation \(dilation)"
  }
}
