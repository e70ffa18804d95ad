public import VGGBytes
public import VGGModel
public import VGGNative

/// A model with the digests that tell it from others, for which all of its weights are read once.
public struct ModelDescription: Sendable {
  /// The file that holds it.
  public let opened: OpenedModel
  /// The identity of the weights, whatever file they came from and however they are stored.
  public let weightsDigest: Digest
  /// The source's tensors that were worked into others, with the digests of their values.
  public let folded: [Provenance.FoldedTensor]

  /// Computes the digests, which a native file has.
  public init(_ opened: OpenedModel) throws(FileError) {
    self.opened = opened
    weightsDigest = try opened.weightsDigest()
    folded = try VGGWFile.foldedTensors(of: opened.model, scratchFolder: opened.options.scratchFolder)
  }
}
