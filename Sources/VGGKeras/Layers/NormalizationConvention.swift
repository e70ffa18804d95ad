internal import VGGBytes
internal import VGGModel
internal import VGGSources

/// What the statistics of batch normalisations are, and what is added to them: decided by the release that wrote the file.
///
/// | release | on | `y` |
/// |---|---|---|
/// | to 1.0.5 | all | `(x - mean) / (std + epsilon)` |
/// | 1.0.6 | Theano | `(x - mean) / (std + epsilon)` |
/// | 1.0.7 | Theano | `(x - mean) / (sqrt(variance) + epsilon)` |
/// | 1.0.6, 1.0.7 | TensorFlow | `(x - mean) / sqrt(variance + epsilon)` |
/// | from 1.0.8 | all | `(x - mean) / sqrt(variance + epsilon)` |
///
/// All of them call the number `running_std` up to 1.2.2. Epsilon was 1e-6 by default up to 1.0.7, then 1e-5, and is 1e-3 since 1.2.
struct NormalizationConvention {
  /// What the stored spread is.
  let spreadKind: NormalizationSpread
  /// What is added where the configuration does not say; nil where the user decided for all layers.
  let epsilon: Double
  /// Whether the user's epsilon counts, whatever the configuration says.
  let overridesConfiguration: Bool
  /// What was decided and why.
  let decisions: [Provenance.Decision]

  /// What the decisions rest on.
  struct Evidence {
    var writer: Generation.Writer
    var version: String?
    /// Whether TensorFlow named the weights.
    var isOfTensorFlow: Bool
    /// Whether the configuration has an epsilon for each normalisation.
    var epsilonIsConfigured: Bool
    /// The first normalisation, for errors.
    var name: String
  }

  /// - Throws: Where the file does not tell what its statistics are, and the user does not either.
  init(_ evidence: Evidence, file: String, options: ImportOptions) throws(FileError) {
    let version = ReleaseNumber(evidence.version ?? "")
    let isOld = evidence.writer == .keras0 || evidence.writer == .keras1
    let (kind, reason): (NormalizationSpread, String)
    if let wanted = options.normalizationSpread {
      (kind, reason) = (wanted, "asked for")
    } else if evidence.writer == .keras0 {
      (kind, reason) = (.deviation, "Keras 0 stores deviations")
    } else if !isOld {
      (kind, reason) = (.variance, "Keras stores variances since 1.0.8")
    } else if let version {
      let backend = evidence.isOfTensorFlow ? "TensorFlow" : "Theano"
      switch (version, evidence.isOfTensorFlow) {
      case (..<ReleaseNumber(1, 0, 6), _), (ReleaseNumber(1, 0, 6), false): kind = .deviation
      case (ReleaseNumber(1, 0, 7), false): kind = .varianceRoot
      default: kind = .variance
      }
      reason = "as Keras \(version) on \(backend) has it"
    } else {
      throw FileError(
        .unsupported, code: "keras.normalization.spread", file: file,
        "does not tell whether its batch normalisations hold variances or deviations",
        place: "layer \(evidence.name)", seen: "weights of Keras 1, without its version",
        advice:
          "--bn-spread variance if Keras 1.0.8 or later wrote it, --bn-spread deviation if an earlier one did"
      )
    }
    var decisions = [Provenance.Decision(.normalizationSpread(kind), because: reason)]
    spreadKind = kind
    overridesConfiguration = options.normalizationEpsilon != nil
    if let wanted = options.normalizationEpsilon {
      epsilon = wanted
      decisions.append(Provenance.Decision(.normalizationEpsilon(wanted), because: "asked for"))
    } else {
      let isSmall = isOld && (kind != .variance || version.map { $0 < ReleaseNumber(1, 0, 8) } ?? false)
      epsilon = isSmall ? 1e-6 : isOld && version.map { $0 < ReleaseNumber(1, 2, 0) } ?? false ? 1e-5 : 1e-3
      if !evidence.epsilonIsConfigured {
        decisions.append(
          Provenance.Decision(
            .normalizationEpsilon(epsilon),
            because: "assumed: the default\(isOld ? " of Keras \(isSmall ? "0 and 1.0" : "1.2")" : ""); "
              + "the file does not tell, --bn-epsilon does"))
      }
    }
    self.decisions = decisions
  }
}

/// The first three numbers of a release, such as 1.0.7.
struct ReleaseNumber: Comparable, CustomStringConvertible {
  private let numbers: [Int]

  init(_ major: Int, _ minor: Int, _ patch: Int) { numbers = [major, minor, patch] }

  /// `1.0.7`, `2.6.0-tf`; nil where the text begins with no number.
  init?(_ text: String) {
    let numbers = text.split(separator: ".", omittingEmptySubsequences: false).prefix(3)
      .map { Int($0.prefix { $0.isASCII && $0.isNumber }) ?? 0 }
    guard let first = text.first, first.isASCII, first.isNumber else { return nil }
    self.numbers = Array((numbers + [0, 0]).prefix(3))
  }

  var major: Int { numbers[0] }
  var description: String { numbers.map(String.init).joined(separator: ".") }

  static func < (left: ReleaseNumber, right: ReleaseNumber) -> Bool {
    left.numbers.lexicographicallyPrecedes(right.numbers)
  }
}
