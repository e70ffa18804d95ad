internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGSources

/// What may stand behind a layer with weights, or be part of it.
extension ConfigurationTranslation {
  /// The activation that a layer of its own is, or that is part of a layer with weights.
  mutating func takeActivation(of layer: ModelConfiguration.Layer) throws(FileError) {
    let value = layer["activation"]
    let name = value.map { $0.string ?? $0["class_name"]?.string ?? "" } ?? "linear"
    try takeActivation(name.lowercased(), of: layer)
  }

  mutating func takeActivation(_ name: String, of layer: ModelConfiguration.Layer) throws(FileError) {
    let activation = HeadActivation(rawValue: name)
    if activation == .linear { return }
    if activation != nil {
      // An activation may be a layer with settings of its own, also inside another one.
      if let settings = layer["activation"]?["config"] { try requirePlain(settings, of: layer) }
      if layer.isActivation { try requirePlain(layer.settings, of: layer) }
    }
    // Over a map whose channels come first, a softmax is one over the columns.
    if activation == .softmax, isChannelsFirst, !isFlat, hasWeights {
      throw refusal(
        layer, "activation", seen: .string(name), allowed: "a softmax behind Flatten, as channels come first")
    }
    append(layer, .activation(activation))
  }

  /// A ReLU has no slope and no limits, and a softmax is over the last axis.
  private func requirePlain(
    _ settings: JSONValue, of layer: ModelConfiguration.Layer
  ) throws(FileError) {
    for (key, allowed) in [("max_value", 0), ("negative_slope", 0), ("threshold", 0), ("axis", -1)] {
      guard let value = settings[key], value != .null, value.number != Double(allowed) || key == "max_value"
      else { continue }
      // Behind a dense layer axis 1 is the last one.
      if key == "axis", value.integer == 1, isFlat { continue }
      throw refusal(
        layer, key, seen: value,
        allowed: key == "axis" ? "-1, the last one" : "a plain ReLU, without limit or slope")
    }
  }

  mutating func takeNormalization(_ layer: ModelConfiguration.Layer) throws(FileError) {
    if let mode = layer["mode"], mode.integer != 0 {
      throw refusal(layer, "mode", seen: mode, allowed: "0, with recorded statistics for each channel")
    }
    if let renorm = layer["renorm"], renorm.bool != false {
      throw refusal(layer, "renorm", seen: renorm, allowed: "false")
    }
    let axis = layer["axis"].map { $0.array.flatMap { $0.count == 1 ? $0[0] : nil } ?? $0 } ?? .integer(-1)
    let allowed = isFlat ? [1, -1] : isChannelsFirst ? [1, -3] : [3, -1]
    // In front of the first convolution it is refused for that.
    guard !hasWeights || axis.integer.map(allowed.contains) == true else {
      throw refusal(
        layer, "axis", seen: axis, allowed: "that of the channels, \(allowed[0]) or \(allowed[1])")
    }
    let epsilon = layer["epsilon"]
    if let epsilon, !(epsilon.number.map { $0 >= 0 && $0.isFinite } ?? false) {
      throw refusal(layer, "epsilon", seen: epsilon, allowed: "a number of 0 or more")
    }
    append(
      layer, .batchNormalization,
      normalization: ConfiguredNetwork.Normalization(
        name: layer.name, epsilon: epsilon?.number, hasScale: layer["scale"]?.bool ?? true,
        hasCenter: layer["center"]?.bool ?? true))
  }
}

extension ModelConfiguration.Layer {
  /// Whether the layer is nothing but an activation.
  var isActivation: Bool { ["Activation", "ReLU", "Softmax"].contains(className) }
}
