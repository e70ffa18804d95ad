internal import VGGBytes
internal import VGGCaffe
internal import VGGConv
internal import VGGInterchange
internal import VGGModel
internal import VGGSources

/// What a user states the mean of the training pictures with.
enum StatedMean: Equatable, Sendable {
  /// One number, or one each for blue, green and red.
  case numbers([Double])
  /// The path of a mean picture.
  case file(String)

  /// Numbers where the text is nothing else; `./104` is a file. Nil where it is neither.
  init?(_ text: String) {
    if let numbers = StatedMean.numbers(text) {
      self = .numbers(numbers)
    } else if text.isEmpty || text.split(separator: ",").allSatisfy({ Double($0) != nil }) {
      return nil
    } else {
      self = .file(text)
    }
  }

  /// One finite number, or three with commas between them.
  static func numbers(_ text: String) -> [Double]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Double($0) }.filter(\.isFinite)
    return numbers.count == parts.count && [1, 3].contains(parts.count) ? numbers : nil
  }

  /// The mean colour, and the file that it was taken of.
  func colour(scratchFolder: String) throws(FileError) -> (colour: MeanColour, file: MappedFile?) {
    switch self {
    case .numbers(let numbers): return (MeanColour(numbers), nil)
    case .file(let path):
      let file = try MappedFile(path: path)
      if FileKind(of: file.bytes) == .npy { return (try StatedMean.colour(of: file), file) }
      return (try CaffeImporter.meanColour(of: CaffeFile(file), scratchFolder: scratchFolder), file)
    }
  }

  /// The mean colour of a picture as NumPy stores it, such as Caffe's `ilsvrc_2012_mean.npy`.
  private static func colour(of file: MappedFile) throws(FileError) -> MeanColour {
    let array = try NumericArray(npy: file.bytes, file: file.path)
    var shape = array.shape
    if shape.count == 4, shape[0] == 1 { shape.removeFirst() }
    guard shape.count == 3, array.count <= MeanColour.valueLimit else {
      throw FileError(
        .unsupported, code: "mean.shape", file: file.path, "has a mean that is not a picture",
        seen: "\(array.shape)",
        allowed: "1 or 3 channels, rows, columns, in this order, up to \(MeanColour.valueLimit) values")
    }
    return try MeanColour(
      of: array.values(), shape: shape, in: Provenance.SourceFile(file), path: file.path)
  }
}
