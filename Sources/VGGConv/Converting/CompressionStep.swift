internal import VGGBytes
internal import VGGCompress
public import VGGModel

/// What makes a model smaller.
public enum CompressionStep: Equatable, Sendable {
  /// Weights are rounded to a precision, but for those of some layers.
  case quantize(to: Precision, keeping: KeptLayers = .named([]))
  /// This part of each dense layer's weights becomes zero, the smallest ones, and the layers are stored sparse.
  case prune(fraction: Double)
  /// The dense layers and what follows them are left out: the model gives features.
  case dropDense
}

/// Layers that a change of precision leaves as they are.
public enum KeptLayers: Equatable, Sendable {
  /// These.
  case named([String])
  /// Those that would be less than some decibels above their error, see ``KeptLayers/leastSignalToNoise``.
  case auto

  /// The ratio of signal to error below which `auto` leaves a layer as it is: an error of 3 % of the weights.
  public static let leastSignalToNoise = 30.0
}

extension Model {
  /// The model after some steps, one after the other.
  ///
  /// - Throws: `unsupported` with the code `quantize.layer` where a layer to keep is none of the network's that have weights.
  func applying(_ steps: [CompressionStep], file: String) throws(FileError) -> Model {
    var model = self
    for step in steps {
      switch step {
      case .quantize(let precision, .auto):
        let kept = try model.layersHarmed(by: precision, below: KeptLayers.leastSignalToNoise)
        model = try model.converted(to: precision, keeping: kept)
      case .quantize(let precision, .named(let names)):
        let known = model.network.layers.filter { !$0.tensorRequirements.isEmpty }.map(\.name)
        if let unknown = names.first(where: { !known.contains($0) }) {
          throw FileError(
            .unsupported, code: "quantize.layer", file: file, "has no layer of that name to keep",
            seen: unknown,
            allowed: known.joined(separator: ", "))
        }
        model = try model.converted(to: precision, keeping: known.filter(names.contains))
      case .prune(let fraction): model = try model.pruningDense(fraction: fraction)
      case .dropDense: model = try model.droppingDense()
      }
    }
    return model
  }
}
