internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// What the declared passes make of the source: what a faithful model must be, tensor by tensor and layer by layer.
struct DeclaredModel: Sendable {
  /// The layers that are left.
  let network: Network
  /// The tensors that they need, in order.
  let tensors: [DeclaredTensor]
  /// Passes that this program cannot repeat.
  let unknownPasses: [Pass]
  /// The same as a model whose values are computed as they are read.
  let model: Model

  /// Repeats passes with the source.
  ///
  /// - Throws: Where a tensor of the source cannot be read.
  init(_ source: Model, passes: [Pass]) throws(FileError) {
    var network = source.network
    var tensors = source.tensors.map(DeclaredTensor.init)
    var unknown: [Pass] = []
    for pass in passes {
      switch pass {
      case .quantize(let settings):
        let kept = Set(settings.keptLayers.map { "\($0)/weight" })
        for index in tensors.indices {
          let original = tensors[index].original
          guard original.role == .weight, !kept.contains(original.name) else { continue }
          try tensors[index].quantize(by: settings)
        }
      case .prune(let fraction):
        let dense = Set(network.layers.filter(\.isDense).map(\.weightName))
        for index in tensors.indices where dense.contains(tensors[index].original.name) {
          try tensors[index].prune(fraction: fraction)
        }
      case .dropDense:
        network = network.withoutDense
        let needed = Set(network.tensorRequirements.map(\.name))
        tensors.removeAll { !needed.contains($0.original.name) }
      case .unknown: unknown.append(pass)
      }
    }
    self.network = network
    self.tensors = tensors
    unknownPasses = unknown
    do throws(ShapeError) {
      model = try Model(
        network: network, tensors: tensors.map(\.tensor), preprocessing: source.preprocessing,
        // Without dense layers there are no classes to name.
        labels: network.hasTop ? source.labels : [], provenance: source.provenance)
    } catch {
      throw FileError(
        .fault, code: "verify.declared", file: source.provenance.sourceName, error.description)
    }
  }
}

extension Model {
  /// The passes between another model and this one; nil where this one was not made from the other's passes onwards.
  func passes(since source: Model) -> [Pass]? {
    let (own, earlier) = (provenance.passes, source.provenance.passes)
    return own.starts(with: earlier) ? Array(own.dropFirst(earlier.count)) : nil
  }
}
