internal import Glibc
internal import VGGBytes
internal import VGGPictures

/// The pictures in a folder, or in a folder's sub-folders, of which each is a class.
struct PictureFolder: Sendable {
  /// The folder's path.
  let path: String
  /// The pictures in order.
  private(set) var pictures: [(path: String, folder: Int)] = []
  /// The names of the sub-folders in the order of their bytes, also of empty ones; none where the pictures lie in the folder itself.
  let folders: [String]
  /// What was left out.
  private(set) var remarks: [PictureSetRemark] = []

  private var leftOutLinks: [String] = []
  private var leftOutFiles: [String] = []

  /// Whether a path is a folder, or a link to one.
  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Lists a folder; names that begin with a dot are hidden, as everywhere.
  ///
  /// - Throws: `malformed` where there are no pictures, or some lie beside sub-folders; `unsupported` for pictures of a kind that is
  ///   not read: they would be missed.
  init(_ path: String) throws(FileError) {
    self.path = path
    let top = try PictureFolder.entries(of: path)
    folders = top.filter { $0.kind == S_IFDIR }.map(\.name)
    try add(top, in: path, folder: 0)
    if !folders.isEmpty {
      if let picture = pictures.first {
        throw FileError(
          .malformed, code: "data.folder", file: path, "has pictures beside sub-folders",
          seen: "\(picture.path), \(path)/\(folders[0])/",
          allowed: "only pictures, or only sub-folders, one for each class")
      }
      for (index, name) in folders.enumerated() {
        let folder = "\(path)/\(name)"
        let entries = try PictureFolder.entries(of: folder)
        if let inner = entries.first(where: { $0.kind == S_IFDIR }) {
          throw FileError(
            .malformed, code: "data.folder", file: path, "has sub-folders in sub-folders",
            seen: "\(folder)/\(inner.name)/", allowed: "one sub-folder for each class")
        }
        try add(entries, in: folder, folder: index)
      }
    }
    guard !pictures.isEmpty else {
      let first = leftOutFiles.first ?? leftOutLinks.first
      throw FileError(
        .malformed, code: "data.empty", file: path,
        first == nil ? "is an empty folder" : "has no picture that can be read",
        seen: first, allowed: "PNG, JPEG and PPM pictures",
        advice: leftOutLinks.isEmpty ? nil : "links are not followed out of the folder: copy the pictures")
    }
    if let first = leftOutLinks.first { remarks.append(.linksLeftOut(leftOutLinks.count, first: first)) }
    if let first = leftOutFiles.first { remarks.append(.filesLeftOut(leftOutFiles.count, first: first)) }
  }

  /// Takes the pictures among the entries of a folder.
  private mutating func add(_ entries: [Entry], in parent: String, folder: Int) throws(FileError) {
    for entry in entries where entry.kind != S_IFDIR {
      let place = "\(parent)/\(entry.name)"
      if entry.kind == S_IFLNK, !leadsToFileInside(place) {
        leftOutLinks.append(place)
        continue
      }
      guard entry.kind == S_IFREG || entry.kind == S_IFLNK else {
        leftOutFiles.append(place)
        continue
      }
      let bytes = try MappedFile(path: place).bytes
      if let other = Picture.nameOfOtherKind(bytes) {
        throw FileError(
          .unsupported, code: "picture.kind", file: place, "is \(other), which is not read",
          allowed: "PNG, JPEG, binary PPM and PGM", advice: "convert it to PNG or JPEG, or take it away")
      }
      if Picture.hasSignature(bytes) {
        pictures.append((place, folder))
      } else {
        leftOutFiles.append(place)
      }
    }
  }

  /// Whether a link leads to a file in the folder or in one of its sub-folders.
  private func leadsToFileInside(_ link: String) -> Bool {
    guard let target = PictureFolder.realPath(link), let folder = PictureFolder.realPath(path),
      target.hasPrefix(folder == "/" ? folder : folder + "/")
    else { return false }
    var status = stat()
    return lstat(target, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// A path without links.
  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Something in a folder: its name, and what it is, links being links.
  private struct Entry {
    let name: String
    let kind: mode_t
  }

  /// What is in a folder, in the order of the names' bytes, without what is hidden.
  private static func entries(of folder: String) throws(FileError) -> [Entry] {
    func failure(_ path: String, _ problem: String) -> FileError {
      FileError(.unreadable, code: "data.list", file: path, "\(problem): \(systemMessage(errno))")
    }
    guard let names = namesInFolder(folder) else { throw failure(folder, "cannot be listed") }
    var entries: [Entry] = []
    for name in names where !name.hasPrefix(".") {
      var status = stat()
      guard lstat("\(folder)/\(name)", &status) == 0 else {
        throw failure("\(folder)/\(name)", "cannot be examined")
      }
      entries.append(Entry(name: name, kind: status.st_mode & S_IFMT))
    }
    return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }
}
