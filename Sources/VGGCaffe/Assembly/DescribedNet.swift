internal import VGGBytes
internal import VGGModel

/// A network whose layers a prototxt describes and whose weights another file holds, matched by name.
///
/// The prototxt decides, as in Caffe; what the weights file says itself must agree with it.
struct DescribedNet {
  private(set) var net: CaffeNet
  /// What the prototxt has no use for.
  private(set) var dropped: [Provenance.DroppedTensor] = []

  private let file: CaffeFile
  private let prototxt: CaffeFile

  /// Puts the two together.
  init(
    weights: CaffeNet, in file: CaffeFile, description: CaffeNet, in prototxt: CaffeFile
  ) throws(FileError) {
    self.file = file
    self.prototxt = prototxt
    net = description
    net.generation = weights.generation
    net.snapshot = weights.snapshot
    net.transformation = description.transformation ?? weights.transformation
    try requireSameInput(weights, description)
    net.inputShape = description.inputShape ?? weights.inputShape
    try requireSameNormalization(weights, description)
    for index in net.layers.indices {
      net.layers[index].prototxt = prototxt.path
      let layer = net.layers[index]
      guard layer.isUsedForTesting,
        // Of several layers of one name Caffe's loader leaves the last one's weights in place.
        let own = weights.layers.last(where: { $0.name == layer.name && $0.isUsedForTesting })
      else { continue }
      net.layers[index].operation = try merged(own, layer)
      net.layers[index].blobs = own.blobs
      net.layers[index].offset = own.offset
      net.layers[index].prototxt = nil
    }
    let used = Set(net.layers.flatMap(\.blobs))
    for layer in weights.layers {
      for (index, blob) in layer.blobs.enumerated() where !used.contains(blob) {
        dropped.append(
          Provenance.DroppedTensor(
            layer.blobName(index), because: "the prototxt has no layer of this name for it"))
      }
    }
  }

  /// What both say of a layer.
  private func merged(_ own: CaffeLayer, _ described: CaffeLayer) throws(FileError) -> CaffeLayer.Operation {
    switch (own.operation, described.operation) {
    case (.undescribed, _): return described.operation
    case (.input, _), (.data, _), (.training, _), (_, .input), (_, .data), (_, .training):
      return described.operation
    case (.convolution(let settings), .convolution(let given)):
      try require(settings == nil || given == nil || settings == given, own, settings, given)
      return .convolution(given ?? settings)
    case (.innerProduct(let settings), .innerProduct(let given)):
      try require(settings == nil || given == nil || settings == given, own, settings, given)
      return .innerProduct(given ?? settings)
    case (.batchNormalization(let settings), .batchNormalization(let given)):
      // Files saved in training say where the statistics come from, too; what counts is the prototxt.
      try require(
        settings == nil || given == nil || settings?.epsilon == given?.epsilon, own, settings, given)
      return .batchNormalization(given ?? settings)
    case (.scale(let settings), .scale(let given)):
      try require(settings == nil || given == nil || settings == given, own, settings, given)
      return .scale(given ?? settings)
    case (.power(let settings), .power(let given)):
      try require(settings == given, own, settings, given)
      return .power(given)
    case (.pooling(let settings), .pooling(let given)):
      // How a file says the rounding differs between forks, how a prototxt says it does not.
      var rounded = settings
      rounded.rounding = given.rounding
      try require(rounded == given, own, settings, given)
      return .pooling(given)
    case (.normalization(let settings), .normalization(let given)):
      var complete = settings
      complete.k = settings.k ?? given.k
      var expected = given
      expected.k = given.k ?? settings.k
      try require(complete == expected, own, settings, given)
      return .normalization(complete)
    default:
      guard own.type == described.type else {
        throw contradiction(own, "\(own.type)", "\(described.type)")
      }
      return described.operation
    }
  }

  private func requireSameInput(_ weights: CaffeNet, _ description: CaffeNet) throws(FileError) {
    guard let own = weights.inputShape, let given = description.inputShape,
      own.dropFirst() != given.dropFirst()  // the number of pictures does not matter
    else { return }
    throw contradiction(nil, "an input of \(own)", "\(given)")
  }

  /// Normalisation layers may have any name, so it is their number that is compared.
  private func requireSameNormalization(_ weights: CaffeNet, _ description: CaffeNet) throws(FileError) {
    func count(_ net: CaffeNet) -> Int {
      net.layers.filter { if case .normalization = $0.operation { true } else { false } }.count
    }
    guard weights.hasStructure, count(weights) != count(description) else { return }
    throw contradiction(nil, "\(count(weights)) LRN layers", "\(count(description))")
  }

  /// Says in which words two settings differ.
  private func require(_ agrees: Bool, _ layer: CaffeLayer, _ own: (any Worded)?, _ given: (any Worded)?)
    throws(FileError)
  {
    guard !agrees, let own, let given else { return }
    let differing = zip(own.wordsByPart, given.wordsByPart).filter { $0 != $1 }
    throw contradiction(
      layer, differing.map(\.0).joined(separator: ", "), differing.map(\.1).joined(separator: ", "))
  }

  private func contradiction(_ layer: CaffeLayer?, _ own: String, _ given: String) -> FileError {
    file.unsupported(
      "prototxt.contradiction", "contradicts the prototxt", at: layer?.offset, place: layer?.place, seen: own,
      allowed: "\(given), as \(prototxt.path) says", advice: "use the prototxt that belongs to the weights")
  }
}
