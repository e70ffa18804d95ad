internal import VGGBytes
internal import VGGCaffe
internal import VGGInterchange
internal import VGGModel
internal import VGGSources

extension StatedMean {
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
