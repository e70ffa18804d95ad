internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Which network it is: all that the source tells of kernels and poolings must agree with it.
extension NetworkBuilder {
  /// The network, or the beginning of one, that the convolutions and poolings are, with the poolings of its blocks.
  ///
  /// - Parameter wanted: The network that it must be; nil: whichever it is.
  mutating func identify(_ wanted: Architecture?) throws(FileError) -> (
    prefix: NetworkPrefix, poolings: [Pooling]
  ) {
    do throws(FileError) {
      let prefix = try prefix(wanted)
      return (prefix, poolings(of: prefix))
    } catch {
      let shapes = found.convolutions.map(\.weight.canonicalShape)
      throw error.naming(
        ForeignNetwork(
          kernels: shapes.filter { $0.count == 4 }.map {
            ForeignNetwork.Kernel(outputs: $0[3], inputs: $0[2], height: $0[0], width: $0[1])
          }, hasDense: !found.dense.isEmpty) ?? found.foreignNetwork())
    }
  }

  private mutating func prefix(_ wanted: Architecture?) throws(FileError) -> NetworkPrefix {
    let candidates = try candidates()
    splitHeadPooling(candidates)
    let agreeing = candidates.filter(agrees)
    guard let seen = agreeing.first else { throw misplacedPoolings(candidates) }
    let fitting = agreeing.filter { wanted == nil || $0.architecture == wanted }
    guard let first = fitting.first else {
      throw FileError(
        .unsupported, code: "model.architecture", file: file, "is another network than was asked for",
        seen: seen.architecture.rawValue, allowed: wanted?.rawValue)
    }
    let prefix = found.poolings.areCounted ? fitting.first(where: widthsAgree) ?? first : first
    try requireWidthsToAgree(prefix, candidates)
    note(prefix, others: agreeing.filter { $0 != prefix })
    return prefix
  }

  /// All beginnings of networks with these kernels, wherever poolings stand.
  private func candidates() throws(FileError) -> [NetworkPrefix] {
    var sides: [Int] = []
    for layer in found.convolutions {
      let shape = layer.weight.canonicalShape
      guard shape.count == 4, shape[0] == shape[1], shape[0] == 1 || shape[0] == 3 else {
        throw FileError(
          .unsupported, code: "model.kernel", file: file, "is not a VGG", place: "layer \(layer.name)",
          seen: "a kernel of \(shape.prefix(2).map(String.init).joined(separator: "x"))",
          allowed: "3x3 or 1x1")
      }
      sides.append(shape[0])
    }
    let candidates = NetworkPrefix.candidates(
      kernelSides: sides, hasNormalization: found.normalization != nil)
    guard candidates.isEmpty else { return candidates }
    let known = Architecture.allCases.map { "\($0.rawValue): \($0.convolutionCount)" }.joined(separator: ", ")
    var seen = "\(sides.count) convolutions"
    if let first = sides.firstIndex(of: 1) { seen += ", number \(first + 1) the first of 1x1" }
    if found.normalization != nil { seen += ", a local response normalisation" }
    throw FileError(
      .unsupported, code: "model.architecture", file: file,
      "is neither one of the six VGG networks nor the beginning of one", seen: seen,
      allowed: known + "; 1x1 only as the third convolution of blocks 3 to 5 of C")
  }

  /// Takes one pooling more than a network has for the head's, where only their number is known.
  private mutating func splitHeadPooling(_ candidates: [NetworkPrefix]) {
    guard found.headPooling == nil else { return }
    guard case .counted(let count, let pooling) = found.poolings, !candidates.contains(where: agrees),
      candidates.contains(where: { $0.endsInPooling && $0.poolingPlaces.count == count - 1 })
    else { return }
    found.headPooling = pooling
    found.poolings = .counted(count - 1, pooling)
    decisions.append(
      Provenance.Decision(.headPooling(.behindLastBlock), because: "assumed: there are \(count) poolings"))
  }

  /// Whether all that is known of the poolings is as in a network.
  private func agrees(_ prefix: NetworkPrefix) -> Bool {
    if let blockSizes = found.blockSizes, blockSizes != prefix.blockSizes { return false }
    switch found.poolings {
    case .placed(let placed): return placed.map(\.convolutionCount) == prefix.poolingPlaces
    case .counted(let count, _): return count == prefix.poolingPlaces.count
    case .unknown: return prefix.isWhole || found.blockSizes != nil
    }
  }

