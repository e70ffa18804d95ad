internal import JSONKit
internal import VGGBytes
internal import VGGModel

/// What layers in front of the first convolution do to each channel: `factor * pixel + summand`.
struct InputScaling: Equatable {
  var factors: [Double]
  var summands: [Double]
  /// The names of the layers.
  var names: [String]

  /// The same as `(pixel - mean) * scale`; nil where the layers are made for another number of channels.
  func preprocessing(_ rule: Preprocessing, channels: Int) -> Preprocessing? {
    let means = zip(factors, summands).map { $1 == 0 ? 0 : -$1 / $0 }
    var rule = rule
    if channels == factors.count {
      (rule.scale, rule.mean) = (factors, means)
    } else if Set(factors).count == 1, Set(means).count == 1 {
      rule.scale = Array(repeating: factors[0], count: channels)
      rule.mean = Array(repeating: means[0], count: channels)
    } else {
      return nil
    }
    return rule
  }
}

extension ConfigurationTranslation {
  /// A `Rescaling` or `Normalization` of the input, whose numbers are in the configuration.
  mutating func takeInputScaling(_ layer: ModelConfiguration.Layer) throws(FileError) {
    func numbers(_ key: String, otherwise: Double?) throws(FileError) -> [Double] {
      guard let value = layer[key] else {
        if let otherwise { return [otherwise, otherwise, otherwise] }
        throw refusal(layer, key, seen: nil, allowed: "numbers; statistics among the weights are not read")
      }
      let numbers = value.flatNumbers
      guard let first = numbers.first, numbers.allSatisfy(\.isFinite) else {
        throw refusal(layer, key, seen: value, allowed: "a number, or one for each of 3 channels")
      }
      if numbers.count == 1 { return [first, first, first] }
      guard numbers.count == 3 else {
        throw refusal(layer, key, seen: value, allowed: "a number, or one for each of 3 channels")
      }
      return numbers
    }
    var (factors, summands): ([Double], [Double])
    if layer.className == "Rescaling" {
      factors = try numbers("scale", otherwise: nil)
      summands = try numbers("offset", otherwise: 0)
    } else {
      guard layer["invert"]?.bool != true else {
        throw refusal(layer, "invert", seen: layer["invert"], allowed: "false")
      }
      let mean = try numbers("mean", otherwise: nil)
      // Keras divides by at least its epsilon.
      factors = try numbers("variance", otherwise: nil).map { 1 / max($0.squareRoot(), 1e-7) }
      summands = zip(mean, factors).map { -$0 * $1 }
    }
    guard factors.allSatisfy({ $0 != 0 && $0.isFinite }), summands.allSatisfy(\.isFinite) else {
      throw refusal(layer, "scale", seen: layer["scale", "variance"], allowed: "numbers other than 0")
    }
    let before = inputScaling ?? InputScaling(factors: [1, 1, 1], summands: [0, 0, 0], names: [])
    summands = zip(zip(before.summands, factors), summands).map { $0.0 * $0.1 + $1 }
    factors = zip(before.factors, factors).map(*)
    inputScaling = InputScaling(factors: factors, summands: summands, names: before.names + [layer.name])
  }
}

extension JSONValue {
  /// The numbers of a value or of nested arrays; one that is none is NaN.
  fileprivate var flatNumbers: [Double] {
    if let members = array { return members.flatMap(\.flatNumbers) }
    return [number ?? .nan]
  }
}
