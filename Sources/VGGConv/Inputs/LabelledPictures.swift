internal import VGGBytes
internal import VGGEngine
internal import VGGInterchange
internal import VGGModel
internal import VGGTensors

/// Labelled pictures of an `.npz` file: `images` is [N, H, W, C] or [N, H, W], uint8 or float32, and `labels` [N].
///
/// Bytes are pixels and are preprocessed; floats are preprocessed already.
struct LabelledPictures: Sendable {
  /// The number of pictures.
  let count: Int
  /// The class of each.
  let labels: [Int]
  /// The number of pictures that are run at a time.
  static let batchSize = 24

  private let values: [Float]
  private let extent: Extent
  /// The channels of the file, and of the network's input.
  private let storedChannels: Int
  private let channels: Int
  /// What is done to pixels, nil for values that are preprocessed.
  private let preprocessing: Preprocessing?

  /// Reads a file for a model.
  init(_ path: String, for reader: InputReader) throws(FileError) {
    let archive = try NumPyArchive(try MappedFile(path: path), scratchFolder: reader.scratchFolder)
    guard let images = try archive.array(archive.names.contains("images") ? "images" : "images_64x64"),
      let labels = try archive.array("labels")
    else {
      throw FileError(
        .malformed, code: "data.arrays", file: path, "does not hold labelled pictures",
        seen: archive.names.joined(separator: ", "),
        allowed: "arrays images and labels")
    }
    let shape = images.shape
    count = shape.first ?? 0
    guard count > 0, shape.count == 3 || shape.count == 4, labels.shape == [count] else {
      throw FileError(
        .malformed, code: "data.shape", file: path, "has arrays whose shapes do not fit together",
        seen: "images \(shape), labels \(labels.shape)", allowed: "[N, H, W, C] and [N]")
    }
    extent = Extent(height: shape[1], width: shape[2])
    storedChannels = shape.count == 4 ? shape[3] : 1
    channels = reader.model.network.inputChannels
    guard storedChannels == channels || storedChannels == 1 else {
      throw FileError(
        .malformed, code: "data.channels", file: path, "has pictures with the wrong number of channels",
        seen: "\(storedChannels)", allowed: "\(channels), or 1 for grey ones")
    }
    preprocessing = images.isInteger ? try reader.requiredPreprocessing(path) : nil
    values = try images.values()
    self.labels = try labels.integers()
  }

  /// The same for a file that holds labelled pictures; nil for any other one.
  init?(ifAnyIn path: String, for reader: InputReader) throws(FileError) {
    let file = try MappedFile(path: path)
    guard FileKind(of: file.bytes) == .zip else { return nil }
    let names = try NumPyArchive(file).names
    guard !names.contains("input"), names.contains("labels") else { return nil }
    try self.init(path, for: reader)
  }

  /// The preprocessed pictures of a range.
  func batch(_ range: Range<Int>) throws(EngineError) -> FeatureMap {
    let pictureCount = extent.height * extent.width * storedChannels
    var pixels: [Float] = []
    pixels.reserveCapacity(range.count * extent.height * extent.width * channels)
    for index in range.lowerBound * pictureCount..<range.upperBound * pictureCount {
      if storedChannels == channels {
        pixels.append(preprocessed(values[index], channel: index % channels))
      } else {
        for channel in 0..<channels { pixels.append(preprocessed(values[index], channel: channel)) }
      }
    }
    return try FeatureMap(
      count: range.count, shape: FeatureShape(extent: extent, channels: channels), values: pixels)
  }

  private func preprocessed(_ pixel: Float, channel: Int) -> Float {
    guard let preprocessing else { return pixel }
    return Float((Double(pixel) - preprocessing.mean[channel]) * preprocessing.scale[channel])
  }
}
