internal import VGGModel

/// The mean of the training pictures, as Caffe's `compute_image_mean` writes it: a BlobProto on its own, channels in the
/// order blue, green, red.
///
/// A model has one mean for each channel, so only the picture's mean colour is used, as Caffe's own example of
/// classification does; how far the picture is from it is said.
struct MeanPicture {
  /// The most values that are looked at: a picture larger than any input.
  private static let valueLimit = 4 * Network.largestInputSide * Network.largestInputSide

  /// The file's name, without folders.
  let name: String
  /// The mean of each channel.
  let colour: [Double]
  let extent: Extent
  /// The largest difference of a pixel's channel from the mean of that channel.
  let largestDeviation: Double

  /// Reads a mean picture.
  init(_ file: CaffeFile, scratchFolder: String) throws(FileError) {
    let kind = ProtobufFile(file)
    guard kind == .mean else {
      throw file.unsupported(
        "kind.mean", "is no mean picture of Caffe's (binaryproto)", seen: kind.name,
        allowed: "a serialised BlobProto")
    }
    let blob = try BlobMessage(0..<file.bytes.count, of: file, place: "the mean picture")
    var shape = try blob.checkedShape()
    if shape.count == 4, shape[0] == 1 { shape.removeFirst() }
    guard shape.count == 3, shape.reduce(1, *) <= Self.valueLimit else {
      throw file.unsupported(
        "mean.shape", "has a mean that is no picture", at: blob.shapeOffset, seen: "\(blob.shape)",
        allowed: "channels, rows and columns, up to \(Self.valueLimit) values")
    }
    let values = try blob.tensor(
      name: "mean", shape: [shape.reduce(1, *)], layout: .vector, scratchFolder: scratchFolder
    ).canonicalValues.array()
    let pixelCount = shape[1] * shape[2]
    name = file.name
    extent = Extent(height: shape[1], width: shape[2])
    var colour: [Double] = []
    var largest = 0.0
    for channel in 0..<shape[0] {
      let pixels = values[channel * pixelCount..<(channel + 1) * pixelCount]
      let mean = pixels.reduce(0) { $0 + Double($1) } / Double(pixelCount)
      guard mean.isFinite else {
        throw file.malformed(
          "mean.nonfinite", "has a value that is no finite number", place: "channel \(channel)",
          seen: "\(mean)", allowed: "finite numbers")
      }
      colour.append(mean)
      largest = pixels.reduce(largest) { max($0, abs(Double($1) - mean)) }
    }
    self.colour = colour
    largestDeviation = largest
  }

  /// Whether the mean can be that of pictures for a network.
  func requireFit(channels: Int, input: Extent?, of file: CaffeFile) throws(FileError) {
    let isColour = extent == Extent(side: 1)
    let isLargeEnough = input.map { extent.height >= $0.height && extent.width >= $0.width } ?? true
    guard colour.count == channels, isColour || isLargeEnough else {
      throw file.unsupported(
        "mean.fit", "has another input than the mean picture \(name) is for",
        seen: "\(channels) channels" + (input.map { " of \($0)" } ?? ""),
        allowed: "\(colour.count) channels of \(extent)", advice: "use the mean that belongs to the weights")
    }
  }
}
