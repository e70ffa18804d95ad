internal import VGGArchive
internal import VGGBytes
internal import VGGInterchange

/// A file as PyTorch writes it since 1.6: a zip archive of a pickle and, as members of their own, the storages that it names.
struct TorchArchive {
  private let archive: ZipArchive
  private let file: MappedFile
  /// The folder that all members are in, with a slash.
  private let folder: String
  private let pickle: ZipArchive.Member
  private let scratchFolder: String

  /// Opens an archive; nil where it is another zip archive.
  init?(_ file: MappedFile, scratchFolder: String) throws(FileError) {
    let archive = try ZipArchive(file.bytes, file: file.path, scratchFolder: scratchFolder)
    guard
      let pickle = archive.members.first(where: {
        $0.name.hasSuffix("/data.pkl") && $0.name.split(separator: "/").count == 2
      })
    else { return nil }
    (self.archive, self.file, self.pickle, self.scratchFolder) = (archive, file, pickle, scratchFolder)
    folder = String(pickle.name.dropLast("data.pkl".count))
  }

  /// The named tensors; their numbers stay in the file.
  func stateDict() throws(FileError) -> StateDict {
    guard archive.member("\(folder)constants.pkl") == nil else {
      throw FileError(
        .unsupported, code: "torch.script", file: file.path, "is a TorchScript program, not a state dict",
        place: "member \(folder)constants.pkl",
        advice: "in PyTorch, save its weights: torch.save(torch.jit.load(path).state_dict(), \"weights.pth\")"
      )
    }
    let order = try archive.member("\(folder)byteorder").map { (member) throws(FileError) in
      try archive.bytes(of: member, maximumBytes: 16).withBytes { String(decoding: $0, as: UTF8.self) }
    }
    guard order == nil || order == "little" || order == "big" else {
      throw FileError(
        .malformed, code: "torch.byteorder", file: file.path, "has an unknown order of bytes",
        place: "member \(folder)byteorder", seen: order, allowed: "little or big")
    }
    let bytes = try archive.bytes(of: pickle, maximumBytes: Unpickler.mostBytes)
    var unpickler = Unpickler(bytes, file: file.path, start: offset(of: bytes) ?? 0)
    let root = try unpickler.next()
    var found: [String: (bytes: ByteRegion, fileOffset: Int?)] = [:]
    // PyTorch looks for members without regard to case.
    let members = Dictionary(archive.members.map { ($0.name.lowercased(), $0) }) { first, _ in first }
    guard members.count == archive.members.count else {
      throw FileError(
        .malformed, code: "torch.duplicate", file: file.path,
        "has two members whose names differ in case only",
        place: "archive")
    }
    return try StateDict(
      root, unpickler.heap, file: file.path, isBigEndian: order == "big", scratchFolder: scratchFolder,
      mostCopiedBytes: file.bytes.count
    ) { (storage) throws(FileError) in
      if let known = found[storage.key] { return known }
      guard let member = members["\(folder)data/\(storage.key)".lowercased()] else {
        throw FileError(
          .malformed, code: "torch.storage", file: file.path, "lacks a storage that its pickle names",
          place: "member \(folder)data/\(storage.key.prefix(40))")
      }
      let bytes = try archive.bytes(of: member)
      found[storage.key] = (bytes, offset(of: bytes))
      return (bytes, offset(of: bytes))
    }
  }

  /// Where a member's bytes stand in the file; nil where they had to be unpacked.
  private func offset(of bytes: ByteRegion) -> Int? {
    file.bytes.withBytes { all in
      bytes.withBytes { part in
        guard let start = all.baseAddress, let place = part.baseAddress, place >= start,
          place <= start + all.count
        else { return nil }
        return place - start
      }
    }
  }
}
