internal import VGGBytes
internal import VGGModel
internal import VGGTensors

extension InputMeans.Layer {
  /// Whether a network has such a layer, and so many channels in front of it.
  func suits(_ network: Network) -> Bool {
    var channels = network.inputChannels
    for layer in network.layers {
      guard let outputs = layer.tensorRequirements.first?.shape.last else { continue }
      if layer.name == name {
        return channels == means.count && layer.tensorRequirements.count == 2 && means.allSatisfy(\.isFinite)
      }
      channels = outputs
    }
    return false
  }

  /// What rounding adds to the outputs of the layer on average, by these means: in float64, for each output row after row.
  func meanErrors(from before: DeclaredTensor, to after: DeclaredTensor) throws(FileError) -> [Double] {
    let outputs = before.original.shape.last ?? 1
    let rows = before.original.count / outputs
    let (old, new) = (before.values, after.values)
    let width = max(1, min(16, (1 << 18) / rows))
    let bands = (outputs + width - 1) / width
    let means = means
    return try Workers.current.map(bands) { (band) throws(FileError) -> [Double] in
      let columns = band * width..<min(outputs, (band + 1) * width)
      let tile = Tile(rows: 0..<rows, columns: columns)
      var (own, theirs) = ([Float](repeating: 0, count: tile.count), [Float](repeating: 0, count: tile.count))
      try own.read(tile, of: new, rowLength: outputs)
      try theirs.read(tile, of: old, rowLength: outputs)
      return columns.indices.map { column in
        var sum = 0.0
        var place = column - columns.lowerBound
        for row in 0..<rows {
          let error = Double(own[place]) - Double(theirs[place])
          sum += error * means[row % means.count]
          place += columns.count
        }
        return sum
      }
    }.flatMap(\.self)
  }
}

extension [Float] {
  /// Reads a tile of as many values as there are here.
  fileprivate mutating func read(
    _ tile: Tile, of values: any TensorValues, rowLength: Int
  ) throws(FileError) {
    var failure: FileError?
    withUnsafeMutableBufferPointer { buffer in
      guard let first = buffer.baseAddress else { return }
      do throws(FileError) {
        try values.read(tile, rowLength: rowLength, into: first, rowStride: tile.columns.count)
      } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
