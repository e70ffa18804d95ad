internal import VGGBytes
internal import VGGHDF5
internal import VGGTensors

/// A layer with weights, sorted out.
struct StoredLayer {
  /// The layer's name.
  var name: String
  /// Of rank 4 for a convolution, 2 for a dense layer.
  var kernel: KerasWeight
  /// Whether it is part of the head: a dense layer, or a convolution that covers all that is left of the map.
  var isHead = false
  /// Of rank 1.
  var bias: KerasWeight?
  /// How a dense layer's kernel is quantised; nil: it is not.
  var quantization: StoredQuantization?
  /// The batch normalisation behind it, in front of its activation.
  var normalization: StoredNormalization?
  /// The batch normalisation behind its activation.
  var outputNormalization: StoredNormalization?

  var isConvolution: Bool { kernel.shape.count == 4 }
  /// The kernel's shape; that of the numbers it stands for, where these are packed.
  var shape: [Int] { quantization?.shape ?? kernel.shape }
  /// Rows, columns, inputs and outputs of a convolution's kernel.
  func sizes(_ layout: SourceLayout) -> (height: Int, width: Int, inputs: Int, outputs: Int) {
    let shape = kernel.shape
    return layout == .oihw
      ? (shape[2], shape[3], shape[1], shape[0]) : (shape[0], shape[1], shape[2], shape[3])
  }
  /// What must have a number for each output, besides the bias.
  var vectors: [KerasWeight] { (normalization?.weights ?? []) + (outputNormalization?.weights ?? []) }
}

/// The vectors of a batch normalisation; each has a number for each channel.
struct StoredNormalization {
  /// The layer's name.
  var name: String
  var gamma: KerasWeight?
  var beta: KerasWeight?
  var mean: KerasWeight
  /// A variance or a deviation, which the release that wrote the file decides.
  var spread: KerasWeight
  /// Whether the pooling behind the layer comes first; known only where it stands behind the activation.
  var isBehindPooling = false

  var weights: [KerasWeight] { [gamma, beta, mean, spread].compactMap(\.self) }

  /// What a vector is.
  private enum Role: CaseIterable {
    case gamma, beta, mean, spread

    /// By the variable's name: `block1_bn/moving_mean:0`, `batchnormalization_1_running_std_2`.
    init?(_ name: String) {
      let name = LayerName.stem(of: name.split(separator: "/").last?.split(separator: ":").first ?? "")
      let endings: [(String, Role)] = [
        ("gamma", .gamma), ("beta", .beta), ("moving_mean", .mean), ("running_mean", .mean),
        ("moving_variance", .spread), ("running_std", .spread), ("running_variance", .spread),
      ]
      guard let found = endings.first(where: { name.hasSuffix($0.0) }) else { return nil }
      self = found.1
    }
  }

  /// Finds out which vector is which: by names, else by the configuration, else by their number.
  ///
  /// - Throws: Where neither tells.
  init(_ layer: KerasLayer, configured: ConfiguredNetwork.Normalization?) throws(FileError) {
    name = layer.name
    var roles: [Role]
    if case let named = layer.weights.compactMap({ Role($0.name) }), named.count == layer.weights.count {
      roles = named
    } else if let configured {
      roles = [configured.hasScale ? .gamma : nil, configured.hasCenter ? .beta : nil].compactMap(\.self)
      roles += [.mean, .spread]
    } else if layer.weights.count == 4 {
      roles = [.gamma, .beta, .mean, .spread]
    } else if layer.weights.count == 2, layer.className == "batch_normalization" {
      roles = [.mean, .spread]
    } else {
      roles = []
    }
    let isNormalization =
      layer.className.map { $0 == "batch_normalization" } ?? true
      && roles.count == layer.weights.count && Set(roles).count == roles.count
    func weight(_ role: Role) -> KerasWeight? { roles.firstIndex(of: role).map { layer.weights[$0] } }
    guard isNormalization, let mean = weight(.mean), let spread = weight(.spread) else {
      let isAmbiguous = roles.isEmpty && layer.className == "batch_normalization"
      throw FileError(
        .unsupported, code: "keras.layer", file: layer.weights[0].file.path,
        isAmbiguous
          ? "does not tell which vectors a batch normalisation has" : "has a layer that no VGG has",
        place: "layer \(layer.name)",
        seen: layer.weights.map { "\($0.shape)" }.joined(separator: " ")
          + (layer.className.map { " of \($0)" } ?? ""),
        allowed: "a kernel of 4 or 2 axes and a bias of 1, or gamma, beta, mean and variance",
        advice: isAmbiguous ? "save the whole model, whose configuration tells" : nil)
    }
    (self.mean, self.spread, gamma, beta) = (mean, spread, weight(.gamma), weight(.beta))
  }
}