  private func poolings(of prefix: NetworkPrefix) -> [Pooling] {
    switch found.poolings {
    case .placed(let placed): placed.map(\.pooling)
    case .counted(_, let pooling), .unknown(let pooling):
      Array(repeating: pooling, count: prefix.poolingPlaces.count)
    }
  }

  /// Where nothing tells the blocks, their widths must not speak for another network: they change where a block begins.
  private func requireWidthsToAgree(
    _ prefix: NetworkPrefix, _ candidates: [NetworkPrefix]
  ) throws(FileError) {
    guard case .unknown = found.poolings, found.blockSizes == nil else { return }
    guard !widthsAgree(prefix), let other = candidates.first(where: widthsAgree) else { return }
    throw FileError(
      .unsupported, code: "model.poolings", file: file, "does not tell where its poolings stand",
      seen: "as many convolutions as \(prefix.title), but widths that change as in \(other.title)",
      allowed: "layers that say where they stand",
      advice: "save the whole model, whose configuration tells")
  }

  /// Whether all convolutions of each block have the same width.
  private func widthsAgree(_ prefix: NetworkPrefix) -> Bool {
    var remaining = found.convolutions.map { $0.weight.canonicalShape[3] }[...]
    return prefix.blockSizes.allSatisfy { size in
      defer { remaining = remaining.dropFirst(size) }
      return Set(remaining.prefix(size)).count == 1
    }
  }

  private func misplacedPoolings(_ candidates: [NetworkPrefix]) -> FileError {
    var seen: [String] = []
    switch found.poolings {
    case .placed(let placed):
      let places = placed.map { "\($0.convolutionCount)" }.joined(separator: ", ")
      seen.append(
        placed.isEmpty
          ? "no poolings"
          : "\(placed.count) \(plural("pooling", placed.count)) behind \(places) \(plural("convolution", placed.last?.convolutionCount ?? 0))"
      )
    case .counted(let count, _): seen.append("\(count) \(plural("pooling", count))")
    case .unknown: seen.append("no word of where poolings stand")
    }
    if let sizes = found.blockSizes {
      seen.append("names of blocks of \(sizes.map(String.init).joined(separator: ", ")) convolutions")
    }
    seen.append("\(found.convolutions.count) convolutions in all")
    let allowed = Set(candidates.map(\.architecture)).sorted { $0.rawValue < $1.rawValue }.compactMap {
      network in candidates.first { $0.architecture == network }
    }.map { "\($0.title): behind \($0.poolingPlaces.map(String.init).joined(separator: ", "))" }
    return FileError(
      .unsupported, code: "model.poolings", file: file,
      "is not a VGG: its poolings stand elsewhere", seen: seen.joined(separator: ", "),
      allowed: allowed.joined(separator: "; "),
      advice: found.poolings.areUnknown ? "save the whole model, whose configuration tells" : nil)
  }

  /// Says what was found where it is not a whole network, and what was assumed of the poolings.
  private mutating func note(_ prefix: NetworkPrefix, others: [NetworkPrefix]) {
    if !prefix.isWhole {
      var evidence = "it has \(prefix.convolutionCount) convolutions and ends there"
      let alike = others.filter {
        $0.poolingPlaces == prefix.poolingPlaces && $0.architecture != prefix.architecture
      }.map(\.architecture.rawValue)
      if !alike.isEmpty { evidence += "; the same layers begin \(alike.joined(separator: " and "))" }
      decisions.append(Provenance.Decision(.network(prefix), because: evidence))
    }
    var evidence: String?
    switch found.poolings {
    case .placed: break
    case .counted:
      if let other = others.first(where: { $0.poolingPlaces != prefix.poolingPlaces }) {
        evidence = "assumed: the file tells only their number, which \(other.title) has too"
      }
    case .unknown:
      evidence =
        found.blockSizes == nil
        ? "assumed: the file does not tell"
        : "the names of the convolutions tell the blocks; assumed: the last one ends in a pooling"
      if found.blockSizes != nil, !prefix.endsInPooling {
        evidence = "the names of the convolutions tell the blocks"
      }
    }
    if let evidence {
      decisions.append(Provenance.Decision(.poolings(prefix.poolingPlaces), because: evidence))
    }
  }
}

extension FoundNetwork.Poolings {
  /// Whether nothing is known of them.
  var areUnknown: Bool { if case .unknown = self { true } else { false } }
  /// Whether only their number is known.
  var areCounted: Bool { if case .counted = self { true } else { false } }
}

/// `pooling` or `poolings`.
private func plural(_ word: String, _ count: Int) -> String { count == 1 ? word : word + "s" }
