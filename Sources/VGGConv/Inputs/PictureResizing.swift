public import VGGPictures

/// How pictures are brought to a model's extent, where not as the model says.
public enum PictureResizing: Equatable, Sendable {
  /// The shorter side gets a length, 256 for an input of 224 if it is not given, and the centre is cut out.
  case shorter(Int?)
  /// Both sides are scaled to the input's.
  case stretch
  /// Pictures must fit.
  case exact
  /// The shorter side gets a length, and nothing is cut off.
  case whole(Int)

  /// The lengths that a shorter side may get.
  public static let sides = 1...2048
}

/// What was done to a picture before it was preprocessed.
public struct PicturePreparation: Equatable, Sendable {
  /// How it was resized and cut.
  public var fit: PictureFit
  /// How the file had it turned, which was undone first.
  public var orientation: PictureOrientation
}

/// How the files that a model is run on are read.
public struct InputOptions: Equatable, Sendable {
  /// Whether the axes of arrays are [N, C, H, W] instead of [N, H, W, C].
  public var isChannelsFirst: Bool
  /// How pictures are brought to the model's extent; nil: as the model says.
  public var resizing: PictureResizing?

  /// Creates options.
  public init(isChannelsFirst: Bool = false, resizing: PictureResizing? = nil) {
    (self.isChannelsFirst, self.resizing) = (isChannelsFirst, resizing)
  }
}
