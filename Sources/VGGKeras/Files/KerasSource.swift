internal import Glibc
internal import JSONKit
internal import VGGArchive
public import VGGBytes
internal import VGGHDF5

/// The files that a Keras model is made of: one, or an index and its shards, or a folder that was a `.keras` archive.
public struct KerasSource: Sendable {
  /// The file that identifies the source: the one that was named, or in a folder the weights.
  public let main: MappedFile
  /// The others, in the order of the provenance.
  public let companions: [MappedFile]
  let content: Content

  /// What the files are to each other.
  enum Content: Sendable {
    /// All in one HDF5 file.
    case hdf5(KerasFile)
    /// All in one archive, `.keras`.
    case archive
    /// An archive that was unpacked.
    case folder(configuration: MappedFile)
    /// An index and, as companions, the files that it names.
    case shards(ShardIndex)
  }

  /// Whether the source is an HDF5 file that no generation of Keras wrote, as one of Caffe's.
  public var isForeign: Bool {
    guard case .hdf5(let file) = content, case .foreign = GenerationReader.Content(file.hdf5.root) else {
      return false
    }
    return true
  }

  /// Whether a file may be an index of shards: JSON whose first visible character is a brace.
  public static func mayBeIndex(_ file: ByteRegion) -> Bool {
    let whitespace: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    let first = (0..<min(file.count, 4096)).lazy.compactMap(file.byte(at:)).first { !whitespace.contains($0) }
    return first == UInt8(ascii: "{")
  }

  /// Describes a file, and opens the shards that it names where it is an index.
  ///
  /// - Throws: `unsupported` where it is of no kind that Keras writes, `malformed` where it is damaged, or JSON but no index of
  ///   shards; `missing` where a shard is not there; `unavailable` where libhdf5 is not installed.
  public init(_ file: MappedFile) throws(FileError) {
    main = file
    guard HDF5Superblock.offset(in: file.bytes) == nil else {
      (companions, content) = ([], .hdf5(try KerasFile(file.bytes, path: file.path, offset: 0)))
      return
    }
    guard !ZipArchive.hasSignature(file.bytes) else {
      (companions, content) = ([], .archive)
      return
    }
    guard KerasSource.mayBeIndex(file.bytes) else {
      throw FileError(
        .unsupported, code: "keras.kind", file: file.path, "is not a Keras file",
        allowed: "HDF5, a .keras archive or an index of shards")
    }
    let index = try ShardIndex(file)
    let folder = file.path.lastIndex(of: "/").map { String(file.path[...$0]) } ?? ""
    var shards: [MappedFile] = []
    for name in index.shards {
      do throws(FileError) {
        shards.append(try MappedFile(path: folder + name))
      } catch {
        guard error.kind == .missing else { throw error }
        throw FileError(
          .missing, code: "keras.shard.missing", file: file.path, "names a shard that is not beside it",
          place: "weight_map", seen: name,
          allowed: "all of \(index.shards.count) shards in the folder of the index")
      }
    }
    (companions, content) = (shards, .shards(index))
  }

  /// Opens the files of a folder that was a `.keras` archive; nil where it holds something else.
  public init?(folder: String) throws(FileError) {
    func file(_ name: String) throws(FileError) -> MappedFile? {
      do throws(FileError) { return try MappedFile(path: "\(folder)/\(name)") } catch {
        if error.kind == .missing { return nil }
        throw error
      }
    }
    guard let weights = try file("model.weights.h5"), let configuration = try file("config.json") else {
      return nil
    }
    main = weights
    companions = [configuration, try file("metadata.json")].compactMap(\.self)
    content = .folder(configuration: configuration)
  }

  /// Whether a path is that of a folder.
  public static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}

/// An index of shards, `*.weights.json`: which group of variables is in which files.
struct ShardIndex {
  /// The names of the files, each once, in order.
  let shards: [String]
  /// The files of each group, such as `layers/conv2d/vars`.
  let filesOfGroup: [String: [String]]
  /// The number of bytes of all variables, where it is said.
  let byteCount: Double?

