internal import CMemoryFaults
internal import Glibc

/// A folder that appears under its name when all of its files are complete, or not at all.
///
/// Its files have no names while they are written, so nothing is left behind however the program ends.
package final class AtomicFolder {
  private let path: String
  private let marker: String?
  private var files: [(name: String, file: AtomicFile)] = []
  private var parent: String { AtomicFile.folder(of: path) }

  /// Begins a folder.
  ///
  /// - Parameters:
  ///   - path: Where it is to be.
  ///   - marker: The name of a file by which a folder is known to be of the same kind; such a folder is replaced, with all that is
  ///     in it. Nil: nothing is replaced.
  /// - Throws: `cannotCreate` where something stands under the name that is not to be replaced.
  package init(path: String, replacing marker: String? = nil) throws(FileError) {
    let name = path.reversed().drop { $0 == "/" }.reversed()
    self.path = String(name)
    self.marker = marker
    _ = try replacedFiles()
  }

  /// Begins a file of the folder.
  ///
  /// - Parameter name: Its name in the folder.
  /// - Throws: `cannotCreate` where there is no room for a file beside the folder.
  package func file(named name: String) throws(FileError) -> AtomicFile {
    let file = try AtomicFile(path: "\(path)/\(name)", createdIn: parent)
    files.append((name, file))
    return file
  }

  /// Gives the folder its name, when its files are safely on the disk.
  package func publish() throws(FileError) {
    let temporary = AtomicFile.temporaryName(in: parent)
    guard mkdir(temporary, 0o777) == 0 else { throw AtomicFile.cannotCreate(path, errno) }
    var leftovers = files.map(\.name)
    defer {
      for name in leftovers { unlink("\(temporary)/\(name)") }
      rmdir(temporary)
    }
    for (name, file) in files { try file.publish(as: "\(temporary)/\(name)") }
    guard AtomicFile.sync(folder: temporary) else { throw AtomicFile.cannotCreate(path, errno) }
    let replaced = try replacedFiles()
    let aside = AtomicFile.temporaryName(in: parent)
    guard replaced == nil || rename(path, aside) == 0 else { throw AtomicFile.cannotCreate(path, errno) }
    // Where a folder appeared meanwhile, only an empty one is replaced.
    guard rename(temporary, path) == 0 else {
      let reason = errno
      if replaced != nil { rename(aside, path) }
      throw AtomicFile.cannotCreate(path, reason)
    }
    leftovers = []
    for name in replaced ?? [] { unlink("\(aside)/\(name)") }
    if replaced != nil { rmdir(aside) }
    guard AtomicFile.sync(folder: parent) else { throw AtomicFile.cannotCreate(path, errno) }
  }

  /// The files of the folder that is to be replaced; nil: there is none.
  private func replacedFiles() throws(FileError) -> [String]? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    func refusal(_ problem: String, _ advice: String = "choose another name") -> FileError {
      FileError(.cannotCreate, code: "output.exists", file: path, problem, advice: advice)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw refusal("is there already, and is no folder") }
    guard let names = namesInFolder(path) else { throw AtomicFile.cannotCreate(path, errno) }
    guard !names.isEmpty else { return [] }
    guard let marker else { throw refusal("exists already", "--force replaces it") }
    guard names.contains(marker) else { throw refusal("is there already, and holds other things") }
    for name in names {
      guard lstat("\(path)/\(name)", &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
        throw refusal("is there already, and holds a folder, \(name), which would be lost")
      }
    }
    return names
  }
}
