public import VGGSources

/// How a file is opened; what is not given is decided by the evidence in the file.
public struct OpenOptions: Equatable, Sendable {
  /// What is decided about a source.
  public var importing: ImportOptions
  /// The path of a deploy prototxt that belongs to a Caffe source.
  public var prototxt: String?
  /// The mean of the training pictures.
  public var mean: StatedMean?
  /// Whether a native file is compared with the digests in it before anything is derived from it.
  public var checksDigests: Bool

  /// The folder for temporary files, needed only for what cannot be mapped, such as compressed data.
  public var scratchFolder: String {
    get { importing.scratchFolder }
    set { importing.scratchFolder = newValue }
  }

  /// Creates options.
  public init(
    importing: ImportOptions = ImportOptions(), prototxt: String? = nil, mean: StatedMean? = nil,
    checksDigests: Bool = true
  ) {
    (self.importing, self.prototxt, self.mean) = (importing, prototxt, mean)
    self.checksDigests = checksDigests
  }
}

/// What somebody states the mean of the training pictures with.
public enum StatedMean: Equatable, Sendable {
  /// One number, or one each for blue, green and red.
  case numbers([Double])
  /// The path of a mean picture: binaryproto or `.npy`.
  case file(String)
}
