public import VGGBytes
public import VGGModel
internal import VGGTensors

extension Model {
  /// The layers that a change of precision would harm most, in their order: those whose weights would have less than some
  /// ratio of signal to error, or a value out of range.
  ///
  /// - Parameter decibels: The least ratio that is good enough; 30 is an error of 3 % of the weights.
  public func layersHarmed(
    by settings: QuantizationSettings, below decibels: Double = 30
  ) throws(FileError) -> [String] {
    let converted = try applying(.quantize(settings))
    var harmed: [String] = []
    for layer in network.layers {
      guard let before = tensor(layer.weightName), let after = converted.tensor(layer.weightName) else {
        continue
      }
      let distortion = try TensorDistortion(from: before, to: after)
      if distortion.overflowCount > 0 || distortion.signalToNoise < decibels { harmed.append(layer.name) }
    }
    return harmed
  }

  /// The same passes, but each change of precision also keeps the layers that it would harm most, see
  /// `layersHarmed(by:below:)`, of the model that the passes before make of this one.
  public func sparingHarmedLayers(
    in passes: [Pass], _ context: PassContext = PassContext()
  ) throws(FileError) -> [Pass] {
    var sparing: [Pass] = []
    for pass in passes {
      guard case .quantize(var settings) = pass else {
        sparing.append(pass)
        continue
      }
      settings.keptLayers += try applying(sparing, in: context).layersHarmed(by: settings)
      sparing.append(.quantize(settings))
    }
    return sparing
  }
}
