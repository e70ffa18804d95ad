internal import VGGModel

/// Turns the blobs of one layer into its weight and bias, checked against the layer's own settings.
struct BlobReader {
  let layer: CaffeLayer
  let file: CaffeFile
  let scratchFolder: String
  /// What the blobs hold that no model needs.
  private(set) var dropped: [Provenance.DroppedTensor] = []

  init(_ layer: CaffeLayer, of file: CaffeFile, scratchFolder: String) {
    self.layer = layer
    self.file = file
    self.scratchFolder = scratchFolder
  }

  /// A convolution: a kernel [out, in, rows, columns] and a bias.
  mutating func convolution(_ settings: ConvolutionSettings?) throws(FileError) -> FoundNetwork.WeightedLayer
  {
    if let settings, settings.groups != 1 {
      throw file.unsupported(
        "layer.settings", "has a group that no VGG has", at: layer.offset, place: layer.place,
        seen: "\(settings.groups)", allowed: "1")
    }
    let blobs = try blobs(hasBias: settings?.hasBias)
    let shape = try blobs[0].checkedShape()
    guard shape.count == 4 else { throw shapeError(blobs[0], 0, allowed: "[out, in, rows, columns]") }
    var description = Convolution(
      kernel: Extent(height: shape[2], width: shape[3]), inputChannels: shape[1], outputChannels: shape[0])
    if let settings {
      let expected = [settings.outputs, shape[1], settings.kernel.height, settings.kernel.width]
      guard shape == expected else {
        throw shapeError(blobs[0], 0, allowed: "\(expected), as the layer's settings say")
      }
      description.stride = settings.stride
      description.padding = settings.padding
      description.dilation = settings.dilation
    }
    return FoundNetwork.WeightedLayer(
      name: layer.name, weight: try tensor(blobs[0], 0, shape: shape, layout: .oihw),
      bias: blobs.count > 1 ? try bias(blobs[1], outputs: shape[0]) : nil, convolution: description)
  }

  /// A dense layer: a weight [out, in] and a bias.
  ///
  /// Old files have the shape [1, 1, out, in]; dense layers that were made into convolutions or back have
  /// [out, in, 1, 1] or [out, channels, rows, columns]. The values are the same in the same order.
  mutating func dense(_ settings: InnerProductSettings?) throws(FileError) -> FoundNetwork.WeightedLayer {
    let blobs = try blobs(hasBias: settings?.hasBias)
    let shape = try blobs[0].checkedShape()
    let isTransposed = settings?.isTransposed ?? false
    let matrix: [Int]
    switch shape.count {
    case 2: matrix = shape
    case 4 where shape[0] == 1 && shape[1] == 1 && (isTransposed || settings?.outputs != 1):
      matrix = [shape[2], shape[3]]
    // The product of all is the number of values that are there, so this cannot overflow.
    case 4 where !isTransposed: matrix = [shape[0], shape[1] * shape[2] * shape[3]]
    default: throw shapeError(blobs[0], 0, allowed: "[out, in], [1, 1, out, in] or [out, in, 1, 1]")
    }
    let outputs = matrix[isTransposed ? 1 : 0]
    if let settings, settings.outputs != outputs {
      throw shapeError(
        blobs[0], 0, allowed: "\(settings.outputs) outputs, as the layer's settings say")
    }
    return FoundNetwork.WeightedLayer(
      name: layer.name,
      weight: try tensor(blobs[0], 0, shape: matrix, layout: isTransposed ? .inOut : .outIn),
      bias: blobs.count > 1 ? try bias(blobs[1], outputs: outputs) : nil)
  }

  private mutating func blobs(hasBias: Bool?) throws(FileError) -> [Blob] {
    guard !layer.blobs.isEmpty else {
      throw file.unsupported(
        "noweights", "has a layer without its weights", at: layer.offset, place: layer.place,
        seen: "no blobs", allowed: "a weight and a bias",
        advice: "the weights are in a .caffemodel; this may be a network's description only")
    }
    let allowed = hasBias.map { $0 ? 2...2 : 1...1 } ?? 1...2
    guard allowed.contains(layer.blobs.count) else {
      throw file.malformed(
        "blobs", "has another number of blobs than it needs", at: layer.offset, place: layer.place,
        seen: "\(layer.blobs.count)",
        allowed: hasBias == false ? "1: a weight, as bias_term is false" : "2: a weight and a bias")
    }
    var blobs: [Blob] = []
    for (index, message) in layer.blobs.enumerated() {
      let blob = try Blob(message, of: file, place: "\(layer.place), blob \(index)")
      if blob.hasDifferences {
        dropped.append(
          Provenance.DroppedTensor(
            "\(layer.blobName(index))/diff", because: "gradients, needed only to go on training"))
      }
      blobs.append(blob)
    }
    return blobs
  }

  /// The bias: as many values as outputs, whatever axes of length 1 are around them.
  private func bias(_ blob: Blob, outputs: Int) throws(FileError) -> SourceTensor {
    let shape = try blob.checkedShape()
    guard shape.filter({ $0 != 1 }) == [outputs].filter({ $0 != 1 }), !shape.isEmpty else {
      throw shapeError(blob, 1, allowed: "[\(outputs)]")
    }
    return try tensor(blob, 1, shape: [outputs], layout: .vector)
  }

  private func tensor(_ blob: Blob, _ index: Int, shape: [Int], layout: SourceLayout) throws(FileError)
    -> SourceTensor
  {
    try blob.tensor(
      name: layer.blobName(index), shape: shape, layout: layout, scratchFolder: scratchFolder)
  }

  private func shapeError(_ blob: Blob, _ index: Int, allowed: String) -> FileError {
    file.malformed(
      "blob.shape", "has a blob of the wrong shape", at: blob.shapeOffset,
      place: "\(layer.place), blob \(index)", seen: "\(blob.shape)", allowed: allowed)
  }
}
