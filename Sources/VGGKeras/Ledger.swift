internal import VGGHDF5
internal import VGGModel

/// Which data sets of a file are used, and why others are not: nothing is skipped silently.
struct Ledger {
  private let file: String
  private var used: Set<String> = []
  private var places: [Int: String] = [:]

  init(file: String) { self.file = file }

  /// Notes that a data set is used.
  ///
  /// - Throws: Where it is used already, under this name or another one.
  mutating func use(_ dataset: HDF5Dataset) throws(FileError) {
    var other = used.insert(dataset.path).inserted ? nil : dataset.path
    if case .contiguous(let offset, let byteCount) = dataset.storage, byteCount > 0 {
      other = other ?? places[offset]
      places[offset] = dataset.path
    }
    if let other {
      throw FileError(
        .malformed, code: "keras.twice", file: file, "uses the same numbers for two weights",
        place: "tensor \(dataset.path)", seen: "those of \(other)")
    }
  }

  /// All data sets that were not used.
  ///
  /// - Throws: Where there is no known reason to leave one out.
  func dropped(from group: HDF5Group) throws(FileError) -> [Provenance.DroppedTensor] {
    var dropped: [Provenance.DroppedTensor] = []
    for (name, node) in group.children {
      let path = group.path.isEmpty ? name : "\(group.path)/\(name)"
      switch node {
      case .group(let child): dropped += try self.dropped(from: child)
      case .namedType: break
      case .link(let link): throw FileReading(file: file).refusal(of: link, at: path)
      case .dataset(let dataset):
        if used.contains(path) { continue }
        guard let reason = Ledger.reasonToDrop(path) else {
          throw FileError(
            .unsupported, code: "keras.unknown", file: file, "has a tensor that belongs to no layer of a VGG",
            place: "tensor \(path)", seen: "shape \(dataset.shape)")
        }
        dropped.append(Provenance.DroppedTensor(path, because: reason))
      }
    }
    return dropped
  }

  /// Why the data sets at a path are not needed to compute the network; nil where they may be.
  static func reasonToDrop(_ path: String) -> String? {
    let steps = path.split(separator: "/")
    guard let first = steps.first else { return nil }
    if first == "optimizer_weights" || first == "optimizer" { return "state of the optimizer" }
    if first.contains("metric") || first.contains("loss_tracker") { return "state of a metric" }
    if steps.contains("seed_generator") { return "state of a random generator of the training" }
    return nil
  }
}
