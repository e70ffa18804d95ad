public import VGGArchive
public import VGGBytes
internal import VGGTensors

/// An `.npz` file: a zip archive of named `.npy` arrays.
public struct NumPyArchive {
  /// The names of the arrays in the order of the file, without `.npy`.
  public let names: [String]

  private let archive: ZipArchive
  private let file: String
  /// What a compressed array may unpack to, in temporary files.
  private static let mostBytes = 1 << 34

  /// Opens an archive.
  ///
  /// - Parameters:
  ///   - file: The archive.
  ///   - scratchFolder: Where compressed arrays are unpacked.
  /// - Throws: `malformed` where it is no sound archive, or has a member that is not an array.
  public init(
    _ file: MappedFile, scratchFolder: String = ScratchFile.standardFolder
  ) throws(FileError) {
    archive = try ZipArchive(file.bytes, file: file.path, scratchFolder: scratchFolder)
    self.file = file.path
    var names: [String] = []
    for member in archive.members {
      guard member.name.hasSuffix(".npy") else {
        throw FileError(
          .malformed, code: "npz.member", file: file.path, "has a member that is not an array",
          place: "member \(member.name)", allowed: "names that end in .npy")
      }
      names.append(String(member.name.dropLast(4)))
    }
    self.names = names
  }

  /// The array of a name; nil where there is none.
  public func array(_ name: String) throws(FileError) -> NumericArray? {
    guard let member = archive.member("\(name).npy") else { return nil }
    let bytes = try archive.bytes(of: member, maximumBytes: NumPyArchive.mostBytes)
    return try NumericArray(npy: bytes, file: file, name: name)
  }
}

extension NumPyArchive {
  /// The members of an archive of arrays.
  public static func members(_ arrays: [NamedArray]) -> [ArchiveMember] {
    arrays.map { ArchiveMember(name: "\($0.name).npy", content: $0.npy) }
  }

  /// Writes arrays as an `.npz` file; equal arrays give equal bytes.
  ///
  /// - Parameters:
  ///   - arrays: The arrays, at least one, with different names.
  ///   - path: Where to write the file, which appears when it is complete or not at all.
  ///   - overwrite: Whether a file of that name is replaced.
  ///   - progress: Called with the number of bytes that were written since the last call.
  public static func write(
    _ arrays: [NamedArray], to path: String, overwrite: Bool, progress: @escaping (Int) -> Void = { _ in }
  ) throws(FileError) {
    try ArchiveWriter.write(members(arrays), to: path, overwrite: overwrite, progress: progress)
  }
}

extension NamedArray {
  /// Writes an array alone as an `.npy` file; reals are float32.
  ///
  /// - Parameters:
  ///   - path: Where to write the file, which appears when it is complete or not at all.
  ///   - overwrite: Whether a file of that name is replaced.
  public func write(to path: String, overwrite: Bool) throws(FileError) {
    let output = try AtomicFile(path: path, overwrite: overwrite)
    try npy.write(to: output)
    try output.publish()
  }

  /// The array as a file of NumPy's, which has no numbers of less than float32.
  fileprivate var npy: FileContent {
    let description =
      switch type {
      case .float32, .float16, .bfloat16: "<f4"
      case .int8: "|i1"
      case .int32: "<i4"
      case .int64: "<i8"
      }
    var content = FileContent([.bytes(ArrayHeader.bytes(of: description, shape: shape))])
    if case .reals(let values, _) = numbers {
      content.append(.reals(values, as: .float32))
    } else {
      content.append(numbers)
    }
    return content
  }
}

extension ArrayHeader {
  /// The header of an array, version 1.0, as NumPy writes it: padded so that the data starts at a multiple of 64.
  ///
  /// - Parameters:
  ///   - description: How a number is stored.
  ///   - shape: The lengths of the axes.
  static func bytes(of description: String, shape: [Int]) -> [UInt8] {
    let lengths = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = Array("{'descr': '\(description)', 'fortran_order': False, 'shape': (\(lengths)), }".utf8)
    let prefix = magic + [1, 0]
    let unpadded = prefix.count + 2 + text.count + 1
    text += Array(repeating: 0x20, count: (64 - unpadded % 64) % 64) + [0x0A]
    let length = UInt16(text.count)
    return prefix + [UInt8(truncatingIfNeeded: length), UInt8(length >> 8)] + text
  }
}
