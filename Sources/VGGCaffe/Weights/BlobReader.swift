internal import VGGBytes
internal import VGGHDF5
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Turns the blobs of one layer into its weight and bias, checked against the layer's own settings.
struct BlobReader {
  let layer: CaffeLayer
  let file: CaffeFile
  let snapshot: HDF5File?
  let scratchFolder: String
  /// What the blobs hold that no model needs.
  private(set) var dropped: [Provenance.DroppedTensor] = []

  init(_ layer: CaffeLayer, of file: CaffeFile, snapshot: HDF5File?, scratchFolder: String) {
    self.layer = layer
    self.file = file
    self.snapshot = snapshot
    self.scratchFolder = scratchFolder
  }

  /// The shape that the layer's first blob declares.
  func declaredShape() throws(FileError) -> [Int]? {
    guard let first = layer.blobs.first else { return nil }
    return try blob(first, 0).shape
  }

  /// A convolution: a kernel [out, in, rows, columns] and a bias.
  mutating func convolution(_ settings: ConvolutionSettings?) throws(FileError) -> FoundNetwork.WeightedLayer
  {
    let blobs = try weightAndBias(hasBias: settings?.hasBias)
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
      bias: blobs.count > 1 ? try vector(blobs[1], 1, count: shape[0]) : nil, convolution: description)
  }

  /// A dense layer: a weight [out, in] and a bias.
  ///
  /// Old files have the shape [1, 1, out, in]; dense layers that were made into convolutions or back have
  /// [out, in, 1, 1] or [out, channels, rows, columns]. The values are the same in the same order.
  mutating func dense(_ settings: InnerProductSettings?) throws(FileError) -> FoundNetwork.WeightedLayer {
    let blobs = try weightAndBias(hasBias: settings?.hasBias)
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
      bias: blobs.count > 1 ? try vector(blobs[1], 1, count: outputs) : nil)
  }

  /// A batch normalisation: sums of means and of variances, and the number that both are to be divided by.
  mutating func batchNormalization(_ settings: BatchNormalizationSettings?, channels: Int) throws(FileError)
    -> BatchNormalization
  {
    let parts = "3: mean, variance, and what both are divided by"
    guard layer.blobs.isEmpty || layer.blobs.count == 3 else {
      throw file.unsupported(
        "blobs", "has a batch normalisation of a fork, whose blobs mean something else in each fork",
        at: layer.offset, place: layer.place, seen: "\(layer.blobs.count) blobs", allowed: parts,
        advice: "save it with BVLC's Caffe, as BatchNorm and Scale")
    }
    let blobs = try blobs(3...3, of: parts)
    var normalization = BatchNormalization(
      name: layer.name, gamma: nil, beta: nil, mean: try vector(blobs[0], 0, count: channels),
      spread: try vector(blobs[1], 1, count: channels),
      epsilon: Double(settings?.epsilon ?? BatchNormalizationSettings.standardEpsilon))
    normalization.statisticsDivisor = try vector(blobs[2], 2, count: 1)
    return normalization
  }

  /// A factor for each channel, and a summand where there is one.
  mutating func scale(_ settings: ScaleSettings?, channels: Int) throws(FileError) -> (
    gamma: SourceTensor, beta: SourceTensor?
  ) {
    let blobs = try blobs(
      settings.map { $0.hasBias ? 2...2 : 1...1 } ?? 1...2,
      of: settings?.hasBias == false ? "1: factors, as bias_term is false" : "2: factors and summands")
    return (
      try vector(blobs[0], 0, count: channels),
      blobs.count > 1 ? try vector(blobs[1], 1, count: channels) : nil
    )
  }

  private mutating func weightAndBias(hasBias: Bool?) throws(FileError) -> [any Blob] {
    try blobs(
      hasBias.map { $0 ? 2...2 : 1...1 } ?? 1...2,
      of: hasBias == false ? "1: a weight, as bias_term is false" : "2: a weight and a bias")
  }

  private mutating func blobs(_ count: ClosedRange<Int>, of allowed: String) throws(FileError) -> [any Blob] {
    guard !layer.blobs.isEmpty else {
      throw file.unsupported(
        "noweights", "has a layer without its weights", at: layer.offset, place: layer.place,
        seen: "no blobs", allowed: allowed,
        advice: "the weights are in a .caffemodel; this may be a network's description only")
    }
    guard count.contains(layer.blobs.count) else {
      throw file.malformed(
        "blobs", "has the wrong number of blobs", at: layer.offset, place: layer.place,
        seen: "\(layer.blobs.count)", allowed: allowed,
        advice: layer.blobs.count == 4 && count.upperBound == 2
          ? "if the last two are masks of pruned weights, multiply the weights by them first" : nil)
    }
    var blobs: [any Blob] = []
    for (index, place) in layer.blobs.enumerated() {
      let blob = try blob(place, index)
      if blob.hasDifferences {
        dropped.append(
          Provenance.DroppedTensor(
            "\(layer.blobName(index))/diff", because: "gradients, needed only to go on training"))
      }
      blobs.append(blob)
    }
    return blobs
  }

  private func blob(_ place: BlobPlace, _ index: Int) throws(FileError) -> any Blob {
    let name = "\(layer.place), blob \(index)"
    switch place {
    case .message(let range): return try BlobMessage(range, of: file, place: name)
    case .dataset(let path):
      guard let snapshot, let dataset = snapshot.root.dataset(path) else {
        // Names may be such that no path leads to them.
        throw file.malformed("snapshot.path", "has a data set that cannot be reached", place: path)
      }
      return BlobDataset(dataset, of: snapshot, in: file, place: name)
    }
  }

  /// As many values as channels, whatever axes of length 1 are around them.
  private func vector(_ blob: any Blob, _ index: Int, count: Int) throws(FileError) -> SourceTensor {
    let shape = try blob.checkedShape()
    guard shape.filter({ $0 != 1 }) == [count].filter({ $0 != 1 }), !shape.isEmpty else {
      throw shapeError(blob, index, allowed: "[\(count)]")
    }
    return try tensor(blob, index, shape: [count], layout: .vector)
  }

  private func tensor(_ blob: any Blob, _ index: Int, shape: [Int], layout: SourceLayout) throws(FileError)
    -> SourceTensor
  {
    try blob.tensor(
      name: layer.blobName(index), shape: shape, layout: layout, scratchFolder: scratchFolder)
  }

  private func shapeError(_ blob: any Blob, _ index: Int, allowed: String) -> FileError {
    file.malformed(
      "blob.shape", "has a blob of the wrong shape", at: blob.shapeOffset,
      place: "\(layer.place), blob \(index)", seen: "\(blob.shape)", allowed: allowed)
  }
}