  /// Reads an index.
  ///
  /// - Throws: Where it is none, or names files that are not beside it.
  init(_ file: MappedFile) throws(FileError) {
    func refusal(_ problem: String, place: String? = nil, seen: String? = nil, allowed: String) -> FileError {
      FileError(
        .malformed, code: "keras.shard.index", file: file.path, problem, place: place, seen: seen,
        allowed: allowed)
    }
    guard file.bytes.count <= KerasArchive.mostTextBytes else {
      throw refusal(
        "is too large for an index of shards", seen: "\(file.bytes.count) bytes",
        allowed: "\(KerasArchive.mostTextBytes)")
    }
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue(parsing: file.bytes.withBytes { Array($0) })
    } catch {
      throw refusal("is not JSON: \(error.problem)", place: "character \(error.offset)", allowed: "JSON")
    }
    if let mistake = ShardIndex.mistake(json, file.path) { throw mistake }
    guard let map = json["weight_map"]?.object, !map.isEmpty else {
      throw refusal("is JSON, but not an index of Keras shards", allowed: "a weight_map that is not empty")
    }
    var filesOfGroup: [String: [String]] = [:]
    var shards: Set<String> = []
    for (group, value) in map {
      guard let names = value.string.map({ [$0] }) ?? value.array?.map({ $0.string ?? "" }), !names.isEmpty
      else {
        throw refusal("names no files for a group", place: group, allowed: "a name or a list of names")
      }
      for name in names {
        guard !name.isEmpty, name != ".", name != "..", !name.contains(where: { "/\\\0".contains($0) }) else {
          throw refusal(
            "names a shard that is not beside it", place: group, seen: name,
            allowed: "the name of a file in the folder of the index")
        }
      }
      let path = group.split(separator: "/").joined(separator: "/")
      guard filesOfGroup.updateValue(names, forKey: path) == nil, Set(names).count == names.count else {
        throw refusal("names a group or a file of it twice", place: group, allowed: "each once")
      }
      shards.formUnion(names)
    }
    self.filesOfGroup = filesOfGroup
    self.shards = shards.sorted()
    byteCount = json["metadata"]?["total_size"]?.number
  }

  /// What else in JSON belongs to a model and is taken for it; nil where a file is none of it.
  private static func mistake(_ json: JSONValue, _ path: String) -> FileError? {
    func refusal(_ problem: String, _ advice: String) -> FileError {
      FileError(.unsupported, code: "keras.json", file: path, problem, advice: advice)
    }
    let useTheOriginal = "convert from the Keras or Caffe file it was made of"
    func has(_ names: String...) -> Bool { names.allSatisfy { json[$0] != nil } }
    if has("modelTopology") || has("weightsManifest") || json["format"]?.string == "graph-model" {
      return refusal("is a TensorFlow.js model", useTheOriginal)
    }
    if has("class_name", "config") {
      return refusal(
        "is the description of a Keras model, without weights",
        "give the weight file that was saved with it, such as weights.h5")
    }
    if has("keras_version", "date_saved") {
      return refusal("is the metadata of a .keras archive", "give the folder that it lies in")
    }
    if has("nodes", "arg_nodes", "heads") {
      return refusal("is an MXNet network (symbol.json), without weights", useTheOriginal)
    }
    if has("itemInfoEntries") {
      return refusal("is the list of files of a Core ML package (.mlpackage)", useTheOriginal)
    }
    if has("base_code", "program") {
      return refusal("is a PaddlePaddle network, without weights", useTheOriginal)
    }
    let shards = json["weight_map"]?.object?.compactMap(\.value.string) ?? []
    if shards.contains(where: { $0.hasSuffix(".safetensors") || $0.hasSuffix(".bin") }) {
      return refusal("is the index of a PyTorch model in parts", useTheOriginal)
    }
    return nil
  }

  /// The index must say of each variable in which file it is, and nothing else.
  func requireAgreement(
    with weights: KerasWeights, shards: [MappedFile], file: String
  ) throws(FileError) {
    var found: [String: Set<String>] = [:]
    var total = 0.0
    let names = Dictionary(shards.map { ($0.path, $0.name) }) { first, _ in first }
    for weight in weights.layers.flatMap(\.weights) {
      let group = weight.dataset.path.split(separator: "/").dropLast().joined(separator: "/")
      found[group, default: []].insert(names[weight.file.path] ?? "")
      total += Double(weight.dataset.byteCount ?? 0)
    }
    func disagreement(_ place: String, seen: String, allowed: String) -> FileError {
      FileError(
        .malformed, code: "keras.shard.index", file: file, "does not say what its shards hold", place: place,
        seen: seen, allowed: allowed, advice: "fetch index and shards again, all of one model")
    }
    for group in Set(found.keys).union(filesOfGroup.keys).sorted() {
      let (stored, said) = (found[group] ?? [], Set(filesOfGroup[group] ?? []))
      guard stored != said else { continue }
      throw disagreement(
        group, seen: said.isEmpty ? "nothing" : said.sorted().joined(separator: ", "),
        allowed: stored.isEmpty ? "nothing" : "\(stored.sorted().joined(separator: ", ")), where it is")
    }
    if let byteCount, byteCount != total {
      throw disagreement(
        "total_size", seen: "\(byteCount)", allowed: "\(Int(total)) bytes, as the shards have them")
    }
  }
}
