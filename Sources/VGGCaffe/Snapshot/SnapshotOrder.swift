internal import VGGBytes
internal import VGGHDF5
internal import VGGModel
internal import VGGSources

/// Finds the order and the types of a snapshot's layers where no prototxt says them.
///
/// Layers of four axes are convolutions, those of two dense. The convolutions are a series whose names differ only in
/// numbers; the rest is a head of three layers at most, in a series or with only one order in which they fit. Whatever
/// is less certain is left to a prototxt.
struct SnapshotOrder {
  private let file: CaffeFile
  private let snapshot: HDF5File

  /// The network in its order, and the evidence for it.
  static func described(
    _ net: CaffeNet, in file: CaffeFile, options: ImportOptions
  ) throws(FileError) -> (net: CaffeNet, decision: Provenance.Decision) {
    guard let snapshot = net.snapshot else { preconditionFailure("only of a snapshot") }
    let order = SnapshotOrder(file: file, snapshot: snapshot)
    if options.normalization == nil {
      try order.requireNoNormalization(net)
    }
    let layers = try order.inOrder(try net.layers.filter { !$0.blobs.isEmpty }.map(order.member))
    var net = net
    net.layers = layers.map(\.layer)
    return (
      net,
      Provenance.Decision(
        .layerOrder(first: layers.first?.layer.name ?? "", last: layers.last?.layer.name ?? ""),
        because: "a snapshot does not tell it; the names are numbered and each layer fits the one before it")
    )
  }

  /// A layer with what its weight's shape says.
  private struct Member {
    var layer: CaffeLayer
    var shape: [Int]
    var isConvolution: Bool { shape.count == 4 }

    /// Whether the layer can read what another one gives; a dense layer reads whole pictures of channels.
    func fits(behind other: Member) -> Bool {
      guard other.isConvolution, !isConvolution else { return shape[1] == other.shape[0] }
      return shape[1] % other.shape[0] == 0
    }
  }

  private func member(_ layer: CaffeLayer) throws(FileError) -> Member {
    let shapes = layer.blobs.map { blob in
      if case .dataset(let path) = blob { snapshot.root.dataset(path)?.shape ?? [] } else { [Int]() }
    }
    guard let shape = shapes.first, shape.count == 4 || shape.count == 2, shape.allSatisfy({ $0 > 0 }),
      layer.blobs.count <= 2
    else {
      throw refusal(
        layer.name, seen: "blobs of shapes \(shapes.map { "\($0)" }.joined(separator: ", "))",
        allowed: "a weight of four axes or two, and a bias")
    }
    var layer = layer
    layer.operation = shape.count == 4 ? .convolution(nil) : .innerProduct(nil)
    layer.type = shape.count == 4 ? "Convolution" : "InnerProduct"
    return Member(layer: layer, shape: shape)
  }

  private func inOrder(_ members: [Member]) throws(FileError) -> [Member] {
    let counts = Dictionary(grouping: members.filter(\.isConvolution), by: \.layer.name.template)
    guard let series = counts.max(by: { ($0.value.count, $1.key) < ($1.value.count, $0.key) })?.value else {
      throw refusal(nil, seen: "no convolutions", allowed: "the layers of a VGG network")
    }
    let names = Set(series.map(\.layer.name))
    let rest = members.filter { !names.contains($0.layer.name) }
    guard rest.count <= 3 else {
      throw refusal(
        rest[0].layer.name, seen: "a name unlike \(series[0].layer.name)",
        allowed: "names of one series, and three of a head")
    }
    for (layer, next) in zip(series, series.dropFirst()) where !next.fits(behind: layer) {
      throw misfit(next, behind: layer)
    }
    return series + (try head(rest, behind: series[series.count - 1]))
  }

  /// The layers behind the convolutions: in the order of their numbers, or in the only order that fits.
  private func head(_ members: [Member], behind last: Member) throws(FileError) -> [Member] {
    func fits(_ order: [Member]) -> Bool {
      zip([last] + order, order).allSatisfy { $1.fits(behind: $0) }
    }
    if Set(members.map(\.layer.name.template)).count <= 1 {
      for (layer, next) in zip([last] + members, members) where !next.fits(behind: layer) {
        throw misfit(next, behind: layer)
      }
      return members
    }
    let fitting = permutations(members).filter(fits)
    guard fitting.count == 1 else {
      throw refusal(
        members[0].layer.name,
        seen: "\(fitting.count) orders of \(members.map(\.layer.name).joined(separator: ", "))",
        allowed: "only one in which each layer fits the one before it")
    }
    return fitting[0]
  }

  private func permutations(_ members: [Member]) -> [[Member]] {
    guard members.count > 1 else { return [members] }
    return members.indices.flatMap { index in
      var rest = members
      let first = rest.remove(at: index)
      return permutations(rest).map { [first] + $0 }
    }
  }

  /// A normalisation has no weights, but Caffe writes a group for it, which its name gives away.
  private func requireNoNormalization(_ net: CaffeNet) throws(FileError) {
    let suspect = net.layers.first { layer in
      layer.blobs.isEmpty && ["norm", "lrn"].contains(where: layer.name.lowercased().contains)
    }
    guard let suspect else { return }
    throw refusal(
      suspect.name, seen: "a layer without weights, by its name a normalisation",
      allowed: "its constants, which a snapshot does not hold", advice: ", or --lrn with its constants")
  }

  private func misfit(_ member: Member, behind other: Member) -> FileError {
    refusal(
      member.layer.name, seen: "a weight of shape \(member.shape)",
      allowed: "one for the \(other.shape[0]) outputs of \(other.layer.name)")
  }

  private func refusal(
    _ layer: String?, seen: String, allowed: String, advice: String = ""
  ) -> FileError {
    file.unsupported(
      "snapshot.order", "does not tell the order of its layers; no Caffe snapshot in HDF5 does",
      place: layer.map { "layer \($0)" }, seen: seen, allowed: allowed,
      advice: "give the network's prototxt with --prototxt" + advice)
  }
}
