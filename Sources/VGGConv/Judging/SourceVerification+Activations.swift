public import VGGBytes
public import VGGEngine
public import VGGModel
internal import VGGVerify

extension SourceVerification {
  /// Runs both networks on the first picture once more, layer by layer, so that no more than two maps of each are alive.
  ///
  /// - Parameter body: Gets each layer of the model, what it gives, and what the source's layer of that name gives, in the units of the
  ///   model's channels; nil where the source has none, or where it cannot follow.
  public func forEachActivation(
    _ body: (Layer, _ model: FeatureMap, _ source: FeatureMap?) throws(FileError) -> Void
  ) throws(FileError) {
    guard let picture = inputs.pictures.first else { return }
    do throws(EngineError) {
      let engine = try EngineOptions(savesMemory: true).engine(for: model.model)
      let source = verification.rescaledSource ?? self.source.model
      let sourceEngine = try EngineOptions(savesMemory: true).engine(for: source)
      var (seen, expected) = (picture, Optional(picture))
      for layer in model.model.network.layers {
        seen = try engine.evaluate(layer, on: seen)
        let original = source.network.layers.first { $0.name == layer.name }
        if let map = expected, let original { expected = try? sourceEngine.evaluate(original, on: map) }
        do throws(FileError) { try body(layer, seen, original == nil ? nil : expected) } catch {
          throw .tap(error)
        }
      }
    } catch {
      throw FileError(error, file: model.path)
    }
  }
}
