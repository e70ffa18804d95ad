internal import VGGBytes
internal import VGGEngine
internal import VGGInterchange
internal import VGGModel
internal import VGGTensors

/// Pictures of an `.npz` file: `images` is [N, H, W, C] or [N, H, W], whole numbers or floats, and `labels` [N].
///
/// Whole numbers are pixels and are preprocessed; floats are preprocessed already.
struct ArchivedPictures: PictureStore {
  let count: Int
  private let path: String
  private let images: NumericArray
  private let storedLabels: [Int]?
  /// The names of the file's arrays.
  private let names: [String]
  private let extent: Extent
  /// The channels of the file, and of the network's input.
  private let storedChannels: Int
  private let channels: Int
  /// What is done to pixels, nil for values that are preprocessed.
  private let preprocessing: Preprocessing?

  /// Reads a file for a model.
  init(_ path: String, for reader: InputReader) throws(FileError) {
    let file = try MappedFile(path: path)
    guard FileKind(of: file.bytes) == .zip else {
      throw FileError(
        .unsupported, code: "data.kind", file: path, "is neither an .npz file nor a folder",
        allowed: "an .npz file with pictures, or a folder of pictures")
    }
    let archive = try NumPyArchive(file, scratchFolder: reader.scratchFolder)
    names = archive.names
    guard let images = try archive.array(names.contains("images") ? "images" : "images_64x64") else {
      throw FileError(
        .malformed, code: "data.arrays", file: path, "does not hold pictures",
        seen: names.joined(separator: ", "), allowed: "an array images")
    }
    let labels = try archive.array("labels")
    let shape = images.shape
    let sides = 1...Network.largestInputSide
    guard let count = shape.first, count > 0, shape.count == 3 || shape.count == 4,
      sides.contains(shape[1]), sides.contains(shape[2]), labels.map({ $0.shape == [count] }) ?? true
    else {
      throw FileError(
        .malformed, code: "data.shape", file: path,
        shape.first == 0 ? "holds no pictures" : "has arrays whose shapes do not fit together",
        seen: "images \(shape)" + (labels.map { ", labels \($0.shape)" } ?? ""),
        allowed: "[N, H, W, C] and [N]")
    }
    let network = reader.model.network
    extent = Extent(height: shape[1], width: shape[2])
    if let input = network.inputExtent, extent.height < input.height || extent.width < input.width {
      throw FileError(
        .malformed, code: "data.extent", file: path, "has pictures that are too small for the model",
        seen: "\(extent.width)x\(extent.height)", allowed: "\(input.width)x\(input.height), or larger")
    }
    storedChannels = shape.count == 4 ? shape[3] : 1
    channels = network.inputChannels
    guard storedChannels == channels || storedChannels == 1 else {
      throw FileError(
        .malformed, code: "data.channels", file: path, "has pictures with the wrong number of channels",
        seen: "\(storedChannels)", allowed: "\(channels), or 1 for grey ones")
    }
    preprocessing = images.isInteger ? try reader.requiredPreprocessing(path) : nil
    storedLabels = try labels?.integers()
    (self.path, self.count, self.images) = (path, count, images)
  }

  /// The same for a file that holds labelled pictures; nil for any other one.
  init?(labelledIn path: String, for reader: InputReader) throws(FileError) {
    let file = try MappedFile(path: path)
    guard FileKind(of: file.bytes) == .zip else { return nil }
    let names = try NumPyArchive(file).names
    guard !names.contains("input"), names.contains("labels") else { return nil }
    try self.init(path, for: reader)
  }

  func batch(_ range: Range<Int>) throws(FileError) -> FeatureMap {
    let length = extent.height * extent.width * storedChannels
    let stored = try images.values(range.lowerBound * length..<range.upperBound * length)
    if let wrong = stored.firstIndex(where: { !$0.isFinite }) {
      throw FileError(
        .malformed, code: "data.nonfinite", file: path, "has a picture with values that are no numbers",
        place: "picture \(range.lowerBound + wrong / length)", seen: "\(stored[wrong])",
        allowed: "finite numbers")
    }
    var values: [Float] = []
    values.reserveCapacity(range.count * extent.height * extent.width * channels)
    for (index, value) in stored.enumerated() {
      if storedChannels == channels {
        values.append(preprocessed(value, channel: index % channels))
      } else {
        for channel in 0..<channels { values.append(preprocessed(value, channel: channel)) }
      }
    }
    return try FeatureMap(
      of: values, count: range.count, FeatureShape(extent: extent, channels: channels), file: path)
  }

  func labels(classCount: Int, names: [String]) throws(FileError) -> PictureLabels {
    guard let storedLabels else {
      throw FileError(
        .malformed, code: "data.arrays", file: path, "does not hold labelled pictures",
        seen: self.names.joined(separator: ", "), allowed: "arrays images and labels")
    }
    if let wrong = storedLabels.first(where: { !(0..<classCount).contains($0) }) {
      throw FileError(
        .malformed, code: "data.labels", file: path, "has a label that is not a class of this model",
        seen: "\(wrong)", allowed: "0 to \(classCount - 1)")
    }
    return PictureLabels(classes: storedLabels, rule: .array)
  }

  private func preprocessed(_ pixel: Float, channel: Int) -> Float {
    guard let preprocessing else { return pixel }
    return Float((Double(pixel) - preprocessing.mean[channel]) * preprocessing.scale[channel])
  }
}
