internal import VGGBytes
internal import VGGConv
internal import VGGEngine
internal import VGGInterchange
internal import VGGModel
internal import VGGPictures
internal import VGGTensors

/// Reads what a model is run on: pictures, which are preprocessed as the model says, or preprocessed arrays.
struct InputReader {
  let model: Model
  /// Whether the axes of arrays are [N, C, H, W] instead of [N, H, W, C].
  var isChannelsFirst = false
  /// How pictures are brought to the model's extent; nil: as the model says.
  var resizing: PictureResizing?

  /// What was read.
  struct Input {
    var batch: FeatureMap
    /// What was done to the picture, nil for an array.
    var preparation: PicturePreparation?
  }

  /// Reads a file; its content says what it is.
  func read(_ path: String) throws -> Input {
    let file = try MappedFile(path: path)
    switch FileKind(of: file.bytes) {
    case .picture, .otherPicture: return try picture(file)
    case .npy: return Input(batch: try batch(try NumericArray(npy: file.bytes, file: path), path))
    case .zip:
      let archive = try NumPyArchive(file, scratchFolder: scratchFolder)
      guard let array = try archive.array("input") else {
        throw FileError(
          .malformed, code: "input.array", file: path, "has no array named input",
          seen: archive.names.joined(separator: ", "), allowed: "input")
      }
      return Input(batch: try batch(array, path))
    case .empty: throw refusal(path, "is empty")
    case .mistaken(let problem, _): throw refusal(path, problem)
    case .native, .damagedNative: throw refusal(path, "is a model, not an input")
    case .hdf5, .json, .unknown: throw refusal(path, "is neither a picture nor an array")
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
        .malformed, code: "data.arrays", file: path, "does not hold labelled pictures",
        seen: archive.names.joined(separator: ", "),
        allowed: "arrays images and labels")
    }
    let (shape, count) = (images.shape, images.shape.first ?? 0)
    guard count > 0, shape.count == 3 || shape.count == 4, labels.shape == [count] else {
      throw FileError(
        .malformed, code: "data.shape", file: path, "has arrays whose shapes do not fit together",
        seen: "images \(shape), labels \(labels.shape)", allowed: "[N, H, W, C] and [N]")
    }
    let extent = Extent(height: shape[1], width: shape[2])
    let sourceChannels = shape.count == 4 ? shape[3] : 1
    let channels = model.network.inputChannels
    guard sourceChannels == channels || sourceChannels == 1 else {
      throw FileError(
        .malformed, code: "data.channels", file: path, "has pictures with the wrong number of channels",
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

  private func refusal(_ path: String, _ problem: String) -> FileError {
    FileError(
      .unsupported, code: "input.kind", file: path, problem,
      allowed: "PNG, JPEG and PPM pictures, .npy, .npz")
  }

  private func picture(_ file: MappedFile) throws -> Input {
    let preprocessing = try requiredPreprocessing(file.path)
    let picture = try Picture(file)
    let fit = try fit(picture.extent, by: preprocessing.resize, file.path)
    let shape = FeatureShape(extent: fit.centre, channels: model.network.inputChannels)
    return Input(
      batch: try FeatureMap(
        count: 1, shape: shape, values: preprocessing.values(of: picture, fitted: fit)),
      preparation: PicturePreparation(fit: fit, orientation: picture.storedOrientation))
  }

  /// How a picture is brought to what the network takes: by the model's rule, or as the user wants it.
  private func fit(
    _ picture: Extent, by rule: Preprocessing.Resize, _ path: String
  ) throws(FileError) -> PictureFit {
    let input = model.network.inputExtent
    switch resizing {
    case nil: return input.map { rule.fit(picture, to: $0) } ?? PictureFit(whole: picture)
    case .exact?:
      guard input == nil || input == picture else {
        throw FileError(
          .unsupported, code: "input.extent", file: path, "does not have the size that the model takes",
          seen: "\(picture.width)x\(picture.height)", allowed: input.map { "\($0.width)x\($0.height)" },
          advice: "--resize shorter or --resize stretch changes its size")
      }
      return PictureFit(whole: picture)
    case .stretch?:
      guard let input else { throw hasNoExtent(path, "--resize shorter:SIDE scales pictures") }
      return Preprocessing.Resize.stretch.fit(picture, to: input)
    case .shorter(let side)?:
      guard let input else {
        guard let side else { throw hasNoExtent(path, "say which side: --resize shorter:SIDE") }
        return try whole(picture, side, path)
      }
      guard let side else { return Preprocessing.released(for: input).resize.fit(picture, to: input) }
      guard side >= max(input.height, input.width) else {
        throw FileError(
          .unsupported, code: "input.extent", file: path, "would become smaller than what is cut out of it",
          place: "--resize shorter:\(side)", allowed: "a side of at least \(max(input.height, input.width))")
      }
      return Preprocessing.Resize.shorterSide(side).fit(picture, to: input)
    case .whole(let side)?: return try whole(picture, side, path)
    }
  }

  /// The whole picture, with a shorter side of a given length.
  private func whole(_ picture: Extent, _ side: Int, _ path: String) throws(FileError) -> PictureFit {
    let shorter = min(picture.height, picture.width)
    let extent = Extent(height: picture.height * side / shorter, width: picture.width * side / shorter)
    guard max(extent.height, extent.width) <= Network.largestInputSide else {
      throw FileError(
        .unsupported, code: "input.extent", file: path, "is too long and narrow to be taken whole",
        seen: "\(extent.width)x\(extent.height)", allowed: "sides of up to \(Network.largestInputSide)")
    }
    return PictureFit(original: picture, scaled: extent, centre: extent)
  }

  private func hasNoExtent(_ path: String, _ advice: String) -> FileError {
    FileError(
      .unsupported, code: "input.extent", file: path, "cannot be brought to the model's size: it has none",
      advice: advice)
  }

  private func batch(_ array: NumericArray, _ path: String) throws -> FeatureMap {
    let shape = array.shape.count == 3 ? [1] + array.shape : array.shape
    let channelAxis = isChannelsFirst ? 1 : 3
    guard shape.count == 4, shape[channelAxis] == model.network.inputChannels else {
      throw FileError(
        .malformed, code: "input.shape", file: path, "is not a batch of pictures for this model",
        seen: "\(array.shape)",
        allowed: isChannelsFirst
          ? "[N, \(model.network.inputChannels), H, W]" : "[N, H, W, \(model.network.inputChannels)]",
        advice: "state the order of the axes with --layout")
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
