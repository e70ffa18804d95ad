internal import VGGHDF5
internal import VGGModel

/// What a file of any generation of Keras holds: layers with their weights, and what else helps to understand them.
///
/// Each generation has one reader that makes this of it; everything behind is common to all of them.
struct KerasWeights {
  /// Who wrote the file, and what it is.
  var generation: Generation
  /// The layers in the order of the network, also those without weights as far as the file names them.
  var layers: [KerasLayer]
  /// Whether layers without weights stand in the order of the network too.
  var placesAreKnown = true
  /// The library that Keras ran on, where the file says so.
  var backend: String?
  /// The release of Keras, such as `2.3.1`, where the file says so.
  var version: String?
  /// What the file says of its layers besides their weights.
  var configuration: ModelConfiguration?
  /// What was decided while reading.
  var decisions: [Provenance.Decision] = []
}

/// A layer as a file names it.
struct KerasLayer {
  /// The layer's own name, without those of models around it.
  var name: String
  /// The weights in Keras's order: the kernel, then the bias.
  var weights: [KerasWeight] = []
  /// The class of the layer, such as `conv2d`, where the file is ordered by classes.
  var className: String?
  /// The model that is used as a layer and that it is part of: the file names only its layers with weights.
  var model: String?
  /// Whether it is part of such a model.
  var isNested: Bool { model != nil }

  /// The layers of a list of weights that does not name them: each begins with its kernel, then comes its bias, then the four
  /// vectors of a normalisation.
  static func layers(of weights: [KerasWeight]) -> [KerasLayer] {
    var layers: [KerasLayer] = []
    var remaining = weights[...]
    while let first = remaining.popFirst() {
      var layer = KerasLayer(name: first.dataset.path, weights: [first])
      let vectors = Array(remaining.prefix { !$0.isKernel })
      remaining = remaining.dropFirst(vectors.count)
      if first.isKernel, vectors.count >= 4 {
        layer.weights += vectors.dropLast(4)
        let normalization = Array(vectors.suffix(4))
        layers += [layer, KerasLayer(name: normalization[0].dataset.path, weights: normalization)]
      } else {
        layer.weights += vectors
        layers.append(layer)
      }
    }
    return layers
  }
}

/// The forms of weight files that Keras had since 2015.
struct Generation: Equatable {
  /// The release that wrote the file, as far as layouts differ.
  enum Writer: String {
    /// 0.1 to 0.3: layers are numbered.
    case keras0 = "keras-0"
    /// 1.x: layers are named, the backend is not.
    case keras1 = "keras-1"
    /// 2.x, tf.keras, tf_keras.
    case keras2 = "keras-2"
    /// 3.x, writing the form of 2.x.
    case keras3Legacy = "keras-3-legacy"
    /// 3.x, and tf.keras from 2.12: layers are named after their class.
    case keras3 = "keras-3"
  }
  /// What the file holds.
  enum Form: String {
    /// Weights only.
    case weights
    /// Weights only, of a model that is no sequence (Keras 0).
    case graph
    /// Weights and configuration.
    case model
    /// Weights and configuration in a zip archive, `.keras`.
    case archive
    /// The same, unpacked.
    case folder
    /// Weights only, in several files with an index.
    case shards
  }
  var writer: Writer
  var form: Form

  /// A short name for reports, such as `keras-2-weights`.
  var name: String { "\(writer.rawValue)-\(form.rawValue)" }
}
