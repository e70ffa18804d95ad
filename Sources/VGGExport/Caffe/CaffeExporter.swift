public import VGGBytes
public import VGGModel
internal import VGGProtobuf
internal import VGGTensors

/// Describes networks for Caffe: a `.caffemodel` with weights and layers, and a `.prototxt` with the layers as text.
public enum CaffeExporter {
  /// Protobuf's own limit for a file.
  static let largestFile = Int(Int32.max)

  /// A model in the form that Caffe has written since 2015, with the names of the published VGG models.
  ///
  /// Kernels are [output, input, row, column], and dense weights [output, input], the inputs of fc6 in the order channel, row,
  /// column. Numbers are float32. The order of the channels of pictures is the model's.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - file: The path that the weights are to have, for errors.
  /// - Throws: `unsupported` where the weights are too many for protobuf, or a layer is none that Caffe has.
  public static func export(_ model: Model, file: String) throws(FileError) -> Export {
    for layer in model.network.layers {
      guard case .normalization(let constants) = layer.operation, constants.region == .withinChannel,
        constants.k != 1
      else { continue }
      throw FileError(
        .unsupported, code: "caffe.write.layer", file: file, "cannot be written as a Caffe network",
        place: "layer \(layer.name)", seen: "a constant of \(constants.k) within a channel",
        allowed: "1, which Caffe's layer has")
    }
    let weights = CaffeNetwork(model, purpose: .weights).message.encoded.content
    guard weights.byteCount <= largestFile else {
      throw FileError(
        .unsupported, code: "caffe.write.size", file: file, "would be larger than protobuf allows",
        seen: "\(weights.byteCount) bytes", allowed: "\(largestFile)")
    }
    let description = CaffeNetwork(model, purpose: .description)
    return Export(
      files: [
        ExportedFile(weights),
        ExportedFile(
          suffix: ".prototxt", FileContent([.bytes(Array(description.message.text().utf8))])),
      ], losses: losses(of: model))
  }

  private static func losses(of model: Model) -> [ExportLoss] {
    var losses = model.lossesAsFloat32
    let network = model.network
    if let preprocessing = model.preprocessing, CaffeNetwork.transformation(preprocessing, network) == nil {
      losses.append(.preprocessing)
    }
    if !model.labels.isEmpty { losses.append(.labels) }
    losses.append(.provenance)
    if network.inputExtent == nil {
      losses.append(
        .other(
          "says an input of \(CaffeNetwork.usualExtent) in the prototxt, which may be changed there: "
            + "the model takes any"))
    }
    let rounded = network.layers.indices.filter(network.roundsOtherwise).map { network.layers[$0].name }
    if !rounded.isEmpty {
      losses.append(
        .other(
          "says 'round_mode: FLOOR' of \(rounded.joined(separator: ", ")), which Caffe 1.0 and older do not know: "
            + "they round up there"))
    }
    for layer in network.layers {
      guard case .normalization(let constants) = layer.operation,
        Double(Float(constants.caffeAlpha)) / Double(constants.elementCount) != constants.scale
          || Double(Float(constants.beta)) != constants.beta || Double(Float(constants.k)) != constants.k
      else { continue }
      losses.append(.other("holds the constants of \(layer.name) as float32"))
    }
    return losses
  }
}

extension LocalResponseNormalization {
  /// The number of elements that squares are summed over.
  var elementCount: Int { region == .acrossChannels ? size : size * size }

  /// The factor in Caffe's terms, which divides it by the number of elements.
  var caffeAlpha: Double { scale * Double(elementCount) }
}

extension Network {
  /// Whether a layer is a pooling that rounds down where Caffe, which rounds up, would have more windows.
  func roundsOtherwise(_ index: Int) -> Bool {
    guard case .pooling(var pooling) = layers[index].operation, pooling.rounding == .floor, !pooling.isGlobal
    else { return false }
    let extent = inputExtent ?? CaffeNetwork.usualExtent
    guard let shapes = try? outputShapes(for: extent) else { return true }
    pooling.rounding = .ceiling
    let input = index > 0 ? shapes[index - 1] : FeatureShape(extent: extent, channels: inputChannels)
    let layer = Layer(name: layers[index].name, operation: .pooling(pooling))
    return (try? layer.outputShape(for: input)) != shapes[index]
  }
}
