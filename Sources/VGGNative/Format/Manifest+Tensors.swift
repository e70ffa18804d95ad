internal import VGGBytes
internal import VGGModel
internal import VGGTensors

extension Manifest {
  /// Requires exactly the tensors that the layers need, each once, in order, and tiling the data area without a hole.
  ///
  /// - Parameters:
  ///   - manifestOffset: Where the manifest stands: right behind the data area.
  ///   - path: The file, for errors.
  func checkTensors(manifestOffset: Int, path: String) throws(FileError) {
    func failure(
      _ field: String, _ problem: String, _ name: String, seen: String, allowed: String
    ) -> FileError {
      FileError(
        .malformed, code: "vggw.tensor.\(field)", file: path, problem, offset: manifestOffset,
        place: "tensor \(name)", seen: seen, allowed: allowed)
    }
    let needed = network.tensorRequirements.sorted { DataArea.isOrdered($0.name, before: $1.name) }
    var end = Header.byteCount
    for (index, record) in tensors.enumerated() {
      guard index < needed.count, record.name == needed[index].name else {
        throw failure(
          "name", "has a tensor that no layer needs, or in a wrong place", record.name, seen: record.name,
          allowed: index < needed.count ? needed[index].name : "no more tensors")
      }
      guard record.shape == needed[index].shape else {
        throw failure(
          "shape", "has a tensor of a wrong shape", record.name, seen: "\(record.shape)",
          allowed: "\(needed[index].shape)")
      }
      let layout = Tensor.Layout(rank: record.shape.count)
      guard record.role == needed[index].role, record.layout == layout else {
        throw failure(
          "layout", "has a tensor of a wrong role or layout", record.name,
          seen: "\(record.role.rawValue), \(record.layout.rawValue)",
          allowed: "\(needed[index].role.rawValue), \(layout.rawValue)")
      }
      let expected = DataArea.aligned(end) ?? Int.max
      guard record.offset == expected, record.storedBytes <= manifestOffset - record.offset else {
        throw failure(
          "offset", "has a tensor in a wrong place", record.name,
          seen: "\(record.storedBytes) bytes at \(record.offset)",
          allowed: "at \(expected), ending by \(manifestOffset)")
      }
      end = record.offset + record.storedBytes
    }
    guard tensors.count == needed.count else {
      throw failure(
        "missing", "is missing a tensor", needed[tensors.count].name, seen: "\(tensors.count) tensors",
        allowed: "\(needed.count)")
    }
    guard DataArea.aligned(end) == manifestOffset else {
      throw failure(
        "offset", "has bytes that belong to no tensor", tensors.last?.name ?? "",
        seen: "an end at \(end)", allowed: "just before \(manifestOffset)")
    }
  }
}

extension Tensor.Layout {
  /// The layout that tensors of a number of axes have.
  fileprivate init(rank: Int) {
    switch rank {
    case 4: self = .hwio
    case 2: self = .inOut
    default: self = .out
    }
  }
}
