internal import VGGBytes
internal import VGGHDF5

/// Looking things up in an HDF5 file that may hold anything; what is not there is an error that says so.
struct FileReading {
  /// The file.
  let source: KerasFile
  /// Its path, for errors.
  var file: String { source.path }

  init(_ source: KerasFile) { self.source = source }

  /// The node at a path. Links are refused wherever they stand: what they lead to may be outside of the file.
  func node(_ path: String, in group: HDF5Group) throws(FileError) -> HDF5Node {
    var group = group
    var steps = path.split(separator: "/")[...]
    while let step = steps.popFirst() {
      let place = group.path.isEmpty ? String(step) : "\(group.path)/\(step)"
      guard let node = group[path: String(step)] else {
        throw FileError(
          .malformed, code: "keras.missing", file: file, "names a weight or layer that is not there",
          place: place)
      }
      if case .link(let link) = node { throw refusal(of: link, at: place) }
      if steps.isEmpty { return node }
      guard case .group(let next) = node else { throw wrongNode(place, allowed: "a group") }
      group = next
    }
    return .group(group)
  }

  func group(_ path: String, in group: HDF5Group) throws(FileError) -> HDF5Group {
    guard case .group(let found) = try node(path, in: group) else {
      throw wrongNode(path, allowed: "a group")
    }
    return found
  }

  func dataset(_ path: String, in group: HDF5Group) throws(FileError) -> HDF5Dataset {
    guard case .dataset(let found) = try node(path, in: group) else {
      throw wrongNode(group.path.isEmpty ? path : "\(group.path)/\(path)", allowed: "a data set")
    }
    return found
  }

  /// A list of names; one that is too long for an attribute is split into `name0`, `name1` ….
  func names(_ name: String, of group: HDF5Group) throws(FileError) -> [String] {
    if let attribute = group.attributes[name] { return try list(attribute, name, of: group) }
    var names: [String] = []
    var part = 0
    while let attribute = group.attributes["\(name)\(part)"] {
      names += try list(attribute, "\(name)\(part)", of: group)
      part += 1
    }
    guard part > 0 else { throw missingAttribute(name, of: group) }
    return names
  }

  /// A whole number that is no size of anything yet.
  func count(_ name: String, of group: HDF5Group) throws(FileError) -> Int {
    guard let count = group.attributes[name]?.integer, count >= 0 else {
      throw missingAttribute(name, of: group)
    }
    return count
  }

  /// A weight of a group.
  func weight(_ name: String, in group: HDF5Group) throws(FileError) -> KerasWeight {
    KerasWeight(name: name, dataset: try dataset(name, in: group), file: source)
  }

  func refusal(of link: HDF5Link, at place: String) -> FileError {
    let target = link.target.isEmpty ? "" : " to \(link.target)"
    return FileError(
      .unsupported, code: "keras.link", file: file,
      "has a link in the place of a weight; links are never followed",
      place: place, seen: "a link (\(link.kind.rawValue))\(target)", allowed: "a data set of this file")
  }

  private func list(
    _ attribute: HDF5Attribute, _ name: String, of group: HDF5Group
  ) throws(FileError) -> [String] {
    if let list = attribute.list { return list }
    throw FileError(
      .malformed, code: "keras.attribute", file: file, "has an attribute that is not a list of names",
      place: "attribute \(name) of \(group.path.isEmpty ? "the file" : group.path)",
      seen: String("\(attribute)".prefix(80)), allowed: "texts")
  }

  private func missingAttribute(_ name: String, of group: HDF5Group) -> FileError {
    FileError(
      .malformed, code: "keras.attribute", file: file, "lacks an attribute",
      place: group.path.isEmpty ? "the root group" : "group \(group.path)", allowed: "an attribute \(name)")
  }

  private func wrongNode(_ place: String, allowed: String) -> FileError {
    FileError(
      .malformed, code: "keras.missing", file: file, "has something else in the place of a weight or layer",
      place: place, allowed: allowed)
  }
}
