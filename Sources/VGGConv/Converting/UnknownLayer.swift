public import VGGModel

/// A layer that a pass is to leave as it is, and that the network does not have when its turn comes.
public struct UnknownLayer: Error, Equatable, Sendable {
  /// The name that was given.
  public let name: String
  /// The layers with weights that there are.
  public let known: [String]
}

extension OpenedModel {
  /// Checks the names of the layers that passes are to keep, which people misspell; nothing is read or computed for it.
  public func requireLayers(keptBy passes: [Pass]) throws(UnknownLayer) {
    var network = model.network
    for pass in passes {
      switch pass {
      case .dropDense: network = network.withoutDense
      case .quantize(let settings):
        let known = network.layers.filter { !$0.tensorRequirements.isEmpty }.map(\.name)
        if let name = settings.keptLayers.first(where: { !known.contains($0) }) {
          throw UnknownLayer(name: name, known: known)
        }
      default: break  // the others leave the names of layers as they are
      }
    }
  }
}
