internal import CVGGRuntime
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

extension ModelSource {
  /// The source of a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - arithmetic: How it computes in integers.
  ///   - board: What the runtime is told of it.
  ///   - numbers: The model's numbers, with its digests.
  ///   - selfTest: The codes of an input, and the CRC-32 of what each layer makes of it.
  ///   - embedding: How the image becomes part of a program.
  init(
    _ model: Model, _ arithmetic: IntegerArithmetic, _ board: BoardModel, _ numbers: vggrt_model,
    selfTest: (input: [Int8], digests: [UInt32]), _ embedding: BoardOptions.Embedding
  ) {
    self.init(
      title: "\(model.network.title), int8, rounding \(arithmetic.rounding.rawValue)", layers: board.records,
      maps: board.maps, groups: board.groups, model: numbers, input: arithmetic.input,
      output: arithmetic.outputs.last ?? arithmetic.input, selfTestInput: selfTest.input,
      selfTestDigests: selfTest.digests, labels: model.labels, stackByteCount: board.layers.stackByteCount,
      embedding: embedding)
    notes = board.tableLines
    guard let preprocessing = model.preprocessing, preprocessing.mean.count == model.network.inputChannels
    else { return }
    // As `Preprocessing.values(of:extent:)` computes them.
    inputCodes = preprocessing.mean.indices.map { channel in
      arithmetic.input.codes(
        of: (0..<256).map { Float((Double($0) - preprocessing.mean[channel]) * preprocessing.scale[channel]) }
      )
    }
    notes.append("")
    notes.append("Channels of the input: \(preprocessing.channelOrder.rawValue).")
  }
}

extension BoardModel {
  /// A line for each layer, for people who read the source.
  fileprivate var tableLines: [String] {
    var lines = ["", "layer        output            weights  in the arena at  rows"]
    for (index, layer) in layers.enumerated() {
      let map = plan.maps[index + 1]
      let shape = "\(layer.output.extent.height)x\(layer.output.extent.width)x\(layer.output.channels)"
      lines.append(
        layer.name.padded(to: 13) + shape.padded(to: 12) + "\(layer.weightByteCount)".leftPadded(to: 13)
          + "\(map.offset)".leftPadded(to: 17) + "\(map.rows)".leftPadded(to: 6))
    }
    return lines
  }
}

extension String {
  fileprivate func padded(to count: Int) -> String {
    self + String(repeating: " ", count: max(1, count - self.count))
  }
  fileprivate func leftPadded(to count: Int) -> String {
    String(repeating: " ", count: max(1, count - self.count)) + self
  }
}
