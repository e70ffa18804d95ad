internal import VGGEngine
internal import VGGModel

extension Verification {
  /// Runs a model of integers layer by layer, and holds its codes against those that the plain reference computes with what the
  /// passes make of the source. Not one may differ.
  mutating func compareIntegers(
    _ run: VerificationRun, _ inputs: [FeatureMap], _ progress: () -> Void
  ) throws(EngineError) {
    let engine = try run.options.engine(for: run.model)
    var plain = run.options
    plain.kind = .reference
    let reference = try plain.engine(for: run.declared)
    let layers = run.model.network.layers
    for input in inputs {
      var current = input
      for (index, layer) in layers.enumerated() {
        guard let declared = run.declared.network.layers.first(where: { $0.name == layer.name }) else {
          return
        }
        let expected = try reference.evaluate(declared, on: current)
        take(try engine.evaluate(layer, on: current), expected, index, layer)
        if index == run.model.network.outputIndex {
          // As a whole it is run in another way: some layers together, others in parts.
          take(try run.outputs(of: run.model).output(on: input), expected, index, layer)
        }
        current = expected
        progress()
      }
    }
  }

  private mutating func take(_ seen: FeatureMap, _ expected: FeatureMap, _ index: Int, _ layer: Layer) {
    let error = BoundedError(
      seen: seen, expected: expected, bounds: Array(repeating: 0, count: expected.valueCount))
    let verdict = LayerVerdict(layer: layer.name, local: error, accumulated: error)
    if index < layers.count { layers[index].include(verdict) } else { layers.append(verdict) }
  }
}
