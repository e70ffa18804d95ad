internal import VGGBytes
internal import VGGHDF5
internal import VGGModel

/// Reads Caffe's HDF5 snapshots (`.caffemodel.h5`).
///
/// A group `data` holds a group for each layer, also for those without weights, with data sets `0`, `1` …; a group `diff`
/// the same with gradients. A name with slashes makes groups in groups. Types, settings and the order of the layers
/// are not in the file.
struct SnapshotReader {
  /// What an HDF5 file is to Caffe.
  enum Kind {
    case weights
    case solverState
    case foreign

    /// Looks at the names in a file.
    init(_ root: HDF5Group) {
      if root.group("history") != nil, root.dataset("iter") != nil {
        self = .solverState
      } else if root.attributes["layer_names"] == nil, let data = root.group("data"), data.holdsBlobs {
        self = .weights
      } else {
        self = .foreign
      }
    }
  }

  private let file: CaffeFile
  private var layers: [CaffeLayer] = []
  private var dropped: [Provenance.DroppedTensor] = []

  /// The layers of a snapshot in the order of the numbers in their names, with nothing known but their blobs.
  static func net(in file: CaffeFile) throws(FileError) -> CaffeNet {
    let snapshot = try HDF5File.open(file.bytes, named: file.path)
    switch Kind(snapshot.root) {
    case .weights: break
    case .solverState:
      throw file.unsupported(
        "kind.solverstate", "is a solver's state and holds no weights",
        advice: "give the .caffemodel.h5 that was saved with it")
    case .foreign:
      throw file.unsupported(
        "kind.unknown", "is an HDF5 file, but not a Caffe snapshot",
        seen: "groups \(snapshot.root.names.prefix(5).joined(separator: ", "))",
        allowed: "data, with a group for each layer")
    }
    var reader = SnapshotReader(file: file)
    for (name, node) in snapshot.root.children {
      switch (name, node) {
      case ("data", .group(let group)): try reader.addLayers(of: group, name: "")
      case ("diff", .group(let group)): try reader.dropDifferences(of: group)
      default: throw reader.unknown(name, node)
      }
    }
    var net = CaffeNet(generation: .snapshot)
    net.layers = reader.layers.sorted { $0.name.isBeforeByNumber($1.name) }
    net.snapshot = snapshot
    net.dropped = reader.dropped
    return net
  }

  private init(file: CaffeFile) { self.file = file }

  private mutating func addLayers(of group: HDF5Group, name: String) throws(FileError) {
    var blobs: [Int: BlobPlace] = [:]
    for (childName, node) in group.children {
      switch node {
      case .group(let child):
        try addLayers(of: child, name: name.isEmpty ? childName : "\(name)/\(childName)")
      case .dataset(let dataset):
        guard !name.isEmpty, let index = Int(childName), String(index) == childName,
          (0..<NetReader.blobLimit).contains(index)
        else { throw unknown(dataset.path, node) }
        blobs[index] = .dataset(dataset.path)
      case .link, .namedType: throw unknown("\(group.path)/\(childName)", node)
      }
    }
    let inOrder = (0..<blobs.count).compactMap { blobs[$0] }
    guard inOrder.count == blobs.count else {
      throw file.unsupported(
        "snapshot.shared", "is missing a blob, which Caffe leaves out where two layers share it",
        place: "group \(group.path)", seen: "\(blobs.keys.sorted())", allowed: "blobs numbered from 0",
        advice: "use the .caffemodel")
    }
    guard !name.isEmpty else { return }
    layers.append(
      CaffeLayer(
        name: name, type: "", operation: .undescribed, bottoms: [], tops: [], isUsedForTesting: true,
        blobs: inOrder))
  }

  private mutating func dropDifferences(of group: HDF5Group) throws(FileError) {
    for (name, node) in group.children {
      switch node {
      case .group(let child): try dropDifferences(of: child)
      case .dataset(let dataset):
        dropped.append(
          Provenance.DroppedTensor(dataset.path, because: "gradients, needed only to go on training"))
      case .link, .namedType: throw unknown("\(group.path)/\(name)", node)
      }
    }
  }

  private func unknown(_ path: String, _ node: HDF5Node) -> FileError {
    let seen: String
    switch node {
    case .group: seen = "a group"
    case .dataset(let dataset): seen = "a data set of shape \(dataset.shape)"
    case .link(let link): seen = "a link (\(link.kind.rawValue)), which is never followed"
    case .namedType: seen = "a type"
    }
    return file.unsupported(
      "snapshot.unknown", "has something that does not belong in a Caffe snapshot", place: path, seen: seen,
      allowed: "groups data and diff, a group for each layer, and data sets 0, 1 … in it")
  }
}

extension HDF5Group {
  /// Whether there is a data set `0` in a group below this one.
  fileprivate var holdsBlobs: Bool {
    children.contains { _, node in
      guard case .group(let group) = node else { return false }
      return group.dataset("0") != nil || group.holdsBlobs
    }
  }
}

extension String {
  /// Whether a name comes before another one if runs of digits count as numbers: `conv2` before `conv10`.
  func isBeforeByNumber(_ other: String) -> Bool {
    let (parts, others) = (numberedParts, other.numberedParts)
    for (part, other) in zip(parts, others) where part != other {
      guard case (.number(let digits), .number(let others)) = (part, other) else {
        return part.text < other.text
      }
      // Without leading zeros the longer number is the larger one, however long it is.
      return digits.count != others.count ? digits.count < others.count : digits < others
    }
    return parts.count != others.count ? parts.count < others.count : self < other
  }

  /// The name with each number replaced: layers of one series have it in common.
  var template: String {
    numberedParts.map { if case .text(let text) = $0 { text } else { "#" } }.joined()
  }

  private enum Part: Equatable {
    case text(String)
    /// Digits without leading zeros.
    case number(String)

    var text: String {
      switch self {
      case .text(let text), .number(let text): text
      }
    }
  }

  private var numberedParts: [Part] {
    var parts: [Part] = []
    var rest = self[...]
    while let first = rest.first {
      let isNumber = first.isASCII && first.isWholeNumber
      let run = rest.prefix { ($0.isASCII && $0.isWholeNumber) == isNumber }
      parts.append(isNumber ? .number(String(run.drop { $0 == "0" })) : .text(String(run)))
      rest = rest[run.endIndex...]
    }
    return parts
  }
}
