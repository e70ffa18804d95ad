internal import VGGEngine
internal import VGGModel

/// Whether a picture's first class leads by more than what the scores of model and source may differ by.
public struct ClassCertificate: Sendable {
  /// The source's first class.
  public var sourceClass: Int
  /// The model's first class.
  public var modelClass: Int
  /// The source's lead over the class for which it is closest to the bound.
  public var margin: Double
  /// The largest difference that the scores of these two classes together may have.
  public var bound: Double

  /// Whether the class is the same and must be.
  public var isCertified: Bool { sourceClass == modelClass && margin > bound }

  /// Certifies the pictures of a batch.
  ///
  /// - Parameters:
  ///   - scores: The source's scores before the softmax.
  ///   - modelScores: The model's.
  ///   - bounds: How far each of these may be from the source's.
  static func certificates(
    scores: FeatureMap, modelScores: FeatureMap, bounds: [Double]
  ) -> [ClassCertificate] {
    let length = scores.shape.count
    let (values, first) = (scores.values, scores.largestIndices)
    return zip(first, modelScores.largestIndices).enumerated().map { picture, classes in
      let start = picture * length
      var certificate = ClassCertificate(
        sourceClass: classes.0, modelClass: classes.1, margin: .infinity, bound: 0)
      for other in 0..<length where other != classes.0 {
        let margin = Double(values[start + classes.0]) - Double(values[start + other])
        let bound = bounds[start + classes.0] + bounds[start + other]
        if margin - bound < certificate.margin - certificate.bound {
          (certificate.margin, certificate.bound) = (margin, bound)
        }
      }
      return certificate
    }
  }
}
