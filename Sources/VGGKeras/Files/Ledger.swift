internal import VGGBytes
internal import VGGHDF5
internal import VGGModel

/// Which data sets of a file are used, and why others are not: nothing is skipped silently.
struct Ledger {
  /// A file's path and a place in it.
  private struct Place<Value: Hashable>: Hashable {
    var file: String
    var value: Value
  }
  private var used: Set<Place<String>> = []
  private var offsets: [Place<Int>: String] = [:]
  private var reasons: [Place<String>: String] = [:]

  /// Notes that a data set that is part of a layer is not needed.
  mutating func drop(_ weight: KerasWeight, because reason: String) {
    let place = Place(file: weight.file.path, value: weight.dataset.path)
    used.remove(place)
    reasons[place] = reason
  }

  /// Notes that a data set is used.
  ///
  /// - Throws: Where it is used already, under this name or another one.
  mutating func use(_ weight: KerasWeight) throws(FileError) {
    let (dataset, file) = (weight.dataset, weight.file.path)
    var other = used.insert(Place(file: file, value: dataset.path)).inserted ? nil : dataset.path
    if case .contiguous(let offset, let byteCount) = dataset.storage, byteCount > 0 {
      other = other ?? offsets[Place(file: file, value: offset)]
      offsets[Place(file: file, value: offset)] = dataset.path
    }
    if let other {
      throw FileError(
        .malformed, code: "keras.twice", file: file, "uses the same numbers for two weights",
        place: "tensor \(dataset.path)", seen: "those of \(other)")
    }
  }

  /// All data sets of a file that were not used.
  ///
  /// - Throws: Where there is no known reason to leave one out.
  func dropped(from file: KerasFile) throws(FileError) -> [Provenance.DroppedTensor] {
    try dropped(from: file.hdf5.root, of: file)
  }

  private func dropped(
    from group: HDF5Group, of file: KerasFile
  ) throws(FileError) -> [Provenance.DroppedTensor] {
    var dropped: [Provenance.DroppedTensor] = []
    for (name, node) in group.children {
      let path = group.path.isEmpty ? name : "\(group.path)/\(name)"
      switch node {
      case .group(let child): dropped += try self.dropped(from: child, of: file)
      case .namedType: break
      case .link(let link): throw FileReading(file).refusal(of: link, at: path)
      case .dataset(let dataset):
        if used.contains(Place(file: file.path, value: path)) { continue }
        guard let reason = reasons[Place(file: file.path, value: path)] ?? Ledger.reasonToDrop(path) else {
          throw FileError(
            .unsupported, code: "keras.unknown", file: file.path,
            "has a tensor that belongs to no layer of a VGG",
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
