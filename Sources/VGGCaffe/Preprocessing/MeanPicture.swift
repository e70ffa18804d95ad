public import VGGBytes
internal import VGGModel
public import VGGSources
internal import VGGTensors

extension CaffeImporter {
  /// Takes the mean colour of a mean picture as Caffe's `compute_image_mean` writes it: a BlobProto on its own, channels
  /// in the order blue, green, red.
  ///
  /// - Parameters:
  ///   - file: The mean picture.
  ///   - scratchFolder: The folder for values that are stored in pieces.
  /// - Throws: `unsupported` where the file is something else; `malformed` where it is damaged.
  public static func meanColour(
    of file: CaffeFile, scratchFolder: String = "/tmp"
  ) throws(FileError) -> MeanColour {
    let kind = ProtobufFile(file)
    guard kind == .mean else {
      throw file.unsupported(
        "kind.mean", "is not a mean picture", seen: kind.name,
        allowed: "a binaryproto of Caffe (a serialised BlobProto), or a NumPy array")
    }
    let blob = try BlobMessage(0..<file.bytes.count, of: file, place: "the mean picture")
    var shape = try blob.checkedShape()
    if shape.count == 4, shape[0] == 1 { shape.removeFirst() }
    guard shape.count == 3, shape.reduce(1, *) <= MeanColour.valueLimit else {
      throw file.unsupported(
        "mean.shape", "has a mean that is not a picture", at: blob.shapeOffset, seen: "\(blob.shape)",
        allowed: "channels, rows and columns, up to \(MeanColour.valueLimit) values")
    }
    let values = try blob.tensor(
      name: "mean", shape: [shape.reduce(1, *)], layout: .vector, scratchFolder: scratchFolder
    ).canonicalValues.array()
    return try MeanColour(
      of: values, shape: shape, in: Provenance.SourceFile(file.name, byteCount: file.bytes.count),
      path: file.path)
  }
}
