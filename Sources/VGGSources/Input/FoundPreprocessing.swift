public import VGGBytes
public import VGGModel

/// What an importer knows of what must be done to pictures, before the user is heard.
public struct FoundPreprocessing: Equatable, Sendable {
  /// How sure it is.
  public enum Basis: Equatable, Sendable {
    /// Layers of the network itself compute it, in front of the first convolution.
    case computed
    /// Settings in the source say so, such as those of a data layer.
    case configured
    /// Nothing says so: it is what most weights of this kind need.
    case assumed
  }

  /// What is done, in the channel order of the network, and how sure it is; nil where not even an assumption is possible.
  public var rule: (Preprocessing, Basis)? { preprocessing.map { ($0, basis) } }
  private let preprocessing: Preprocessing?
  private let basis: Basis
  /// What it rests on.
  public let evidence: String
  /// What the source says of the mean or scale, for whoever states others; nil: nothing.
  public let saidInSource: String?

  /// Creates a description.
  public init(
    _ preprocessing: Preprocessing, _ basis: Basis, because evidence: String, saidInSource: String? = nil
  ) {
    (self.preprocessing, self.basis) = (preprocessing, basis)
    (self.evidence, self.saidInSource) = (evidence, saidInSource)
  }

  /// Says why nothing is known.
  public init(unknownBecause evidence: String) {
    (preprocessing, basis) = (nil, .assumed)
    (self.evidence, saidInSource) = (evidence, nil)
  }

  /// What the released weights need, for a source that does not tell.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - options: What the user decided.
  ///   - source: What does not tell, such as "a Keras file".
  public init(assumedFor network: Network, _ options: ImportOptions, because source: String) {
    guard network.inputChannels == 3 else {
      self.init(
        unknownBecause: "\(source) does not tell, and the released VGG models have 3 input channels, not "
          + "\(network.inputChannels)")
      return
    }
    self.init(
      .released(for: network.inputExtent).inOrder(options.channelOrder ?? .bgr), .assumed,
      because: "the mean colour of ImageNet, as for the released weights; \(source) does not tell"
        + (options.channelOrder == nil ? "" : "; channel order asked for"))
  }
}

extension Model {
  /// Sets what is done to pictures: what the user states, else what was found; and says which.
  ///
  /// - Parameters:
  ///   - found: What the importer knows; its rule is in the channel order of the network.
  ///   - options: What the user decided.
  ///   - file: The source's path, for errors.
  /// - Throws: `unsupported` where a statement does not fit the network, or contradicts what its own layers compute.
  public mutating func setPreprocessing(
    _ found: FoundPreprocessing, options: ImportOptions, file: String
  ) throws(FileError) {
    let (rule, decision) = try found.settled(options, network, file: file)
    preprocessing = rule
    provenance.decisions.append(decision)
    if let picture = options.mean?.picture { provenance.companions.append(picture.file) }
  }
}

extension FoundPreprocessing {
  /// The rule that counts, and the decision that says why.
  fileprivate func settled(
    _ options: ImportOptions, _ network: Network, file: String
  ) throws(FileError) -> (rule: Preprocessing?, decision: Provenance.Decision) {
    guard options.mean != nil || options.scale != nil else {
      guard let (rule, basis) = rule else {
        return (nil, Provenance.Decision(.preprocessing(nil, isAssumed: false), because: evidence))
      }
      return (
        rule, Provenance.Decision(.preprocessing(rule, isAssumed: basis == .assumed), because: evidence)
      )
    }
    let stated = try stated(options, network, file: file)
    return (
      stated,
      Provenance.Decision(.preprocessing(stated, isAssumed: false), because: statement(options, of: stated))
    )
  }

  /// The rule with what the user states in place of what was found.
  private func stated(
    _ options: ImportOptions, _ network: Network, file: String
  ) throws(FileError) -> Preprocessing {
    let channels = network.inputChannels
    try options.mean?.requireFit(network, file: file)
    if let scale = options.scale, scale.count != 1, scale.count != channels {
      throw FileError(
        .unsupported, code: "mean.fit", file: file,
        "does not have as many channels as the stated scale",
        place: "the input", seen: "\(channels) channels", allowed: "\(scale.count)",
        advice: "state one number, or one for each channel")
    }
    var stated =
      rule?.0
      ?? Preprocessing(
        channelOrder: channels == 1 ? .gray : options.channelOrder ?? .bgr,
        mean: Array(repeating: 0, count: channels),
        resize: Preprocessing.released(for: network.inputExtent).resize)
    /// A statement is in the order blue, green, red.
    func ordered(_ numbers: [Double]) -> [Double] {
      if numbers.count == 1 { return Array(repeating: numbers[0], count: channels) }
      return stated.channelOrder == .rgb ? numbers.reversed() : numbers
    }
    if let mean = options.mean { stated.mean = ordered(mean.channels) }
    if let scale = options.scale { stated.scale = ordered(scale) }
    if case (let own, .computed)? = rule {
      // Layers that only scale leave the mean to whoever feeds them.
      let agrees = stated.mean.isNear(own.mean) || own.mean.allSatisfy { $0 == 0 }
      guard agrees, stated.scale.isNear(own.scale) else {
        throw FileError(
          .unsupported, code: "mean.contradiction", file: file,
          "computes its own preprocessing, which is not what is stated", place: evidence, seen: own.summary,
          allowed: stated.summary, advice: "leave out --mean and --scale: pictures need nothing else")
      }
    }
    return stated
  }

  /// Who says what, for people.
  private func statement(_ options: ImportOptions, of stated: Preprocessing) -> String {
    var text = "stated on the command line"
    if let mean = options.mean, mean.picture != nil { text += ": \(mean.evidence)" }
    if let (own, basis) = rule {
      if options.mean == nil, basis == .assumed {
        text += "; the mean is assumed"
      } else if basis == .computed, options.mean == nil || options.scale == nil {
        text += "; the rest \(evidence)"
      }
      if basis == .assumed, own.channelOrder != .gray, options.channelOrder == nil {
        text += "; the channel order is assumed"
      }
    }
    return text + (saidInSource.map { "; \($0)" } ?? "")
  }
}

extension [Double] {
  /// Whether two lists differ only by rounding, as 1/255 and 0.00392157 do.
  fileprivate func isNear(_ other: [Double]) -> Bool {
    count == other.count && zip(self, other).allSatisfy { abs($0 - $1) <= 1e-4 * Swift.max(abs($0), abs($1)) }
  }
}
