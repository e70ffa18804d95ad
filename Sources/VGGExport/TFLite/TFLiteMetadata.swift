internal import JSONKit
internal import VGGInterchange
internal import VGGModel
internal import VGGTensors

/// What a TFLite file says besides its operators.
enum TFLiteMetadata {
  /// A text as fields of 16 bytes have it.
  static func padded(_ text: String) -> [UInt8] {
    Array(text.utf8) + Array(repeating: 0, count: max(0, 16 - text.utf8.count))
  }

  /// What the model is and takes, for people.
  static func description(of model: Model) -> String {
    guard let rule = model.preprocessing else { return model.network.title }
    return "\(model.network.title); input: \(rule.summary)"
  }

  /// What the schema has no place for, as JSON.
  static func own(_ model: Model, keepsCodes: Bool) -> [UInt8] {
    var metadata = ModelMetadata(model, keepsCodes: keepsCodes)
    metadata.normalization = model.network.normalization
    for layer in model.network.layers {
      if case .pooling(let pooling) = layer.operation, !pooling.isGlobal {
        metadata.poolingRounding[layer.name] = pooling.rounding
      }
      if layer.tensorRequirements.count == 1 { metadata.layersWithoutBias.insert(layer.name) }
      if model.tensor(layer.weightName)?.quantization?.grouping == .tensor {
        metadata.singleScales.insert(layer.name)
      }
    }
    return Array(JSONValue.object(metadata.members).compact.utf8)
  }

  /// Where each tensor is in the memory of TensorFlow Lite Micro: maps at the two ends in turn, so that the one that a layer reads
  /// and the one that it writes never meet, and there is no more memory than the largest two neighbours need.
  ///
  /// - Parameters:
  ///   - chain: The maps in the order of their computation.
  ///   - byteCounts: The length of each tensor; nil for those that lie in the file.
  static func memoryPlan(chain: [Int], byteCounts: [Int?]) -> [UInt8] {
    func aligned(_ count: Int) -> Int { (count + 15) & ~15 }
    let lengths = chain.map { aligned(byteCounts[$0] ?? 0) }
    let end = zip(lengths, lengths.dropFirst()).map(+).max() ?? lengths.first ?? 0
    var offsets = Array(repeating: Int32(-1), count: byteCounts.count)
    for (index, tensor) in chain.enumerated() {
      offsets[tensor] = index % 2 == 0 ? 0 : Int32(end - lengths[index])
    }
    let words = [1, 0, Int32(offsets.count)] + offsets
    return words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
  }
}
