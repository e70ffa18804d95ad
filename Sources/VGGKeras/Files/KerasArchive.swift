internal import VGGArchive
internal import VGGBytes

/// A `.keras` file: a zip archive of a configuration and an HDF5 file of weights.
struct KerasArchive {
  /// The HDF5 file.
  let weights: ByteRegion
  /// Where it begins in the archive; nil where it is compressed.
  let weightsOffset: Int?
  /// What `config.json` says.
  let configuration: ModelConfiguration

  /// The longest configuration or index of shards: as much as an attribute of an HDF5 file may have.
  static let mostTextBytes = 4 << 20

  /// Opens an archive.
  ///
  /// - Throws: `unsupported` where it is a zip archive of something else, saying of what.
  init(_ file: MappedFile, scratchFolder: String) throws(FileError) {
    let archive = try ZipArchive(file.bytes, file: file.path, scratchFolder: scratchFolder)
    func refusal(_ problem: String, advice: String? = nil) -> FileError {
      FileError(
        .unsupported, code: "keras.archive", file: file.path, problem,
        seen: "members \(archive.members.prefix(4).map(\.name).joined(separator: ", "))",
        allowed: "config.json and model.weights.h5, as in a .keras file", advice: advice)
    }
    guard let config = archive.member("config.json"), let weights = archive.member("model.weights.h5") else {
      let names = archive.members.map(\.name)
      if names.contains("model.weights.npz") {
        throw refusal(
          "keeps its weights as pickled NumPy objects, and reading these can run any code",
          advice: "save the model again with Keras, which writes model.weights.h5")
      }
      if !names.isEmpty, names.allSatisfy({ $0.hasSuffix(".npy") }) {
        throw refusal(
          "is an archive of NumPy arrays, not a .keras file",
          advice: "convert from the Keras or Caffe file it was made of")
      }
      throw refusal("is a zip archive, but not a .keras file")
    }
    let text = try archive.bytes(of: config, maximumBytes: KerasArchive.mostTextBytes)
    configuration = try GenerationReader.configuration(text.withBytes { Array($0) }, file: file.path)
    let region = try archive.bytes(of: weights)
    weightsOffset = KerasArchive.offset(of: region, in: file.bytes)
    self.weights = region
  }

  /// The configuration in a folder that was an archive.
  static func configuration(of file: MappedFile) throws(FileError) -> ModelConfiguration {
    guard file.bytes.count <= mostTextBytes else {
      throw FileError(
        .malformed, code: "keras.config", file: file.path, "is too large for a configuration",
        seen: "\(file.bytes.count) bytes", allowed: "\(mostTextBytes)")
    }
    return try GenerationReader.configuration(file.bytes.withBytes { Array($0) }, file: file.path)
  }

  /// Where a region begins in another one; nil where it is no part of it.
  private static func offset(of part: ByteRegion, in whole: ByteRegion) -> Int? {
    let (start, end) = whole.withBytes { (Int(bitPattern: $0.baseAddress), $0.count) }
    let offset = part.withBytes { Int(bitPattern: $0.baseAddress) } - start
    return offset >= 0 && offset < end ? offset : nil
  }
}
