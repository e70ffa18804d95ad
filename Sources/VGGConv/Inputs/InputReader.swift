internal import VGGBytes
public import VGGEngine
internal import VGGInterchange
internal import VGGModel
internal import VGGPictures
internal import VGGTensors

/// What a model is run on: a picture, preprocessed as the model says, or an array of preprocessed pictures.
public struct ModelInput: Sendable {
  /// The file's path.
  public let path: String
  /// The preprocessed pictures.
  public let batch: FeatureMap
  /// What was done to the picture, nil for an array.
  public let preparation: PicturePreparation?
}

/// Reads what a model is run on: pictures, which are preprocessed as the model says, or preprocessed arrays.
struct InputReader {
  let model: Model
  var options = InputOptions()
  let scratchFolder: String

  /// Reads a file; its content says what it is.
  func read(_ path: String) throws(FileError) -> ModelInput {
    let file = try MappedFile(path: path)
    switch FileKind(of: file.bytes) {
    case .picture, .otherPicture: return try picture(file)
    case .npy: return try input(try NumericArray(npy: file.bytes, file: path), path)
    case .zip:
      let archive = try NumPyArchive(file, scratchFolder: scratchFolder)
      guard let array = try archive.array("input") else {
        throw FileError(
          .malformed, code: "input.array", file: path, "has no array named input",
          seen: archive.names.joined(separator: ", "), allowed: "input")
      }
      return try input(array, path)
    case .empty: throw refusal(path, "is empty")
    case .mistaken(let problem, _): throw refusal(path, problem)
    case .native, .damagedNative, .safetensors, .pickledTensors, .tflite, .onnx:
      throw refusal(path, "is a model, not an input")
    case .hdf5, .json, .unknown: throw refusal(path, "is neither a picture nor an array")
    }
  }

  /// The model's rule, which has a number for each channel of its input.
  func requiredPreprocessing(_ path: String) throws(FileError) -> Preprocessing {
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

  /// Reads a picture and preprocesses it as the model says.
  func picture(_ file: MappedFile) throws(FileError) -> ModelInput {
    let preprocessing = try requiredPreprocessing(file.path)
    let picture = try Picture(file)
    let fit = try fit(picture.extent, by: preprocessing.resize, file.path)
    let shape = FeatureShape(extent: fit.centre, channels: model.network.inputChannels)
    return ModelInput(
      path: file.path,
      batch: try batch(1, shape, preprocessing.values(of: picture, fitted: fit), file.path),
      preparation: PicturePreparation(fit: fit, orientation: picture.storedOrientation))
  }

  /// How a picture is brought to what the network takes: by the model's rule, or as the user wants it.
  private func fit(
    _ picture: Extent, by rule: Preprocessing.Resize, _ path: String
  ) throws(FileError) -> PictureFit {
    let input = model.network.inputExtent
    switch options.resizing {
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
    guard PictureResizing.sides.contains(side) else {
      throw FileError(
        .unsupported, code: "input.extent", file: path, "cannot get a shorter side of that length",
        seen: "\(side)", allowed: "\(PictureResizing.sides.lowerBound) to \(PictureResizing.sides.upperBound)"
      )
    }
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

  private func input(_ array: NumericArray, _ path: String) throws(FileError) -> ModelInput {
    let shape = array.shape.count == 3 ? [1] + array.shape : array.shape
    let isChannelsFirst = options.isChannelsFirst
    guard shape.count == 4, shape[isChannelsFirst ? 1 : 3] == model.network.inputChannels else {
      throw FileError(
        .malformed, code: "input.shape", file: path, "is not a batch of pictures for this model",
        seen: "\(array.shape)",
        allowed: isChannelsFirst
          ? "[N, \(model.network.inputChannels), H, W]" : "[N, H, W, \(model.network.inputChannels)]",
        advice: "state the order of the axes with --layout")
    }
    guard shape[0] > 0 else {
      throw FileError(
        .malformed, code: "input.empty", file: path, "holds no pictures", seen: "\(array.shape)",
        allowed: "one picture or more")
    }
    var values = try array.values()
    let order = isChannelsFirst ? (row: 2, column: 3, channel: 1) : (row: 1, column: 2, channel: 3)
    let map = FeatureShape(
      extent: Extent(height: shape[order.row], width: shape[order.column]), channels: shape[order.channel])
    if isChannelsFirst { values = interleaved(values, count: shape[0], map) }
    return ModelInput(path: path, batch: try batch(shape[0], map, values, path), preparation: nil)
  }

  /// Brings [N, C, H, W] to [N, H, W, C].
  private func interleaved(_ values: [Float], count: Int, _ shape: FeatureShape) -> [Float] {
    let pixels = shape.extent.height * shape.extent.width
    var reordered: [Float] = []
    reordered.reserveCapacity(values.count)
    for picture in 0..<count {
      for pixel in 0..<pixels {
        for channel in 0..<shape.channels {
          reordered.append(values[(picture * shape.channels + channel) * pixels + pixel])
        }
      }
    }
    return reordered
  }

  private func batch(
    _ count: Int, _ shape: FeatureShape, _ values: [Float], _ path: String
  ) throws(FileError) -> FeatureMap {
    do throws(EngineError) { return try FeatureMap(count: count, shape: shape, values: values) } catch {
      throw FileError(error, file: path)
    }
  }
}
