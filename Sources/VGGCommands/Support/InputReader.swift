internal import VGGEngine
internal import VGGInterchange
internal import VGGModel
internal import VGGPictures

/// Reads what a model is run on: pictures, which are preprocessed as the model says, or preprocessed arrays.
struct InputReader {
  let model: Model
  /// Whether the axes of arrays are [N, C, H, W] instead of [N, H, W, C].
  let isChannelsFirst: Bool
  /// The shorter side of pictures that are taken whole instead of cut to the model's extent.
  var wholeSide: Int?

  /// Reads a file; its content says what it is.
  func read(_ path: String) throws -> FeatureMap {
    let file = try MappedFile(path: path)
    switch FileKind(of: file.bytes) {
    case .picture: return try picture(file)
    case .npy: return try batch(try NumericArray(npy: file.bytes, file: path), path)
    case .zip:
      let archive = try NumPyArchive(file, scratchFolder: scratchFolder)
      guard let array = try archive.array("input") else {
        throw FileError(
          .malformed, code: "input.array", file: path, "has no array named input",
          seen: archive.names.joined(separator: ", "), allowed: "input")
      }
      return try batch(array, path)
    default:
      throw FileError(
        .unsupported, code: "input.kind", file: path, "is no input",
        allowed: "PNG, JPEG and PPM pictures, .npy, .npz")
    }
  }

  /// Reads labelled pictures: `images` is [N, H, W, C] or [N, H, W], uint8 or float32.
  ///
  /// Bytes are pixels and are preprocessed; floats are preprocessed already.
  func labelledBatches(_ path: String, batchSize: Int) throws -> (
    count: Int, labels: [Int], batch: (Range<Int>) throws -> FeatureMap
  ) {
    let archive = try NumPyArchive(try MappedFile(path: path), scratchFolder: scratchFolder)
    guard let images = try archive.array("images") ?? archive.array("images_64x64"),
      let labels = try archive.array("labels")
    else {
      throw FileError(
        .malformed, code: "data.arrays", file: path, "is no labelled data",
        seen: archive.names.joined(separator: ", "),
        allowed: "arrays images and labels")
    }
    let (shape, count) = (images.shape, images.shape.first ?? 0)
    guard count > 0, shape.count == 3 || shape.count == 4, labels.shape == [count] else {
      throw FileError(
        .malformed, code: "data.shape", file: path, "has arrays that do not belong together",
        seen: "images \(shape), labels \(labels.shape)", allowed: "[N, H, W, C] and [N]")
    }
    let extent = Extent(height: shape[1], width: shape[2])
    let sourceChannels = shape.count == 4 ? shape[3] : 1
    let channels = model.network.inputChannels
    guard sourceChannels == channels || sourceChannels == 1 else {
      throw FileError(
        .malformed, code: "data.channels", file: path, "has pictures of the wrong number of channels",
        seen: "\(sourceChannels)", allowed: "\(channels), or 1 for grey ones")
    }
    let pictureCount = extent.height * extent.width * sourceChannels
    let preprocessing = images.isInteger ? try requiredPreprocessing(path) : nil
    let values = try images.values()
    func batch(_ range: Range<Int>) throws -> FeatureMap {
      var pixels: [Float] = []
      pixels.reserveCapacity(range.count * extent.height * extent.width * channels)
      for index in range.lowerBound * pictureCount..<range.upperBound * pictureCount {
        if sourceChannels == channels {
          pixels.append(preprocessed(values[index], channel: index % channels, by: preprocessing))
        } else {
          for channel in 0..<channels {
            pixels.append(preprocessed(values[index], channel: channel, by: preprocessing))
          }
        }
      }
      return try FeatureMap(
        count: range.count, shape: FeatureShape(extent: extent, channels: channels), values: pixels)
    }
    return (count, try labels.integers(), batch)
  }

  /// The same for a file that holds labelled pictures; nil for any other one.
  func labelledBatchesIfAny(_ path: String, batchSize: Int) throws -> (
    count: Int, labels: [Int], batch: (Range<Int>) throws -> FeatureMap
  )? {
    let file = try MappedFile(path: path)
    guard FileKind(of: file.bytes) == .zip else { return nil }
    let names = try NumPyArchive(file).names
    guard !names.contains("input"), names.contains("labels") else { return nil }
    return try labelledBatches(path, batchSize: batchSize)
  }

  private func preprocessed(_ pixel: Float, channel: Int, by preprocessing: Preprocessing?) -> Float {
    guard let preprocessing else { return pixel }
    return Float((Double(pixel) - preprocessing.mean[channel]) * preprocessing.scale[channel])
  }

  private func requiredPreprocessing(_ path: String) throws(FileError) -> Preprocessing {
    guard let preprocessing = model.preprocessing else {
      throw FileError(
        .unsupported, code: "input.preprocessing", file: path,
        "cannot be preprocessed: the model does not say how",
        advice: "give an array of preprocessed float32 values")
    }
    guard preprocessing.mean.count == model.network.inputChannels else {
      throw FileError(
        .unsupported, code: "input.channels", file: path, "cannot be preprocessed for this model",
        seen: "\(preprocessing.mean.count) channels in the model's rule",
        allowed: "\(model.network.inputChannels), as its input has")
    }
    return preprocessing
  }

  private func picture(_ file: MappedFile) throws -> FeatureMap {
    let preprocessing = try requiredPreprocessing(file.path)
    let picture = try Picture(file)
    var extent = model.network.inputExtent ?? Extent(height: picture.height, width: picture.width)
    if let wholeSide {
      let shorter = min(picture.height, picture.width)
      extent = Extent(
        height: picture.height * wholeSide / shorter, width: picture.width * wholeSide / shorter)
      guard max(extent.height, extent.width) <= Network.largestInputSide else {
        throw FileError(
          .unsupported, code: "input.extent", file: file.path, "is too long and narrow to be taken whole",
          seen: "\(extent)", allowed: "sides of up to \(Network.largestInputSide)")
      }
    }
    return try FeatureMap(
      count: 1, shape: FeatureShape(extent: extent, channels: model.network.inputChannels),
      values: preprocessing.values(of: picture, extent: extent))
  }

  private func batch(_ array: NumericArray, _ path: String) throws -> FeatureMap {
    let shape = array.shape.count == 3 ? [1] + array.shape : array.shape
    let channelAxis = isChannelsFirst ? 1 : 3
    guard shape.count == 4, shape[channelAxis] == model.network.inputChannels else {
      throw FileError(
        .malformed, code: "input.shape", file: path, "is no batch of pictures for this model",
        seen: "\(array.shape)",
        allowed: isChannelsFirst
          ? "[N, \(model.network.inputChannels), H, W]" : "[N, H, W, \(model.network.inputChannels)]",
        advice: "--layout says which order the axes have")
    }
    guard isChannelsFirst else {
      return try FeatureMap(
        count: shape[0],
        shape: FeatureShape(extent: Extent(height: shape[1], width: shape[2]), channels: shape[3]),
        values: array.values())
    }
    let (channels, height, width) = (shape[1], shape[2], shape[3])
    let values = try array.values()
    var reordered: [Float] = []
    reordered.reserveCapacity(values.count)
    for picture in 0..<shape[0] {
      for pixel in 0..<height * width {
        for channel in 0..<channels {
          reordered.append(values[(picture * channels + channel) * height * width + pixel])
        }
      }
    }
    return try FeatureMap(
      count: shape[0], shape: FeatureShape(extent: Extent(height: height, width: width), channels: channels),
      values: reordered)
  }
}
