internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Leaves the dense layers and what follows them out: the model gives the features in front of them.
struct DropDensePass: ModelPass {
  var declaration: Pass { .dropDense }

  func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
    let features = model.network.withoutDense
    for case .equalize(let factors?) in model.provenance.passes {
      guard let (layer, _) = factors.problem(in: features) else { continue }
      throw FileError(
        .unsupported, code: "prune.equalized", file: model.provenance.sourceName,
        "needs its dense layers: they take back factors of cross-layer equalisation", place: "layer \(layer)",
        advice: "leave them out first, then equalise")
    }
    var arithmetic = model.integerArithmetic
    arithmetic?.outputs.removeLast(model.network.layers.count - features.layers.count)
    let needed = Set(features.tensorRequirements.map(\.name))
    do throws(ShapeError) {
      return try Model(
        network: features, tensors: model.tensors.filter { needed.contains($0.name) },
        preprocessing: model.preprocessing, labels: [], integerArithmetic: arithmetic,
        provenance: model.provenance)
    } catch {
      throw FileError(.fault, code: "compress.drop", file: model.provenance.sourceName, error.description)
    }
  }
}
