internal import VGGBytes
internal import VGGHDF5
internal import VGGModel

/// Reads the form of Keras 1 and 2, which Keras 3 still writes as "legacy": a group for each layer, with the order of the
/// layers in the attribute `layer_names` and that of a layer's weights in `weight_names`.
struct LegacyReader {
  let reading: FileReading
  private(set) var decisions: [Provenance.Decision] = []

  init(_ file: KerasFile) { reading = FileReading(file) }

  /// The layers of a group, in the order of the network.
  mutating func layers(of group: HDF5Group) throws(FileError) -> [KerasLayer] {
    var layers: [KerasLayer] = []
    var seen: Set<String> = []
    for name in try reading.names("layer_names", of: group) {
      guard seen.insert(name).inserted else {
        throw FileError(
          .malformed, code: "keras.twice", file: reading.file, "names a layer twice",
          place: "attribute layer_names", seen: name)
      }
      guard !LayerName.isForeignKernel(name) else {
        throw LayerName.foreignKernel(name, file: reading.file)
      }
      let own = try reading.group(name, in: group)
      var weights: [KerasWeight] = []
      for weight in try reading.names("weight_names", of: own) {
        weights.append(try reading.weight(weight, in: own))
      }
      layers += split(KerasLayer(name: name, weights: weights))
    }
    return layers
  }

  /// The layers of a model that is used as a layer: its group lists the weights of all of them.
  private mutating func split(_ layer: KerasLayer) -> [KerasLayer] {
    guard layer.weights.count(where: \.isKernel) > 1 else { return [layer] }
    var inner = byName(layer) ?? KerasLayer.layers(of: layer.weights)
    for index in inner.indices { inner[index].model = layer.name }
    guard let inOrder = withoutFreezing(inner) else { return inner }
    decisions.append(
      Provenance.Decision(
        .layerOrderByName,
        because: "the names in \(layer.name) are two ascending sequences: Keras lists frozen layers last"))
    return inOrder
  }

  /// Weights that share everything but the last part of their names are a layer's; nil where the names do not tell.
  private func byName(_ layer: KerasLayer) -> [KerasLayer]? {
    var layers: [KerasLayer] = []
    var indices: [Substring: Int] = [:]
    for weight in layer.weights {
      guard let slash = weight.name.lastIndex(of: "/") else { return nil }
      let prefix = weight.name[..<slash]
      if let index = indices[prefix] {
        layers[index].weights.append(weight)
      } else {
        indices[prefix] = layers.count
        layers.append(
          KerasLayer(name: String(prefix.split(separator: "/").last ?? prefix), weights: [weight]))
      }
    }
    return layers.allSatisfy { $0.weights.count(where: \.isKernel) <= 1 } ? layers : nil
  }

  /// The order of the network, where frozen convolutions were moved behind the others; nil where none were.
  ///
  /// Keras numbers layers in ascending order, so that the trained ones ascend and behind them the frozen ones. As many
  /// normalisations as convolutions belong to these in their own ascending order.
  private func withoutFreezing(_ layers: [KerasLayer]) -> [KerasLayer]? {
    let convolutions = layers.filter { $0.weights.first?.shape.count == 4 }
    let normalizations = layers.filter(\.isNormalization)
    guard normalizations.isEmpty || normalizations.count == convolutions.count,
      let sorted = inOrderOfNames(convolutions), let sortedNormalizations = inOrderOfNames(normalizations),
      sorted.isMoved || sortedNormalizations.isMoved
    else { return nil }
    let others = layers.filter { $0.weights.first?.shape.count != 4 && !$0.isNormalization }
    var result: [KerasLayer] = []
    for (index, convolution) in sorted.layers.enumerated() {
      result.append(convolution)
      if !normalizations.isEmpty { result.append(sortedNormalizations.layers[index]) }
    }
    return result + others
  }

  /// Layers whose names differ only in their numbers, in that order; nil where the names do not tell.
  private func inOrderOfNames(_ layers: [KerasLayer]) -> (layers: [KerasLayer], isMoved: Bool)? {
    let names = layers.map { NaturalName($0.name) }
    let descents = zip(names, names.dropFirst()).count { $1 < $0 }
    guard descents <= 1, Set(names.map(\.stem)).count <= 1 else { return nil }
    return (layers.sorted { NaturalName($0.name) < NaturalName($1.name) }, descents == 1)
  }
}

/// A name in whose order numbers count as numbers: `conv2d_9` comes before `conv2d_10`.
struct NaturalName: Comparable {
  private let parts: [String]
  private let numbers: [Int]

  init(_ name: String) {
    var parts: [String] = [""]
    var numbers: [Int] = []
    var digits = ""
    for character in name + "\0" {
      if character.isASCII, character.isNumber {
        digits.append(character)
        continue
      }
      if !digits.isEmpty {
        numbers.append(Int(digits) ?? .max)
        parts.append("")
        digits = ""
      }
      if character != "\0" { parts[parts.count - 1].append(character) }
    }
    self.parts = parts
    self.numbers = numbers
  }

  /// The name without its numbers; `conv2d` and `conv2d_1` have the same.
  var stem: [String] {
    var stem = parts
    if stem.count > 1, stem.last == "" { stem.removeLast() }
    if let last = stem.last, last.hasSuffix("_") { stem[stem.count - 1].removeLast() }
    return stem
  }

  static func < (left: NaturalName, right: NaturalName) -> Bool {
    for (index, (a, b)) in zip(left.parts, right.parts).enumerated() {
      if a != b { return a < b }
      guard index < left.numbers.count, index < right.numbers.count else { break }
      if left.numbers[index] != right.numbers[index] { return left.numbers[index] < right.numbers[index] }
    }
    return left.parts.count < right.parts.count
  }
}
