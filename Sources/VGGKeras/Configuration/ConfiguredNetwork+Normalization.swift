internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGSources

extension ConfiguredNetwork {
  /// A batch normalisation, which must stand behind a layer with weights, its activation or the pooling behind that.
  mutating func takeNormalization(_ layer: ModelConfiguration.Layer) throws(FileError) {
    guard let place = placeOfNormalization, let last = weighted.last else {
      throw FileError(
        .unsupported, code: "keras.normalization", file: file,
        "has a batch normalisation that cannot be worked into a layer",
        place: "layer \(layer.name)",
        seen: weighted.last.map {
          $0.activation == "linear" || $0.activation == "relu"
            ? "not right behind \($0.name)" : "behind the \($0.activation) of \($0.name)"
        } ?? "in front of the first convolution",
        allowed: "one behind a convolution or dense layer, or behind its relu")
    }
    if let mode = layer["mode"], mode.integer != 0 {
      throw refusal(layer, "mode", seen: mode, allowed: "0, with recorded statistics for each channel")
    }
    if let renorm = layer["renorm"], renorm.bool != false {
      throw refusal(layer, "renorm", seen: renorm, allowed: "false")
    }
    let axis = layer["axis"].map { $0.array.flatMap { $0.count == 1 ? $0[0] : nil } ?? $0 } ?? .integer(-1)
    let allowed = last.kernel == nil || hasFlattened ? [1, -1] : isChannelsFirst ? [1, -3] : [3, -1]
    guard let number = axis.integer, allowed.contains(number) else {
      throw refusal(
        layer, "axis", seen: axis, allowed: "that of the channels, \(allowed[0]) or \(allowed[1])")
    }
    let epsilon = layer["epsilon"]
    if let epsilon, !(epsilon.number.map { $0 >= 0 && $0.isFinite } ?? false) {
      throw refusal(layer, "epsilon", seen: epsilon, allowed: "a number of 0 or more")
    }
    setNormalization(
      Normalization(
        name: layer.name, epsilon: epsilon?.number, hasScale: layer["scale"]?.bool ?? true,
        hasCenter: layer["center"]?.bool ?? true), place)
  }

  /// Where a normalisation that comes next would stand; nil: where none can be worked into a layer.
  var placeOfNormalization: NormalizationPlace? {
    guard let last = weighted.last, zeros == nil, last.outputNormalization == nil else { return nil }
    if last.activation == "linear", last.isHead || openConvolutions > 0 {
      return last.normalization == nil ? .beforeActivation : nil
    }
    guard last.activation == "relu" else { return nil }
    return last.isHead || openConvolutions > 0 ? .behindActivation : .behindPooling
  }
}
