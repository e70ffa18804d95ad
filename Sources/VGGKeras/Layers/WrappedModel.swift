internal import VGGBytes

/// Models whose layers are still wrapped by the TensorFlow Model Optimization Toolkit: what they hold besides kernels and
/// biases belongs to training, and what they compute without it only the toolkit knows.
enum WrappedModel {
  /// A kind of wrapper.
  private struct Kind {
    var name: String
    /// The classes of its layers, and what Keras makes of them in names.
    var classes: [String]
    /// What the names of variables that only it has begin with.
    var variables: [String]
    var advice: String
  }

  private static let kinds = [
    Kind(
      name: "pruning", classes: ["PruneLowMagnitude", "prune_low_magnitude"], variables: ["pruning_step"],
      advice: "strip the wrappers and save again: tfmot.sparsity.keras.strip_pruning(model)"),
    Kind(
      name: "clustering", classes: ["ClusterWeights", "ClusterWeightsMHA", "cluster_weights"],
      variables: ["cluster_centroids", "pulling_indices"],
      advice: "strip the wrappers and save again: tfmot.clustering.keras.strip_clustering(model)"),
    Kind(
      name: "quantisation-aware training",
      classes: [
        "QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2", "QuantizeAnnotate", "quantize_layer",
        "quantize_wrapper", "quantize_wrapper_v2", "quantize_annotate",
      ], variables: ["optimizer_step", "kernel_min", "kernel_max"],
      advice: "save the model from before quantize_model with the trained kernels and biases; "
        + "--to int8 quantises it here"),
  ]

  /// Refuses a file of wrapped layers, naming the wrapper and how to get rid of it.
  static func requireNone(in weights: KerasWeights, file: String) throws(FileError) {
    let configured = (weights.configuration?.layers ?? []).map { ($0.name, $0.className) }
    let stored = weights.layers.compactMap { layer in layer.className.map { (layer.name, $0) } }
    for (layer, className) in configured + stored {
      guard let kind = kinds.first(where: { $0.classes.contains(className) }) else { continue }
      throw refusal(kind, file, layer, seen: className)
    }
    for layer in weights.layers {
      for weight in layer.weights {
        guard let kind = kinds.first(where: { $0.variables.contains { variable(weight.name).hasPrefix($0) } })
        else {
          continue
        }
        throw refusal(kind, file, layer.name, seen: variable(weight.name))
      }
    }
  }

  /// `pruning_step` of `prune_low_magnitude_conv1/pruning_step:0`.
  private static func variable(_ name: String) -> String {
    String((name.split(separator: "/").last ?? "").prefix { $0 != ":" })
  }

  private static func refusal(_ kind: Kind, _ file: String, _ layer: String, seen: String) -> FileError {
    FileError(
      .unsupported, code: "keras.wrapped", file: file, "is still wrapped for \(kind.name)",
      place: "layer \(layer)", seen: seen, allowed: "plain layers", advice: kind.advice)
  }
}
