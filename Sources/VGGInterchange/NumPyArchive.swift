internal import VGGArchive
public import VGGBytes
public import VGGModel
public import VGGTensors

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

/// A float32 array to be written, with its name in an archive.
public struct NamedArray: Sendable {
  /// The name, without `.npy`.
  public var name: String
  /// The lengths of the axes.
  public var shape: [Int]
  /// The values, the last axis fastest.
  public var values: any TensorValues

  /// Creates an array.
  ///
  /// - Precondition: There are as many values as the shape has.
  public init(name: String, shape: [Int], values: any TensorValues) {
    precondition(shape.reduce(1, *) == values.count)
    self.name = name
    self.shape = shape
    self.values = values
  }

  /// Creates an array from values in memory.
  public init(name: String, shape: [Int], values: [Float]) {
    self.init(name: name, shape: shape, values: MemoryValues(values))
  }

  /// Creates an array from a model's tensor; its values are decoded.
  public init(_ tensor: Tensor) {
    self.init(name: tensor.name, shape: tensor.shape, values: tensor.values)
  }
}

extension NumPyArchive {
  /// Writes a model's tensors as an `.npz` file: float32, canonical names and layouts, whatever their encoding.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - path: Where to write the file, which appears when it is complete or not at all.
  ///   - overwrite: Whether a file of that name is replaced.
  ///   - progress: Called with the number of bytes that were written since the last call.
  public static func write(
    _ model: Model, to path: String, overwrite: Bool, progress: @escaping (Int) -> Void = { _ in }
  ) throws(FileError) {
    try write(model.tensors.map(NamedArray.init), to: path, overwrite: overwrite, progress: progress)
  }

  /// Writes float32 arrays as an `.npz` file; equal arrays give equal bytes.
  ///
  /// - Parameters:
  ///   - arrays: The arrays, at least one, with different names.
  ///   - path: Where to write the file, which appears when it is complete or not at all.
  ///   - overwrite: Whether a file of that name is replaced.
  ///   - progress: Called with the number of bytes that were written since the last call.
  public static func write(
    _ arrays: [NamedArray], to path: String, overwrite: Bool, progress: @escaping (Int) -> Void = { _ in }
  ) throws(FileError) {
    let members = arrays.map { array in
      ArchiveMember(
        name: "\(array.name).npy", header: ArrayHeader.bytes(shape: array.shape), values: array.values)
    }
    try ArchiveWriter.write(members, to: path, overwrite: overwrite, progress: progress)
  }
}

extension NamedArray {
  /// Writes the array alone as an `.npy` file.
  ///
  /// - Parameters:
  ///   - path: Where to write the file, which appears when it is complete or not at all.
  ///   - overwrite: Whether a file of that name is replaced.
  public func write(to path: String, overwrite: Bool) throws(FileError) {
    let output = try AtomicFile(path: path, overwrite: overwrite)
    let header = ArrayHeader.bytes(shape: shape)
    try ByteRegion(copying: header).withBytes { (bytes) throws(FileError) in try output.write(bytes, at: 0) }
    try output.write(values, at: header.count)
    try output.publish()
  }
}

extension ArrayHeader {
  /// The header of a float32 array, version 1.0, as NumPy writes it: padded so that the data starts at a multiple of 64.
  static func bytes(shape: [Int]) -> [UInt8] {
    let lengths = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = Array("{'descr': '<f4', 'fortran_order': False, 'shape': (\(lengths)), }".utf8)
    let prefix = magic + [1, 0]
    let unpadded = prefix.count + 2 + text.count + 1
    text += Array(repeating: 0x20, count: (64 - unpadded % 64) % 64) + [0x0A]
    let length = UInt16(text.count)
    return prefix + [UInt8(truncatingIfNeeded: length), UInt8(length >> 8)] + text
  }
}
