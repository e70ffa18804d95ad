public import VGGModel
public import VGGTensors

/// How a picture is brought to the extent of an input: it is scaled, then its centre is cut out.
public struct PictureFit: Equatable, Sendable {
  /// The picture as it is, upright.
  public var original: Extent
  /// What it is scaled to.
  public var scaled: Extent
  /// What is cut out of the middle of that; no larger.
  public var centre: Extent

  /// Describes a fit.
  ///
  /// - Precondition: The centre is no larger than the scaled picture.
  public init(original: Extent, scaled: Extent, centre: Extent) {
    precondition(centre.width <= scaled.width && centre.height <= scaled.height)
    (self.original, self.scaled, self.centre) = (original, scaled, centre)
  }

  /// The picture as it is.
  public init(whole picture: Extent) {
    self.init(original: picture, scaled: picture, centre: picture)
  }
}

extension PictureFit: CustomStringConvertible {
  /// `resized 500x375 to 341x256, centre 224x224`: width x height, as sizes of pictures are given.
  public var description: String {
    func size(_ extent: Extent) -> String { "\(extent.width)x\(extent.height)" }
    let cut = centre == scaled ? "" : ", centre \(size(centre))"
    if scaled == original { return "not resized, \(size(original))\(cut)" }
    return "resized \(size(original)) to \(size(scaled))\(cut)"
  }
}

extension Preprocessing.Resize {
  /// How the rule brings a picture to an extent. One that has the extent already stays as it is.
  public func fit(_ picture: Extent, to extent: Extent) -> PictureFit {
    guard picture != extent else { return PictureFit(whole: picture) }
    switch self {
    case .stretch: return PictureFit(original: picture, scaled: extent, centre: extent)
    case .shorterSide(let side):
      // The largest of three factors, as fractions: to the side, and at least so large that the extent can be cut out.
      let factors = [
        (min(side, 1 << 30), min(picture.width, picture.height)), (extent.width, picture.width),
        (extent.height, picture.height),
      ]
      let factor = factors.reduce((0, 1)) { $0.0 * $1.1 >= $1.0 * $0.1 ? $0 : $1 }
      return PictureFit(
        original: picture,
        scaled: Extent(
          height: picture.height * factor.0 / factor.1, width: picture.width * factor.0 / factor.1),
        centre: extent)
    }
  }
}
