import Foundation
import VGGBytes
import VGGCaffe
import VGGConv
import VGGModel
import VGGONNX
import VGGSources
import VGGTFLite

@testable import VGGNative
@testable import VGGHDF5
@testable import VGGKeras
@testable import VGGTorch

extension FuzzTarget {
  func readCaffe(_ content: ByteRegion, _ choice: UInt8) throws(FileError) {
    let options = ImportOptions(choice: choice)
    _ = CaffeImporter.recognizes(content)
    try CaffeImporter.model(of: CaffeFile(path: "input", bytes: content), options: options).readValues()
  }

  /// No file is beside the input.
  func readONNX(_ content: ByteRegion, _ choice: UInt8) throws(FileError) {
    _ = ONNXImporter.recognizes(content)
    let model = try ONNXImporter.model(
      of: content, path: "input",
      companion: { (name) throws(FileError) in
        throw FileError(.malformed, code: "companion", file: name, "is not there")
      }, options: ImportOptions(choice: choice))
    try model.readValues()
  }

  func readPrototxt(_ content: ByteRegion, _ choice: UInt8) throws(FileError) {
    let weights = FuzzTarget.weights[Int(choice & 1)]
    let text = CaffeFile(path: "input", bytes: content)
    try CaffeImporter.model(of: weights, prototxt: text, options: ImportOptions(choice: choice & 0xFE))
      .readValues()
  }

  /// Without a normalisation, and with one: small ones, for they are read each time.
  private static let weights = ["v2", "v2_lrn"].map { name in
    let seed = file("Tests/Fuzz/Corpus/caffe/\(name)").bytes
    // Without the last byte, which chooses the options.
    return CaffeFile(path: "weights", bytes: seed.slice(at: 0, count: seed.count - 1) ?? seed)
  }

  /// A file of the package.
  private static func file(_ path: String) -> MappedFile {
    let root = URL(filePath: #filePath).appending(path: "../../../..").standardized.path
    do throws(FileError) {
      return try MappedFile(path: "\(root)/\(path)")
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// As `KerasImporter` does, but for the HDF5 library in front. An attribute `config.json`, which no file has, stands for the
  /// configuration in an archive.
  func readKeras(_ content: ByteRegion, _ choice: UInt8) throws(FileError) {
    var text = HDF5Text(content.withBytes { String(decoding: $0, as: UTF8.self) })
    let options = ImportOptions(choice: choice)
    let hdf5 = HDF5File(
      root: text.root(), bytes: FuzzTarget.numbers, name: "input", reader: HDF5Reader(isIsolated: false))
    let file = KerasFile(hdf5: hdf5, path: "input", offset: 0, byteCount: FuzzTarget.numbers.count)
    let weights: KerasWeights
    if let configuration = hdf5.root.attributes["config.json"]?.string {
      weights = try GenerationReader.keras3(
        [file], form: .archive,
        configuration: try GenerationReader.configuration(Array(configuration.utf8), file: "input"))
    } else {
      weights = try GenerationReader(file).weights()
    }
    let model = try KerasImporter.model(
      of: weights, in: [file], from: Provenance.SourceFile("input", byteCount: file.byteCount), path: "input",
      options: options)
    try model.readValues()
  }

  /// Bytes that are small finite numbers wherever a number of any format begins.
  private static let numbers = ByteRegion(copying: Array(repeating: 0x3C, count: 1 << 17))

  func readSignature(_ content: ByteRegion) throws(FileError) {
    guard let offset = HDF5Superblock.offset(in: content) else {
      throw FileError(.unsupported, code: "kind", file: "input", "is \(FileKind(of: content))")
    }
    precondition(HDF5Superblock(of: content).map { $0.offset == offset } ?? true)
  }

  func readCatalogue(_ content: ByteRegion) throws(FileError) {
    var decoder = CatalogueDecoder(content, file: "input")
    FuzzTarget.look(at: .group(try decoder.root()))
  }

  private static func look(at node: HDF5Node) {
    switch node {
    case .group(let group):
      precondition(group.children.count == group.names.count)
      for (_, child) in group.children { look(at: child) }
    case .dataset(let dataset):
      precondition((dataset.byteCount ?? 0) >= 0)
      _ = dataset.type.number
    case .link, .namedType: break
    }
  }

  func readConfiguration(_ content: ByteRegion, _ choice: UInt8) throws(FileError) {
    let text = content.withBytes { Array($0) }
    let configuration = try GenerationReader.configuration(text, file: "input")
    let options = ImportOptions(choice: choice)
    _ = try ConfiguredNetwork(configuration, file: "input", options: options)
  }

  func readTFLite(_ content: ByteRegion) throws(FileError) {
    precondition(TFLiteImporter.recognizes(content) == content.hasBytes(Array("TFL3".utf8), at: 4))
    try TFLiteImporter.model(of: content, path: "input", name: "input").readValues()
  }

  /// As `TorchImporter` does with a file that it maps.
  func readPickle(_ content: ByteRegion) throws(FileError) {
    let dict = try LegacyFile(content, file: "input", scratchFolder: ScratchFile.standardFolder).stateDict()
    try Model(
      dict, from: Provenance.SourceFile("input", byteCount: content.count), format: "pytorch",
      generation: "pytorch-legacy", options: ImportOptions()
    ).readValues()
  }

  func readSafetensors(_ content: ByteRegion, _ choice: UInt8) throws(FileError) {
    try SafetensorsImporter.model(
      of: content, from: Provenance.SourceFile("input", byteCount: content.count), path: "input",
      options: ImportOptions(choice: choice)
    ).readValues()
  }

  func readNative(_ content: ByteRegion) throws(FileError) {
    var bytes = content.withBytes { Array($0) }
    FuzzTarget.putRight(&bytes)
    let file = try VGGWFile.open(ByteRegion(copying: bytes), path: "input")
    try file.model.readValues()
    try file.checkStoredBytes()
    try file.checkValues()
  }

  /// Makes length, place and digest of the manifest what they must be, which no fuzzer finds by chance.
  private static func putRight(_ bytes: inout [UInt8]) {
    let region = ByteRegion(copying: bytes)
    guard bytes.count > Header.byteCount, let length = region.integer(at: 40, as: UInt64.self),
      length <= UInt64(bytes.count - Header.byteCount)
    else { return }
    let start = bytes.count - Int(length)
    func put(_ value: Int, at offset: Int) {
      withUnsafeBytes(of: UInt64(value).littleEndian) { bytes.replaceSubrange(offset..<offset + 8, with: $0) }
    }
    put(bytes.count, at: 24)
    put(start, at: 32)
    let digest = Digest(of: Array(bytes[..<Header.digestedByteCount] + bytes[start...]))
    bytes.replaceSubrange(64..<96, with: digest.bytes)
  }
}
