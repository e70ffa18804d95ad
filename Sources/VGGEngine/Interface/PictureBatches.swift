/// Batches of preprocessed pictures that are read one at a time, as many as there are.
public struct PictureBatches {
  /// The number of batches.
  public let count: Int
  /// Reads the batch of an index; throws `input` where a picture cannot be read.
  public let batch: (Int) throws(EngineError) -> FeatureMap

  /// Describes batches.
  ///
  /// - Parameters:
  ///   - count: The number of batches.
  ///   - batch: Reads the batch of an index.
  public init(count: Int, batch: @escaping (Int) throws(EngineError) -> FeatureMap) {
    self.count = count
    self.batch = batch
  }

  /// Batches that are in memory.
  public init(_ batches: [FeatureMap]) {
    self.init(count: batches.count) { batches[$0] }
  }

  /// No pictures.
  public static var none: PictureBatches { PictureBatches([]) }
}
