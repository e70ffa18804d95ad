public import VGGBytes
public import VGGModel
public import VGGTensors

/// The mean colour of the training pictures, as a user states it: in numbers, or by a mean picture.
///
/// A model has one mean for each channel, so of a picture only the mean colour is used, as Caffe's own example of
/// classification does; how far its pixels are from that is said.
public struct MeanColour: Equatable, Sendable {
  /// The most values of a picture that are looked at: more than any input has.
  public static let valueLimit = 4 * Network.largestInputSide * Network.largestInputSide

  /// The mean of each channel, in the order blue, green, red; one number for grey or for all channels.
  public let channels: [Double]
  /// The picture that it was taken of; nil where it was stated in numbers.
  public let picture: Picture?

  /// A mean picture.
  public struct Picture: Equatable, Sendable {
    /// The picture's file.
    public var file: Provenance.SourceFile
    /// Rows and columns.
    public var extent: Extent
    /// The largest difference of a pixel's channel from the mean of that channel.
    public var largestDeviation: Double
  }

  /// Creates a colour of finite numbers.
  public init(_ channels: [Double]) {
    self.channels = channels
    picture = nil
  }

  /// Takes the mean colour of a picture.
  ///
  /// - Parameters:
  ///   - values: The pixels: channel, row, column.
  ///   - shape: The lengths of these three axes; their product is the number of values.
  ///   - file: The picture's file.
  ///   - path: The file's path, for errors.
  /// - Throws: `malformed` where a mean is not a finite number; `unsupported` where the shape is not a picture's.
  public init(
    of values: [Float], shape: [Int], in file: Provenance.SourceFile, path: String
  ) throws(FileError) {
    guard shape.count == 3, [1, 3].contains(shape[0]), shape[1] > 0, shape[2] > 0 else {
      throw FileError(
        .unsupported, code: "mean.shape", file: path, "has a mean that is not a picture", seen: "\(shape)",
        allowed: "1 or 3 channels, rows, columns, in this order")
    }
    precondition(values.count == shape.reduce(1, *))
    let pixelCount = shape[1] * shape[2]
    var channels: [Double] = []
    var largest = 0.0
    for channel in 0..<shape[0] {
      let pixels = values[channel * pixelCount..<(channel + 1) * pixelCount]
      let mean = pixels.reduce(0) { $0 + Double($1) } / Double(pixelCount)
      guard mean.isFinite else {
        throw FileError(
          .malformed, code: "mean.nonfinite", file: path, "has a value that is not a finite number",
          place: "channel \(channel)", seen: "\(mean)", allowed: "finite numbers")
      }
      channels.append(mean)
      largest = pixels.reduce(largest) { max($0, abs(Double($1) - mean)) }
    }
    self.channels = channels
    picture = Picture(
      file: file, extent: Extent(height: shape[1], width: shape[2]), largestDeviation: largest)
  }

  /// Makes sure that the mean can be that of pictures for a network.
  func requireFit(_ network: Network, file: String) throws(FileError) {
    let channelCount = network.inputChannels
    guard let picture else {
      guard channels.count == 1 || channels.count == channelCount else {
        throw FileError(
          .unsupported, code: "mean.fit", file: file,
          "does not have as many channels as the stated mean",
          place: "the input", seen: "\(channelCount) channels", allowed: "\(channels.count)",
          advice: "state one number, or one for each channel")
      }
      return
    }
    let input = network.inputExtent
    let isColour = picture.extent == Extent(side: 1)
    let isLargeEnough =
      input.map { picture.extent.height >= $0.height && picture.extent.width >= $0.width } ?? true
    guard channels.count == channelCount, isColour || isLargeEnough else {
      throw FileError(
        .unsupported, code: "mean.fit", file: file,
        "does not have the input that the mean picture \(picture.file.name) is for",
        seen: "\(channelCount) channels" + (input.map { " of \($0)" } ?? ""),
        allowed: "\(channels.count) channels of \(picture.extent)",
        advice: "use the mean that belongs to the weights")
    }
  }

  /// Where the mean is from, for people.
  var evidence: String {
    guard let picture else { return "the mean is stated" }
    var evidence = "the mean colour of \(picture.file.name), a picture of \(picture.extent)"
    if picture.extent != Extent(side: 1) {
      evidence += " whose pixels differ from it by up to \(picture.largestDeviation.threeDigits)"
    }
    return evidence
  }
}
