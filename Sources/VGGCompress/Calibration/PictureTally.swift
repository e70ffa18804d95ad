internal import VGGBytes
internal import VGGEngine

/// What is known of the pictures of a calibration as wholes, batch after batch.
struct PictureTally {
  /// The number of pictures so far.
  private(set) var count = 0
  private var colours: ColourSpread?

  /// Takes in the pictures of a batch.
  mutating func add(_ pictures: FeatureMap) {
    count += pictures.count
    if colours == nil { colours = ColourSpread(pictures) } else { colours?.add(pictures) }
  }

  /// Makes sure that there was a picture.
  ///
  /// - Parameter file: The model's, for the error.
  func requireAny(for file: String) throws(FileError) {
    guard count == 0 else { return }
    throw FileError(
      .malformed, code: "calibrate.pictures", file: file, "cannot be calibrated without pictures",
      advice: "give some with --calibrate")
  }

  /// What the user should know of them.
  var warnings: [CalibrationWarning] {
    (count == 1 ? [.singlePicture] : []) + (colours?.isUniform == true ? [.uniformPictures] : [])
  }
}
