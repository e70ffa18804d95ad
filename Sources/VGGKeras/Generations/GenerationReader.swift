internal import JSONKit
internal import VGGBytes
internal import VGGHDF5

/// Finds out which generation an HDF5 file is of, and has it read accordingly.
struct GenerationReader {
  /// What a file holds, as its outermost names tell.
  enum Content {
    /// A whole model, whose weights stand in this node.
    case model(HDF5Node)
    /// The weights of Keras 0 to 2.
    case weights
    /// The weights of a graph of Keras 0.
    case graph(HDF5Group)
    /// The variables of Keras 3.
    case variables
    /// Nothing that any generation wrote.
    case foreign

    init(_ root: HDF5Group) {
      if let node = root[path: "model_weights"] {
        self = .model(node)
      } else if holdsWeights(root) {
        self = .weights
      } else if let graph = root.group("graph"), graph.attributes["nb_params"] != nil {
        self = .graph(graph)
      } else if holdsVariables(root) {
        self = .variables
      } else {
        self = .foreign
      }
    }
  }

  private let reading: FileReading

  init(_ file: KerasFile) { reading = FileReading(file) }

  /// The weights of a whole HDF5 file.
  func weights() throws(FileError) -> KerasWeights {
    let root = reading.source.hdf5.root
    switch Content(root) {
    case .model(.link(let link)): throw reading.refusal(of: link, at: "model_weights")
    case .model: return try fullModel(root)
    case .weights:
      return try weightsOnly(root, form: .weights, version: root.attributes["keras_version"]?.string)
    case .graph(let graph):
      return KerasWeights(
        generation: Generation(writer: .keras0, form: .graph),
        layers: try Keras0Reader(reading.source).graphLayers(of: graph))
    case .variables:
      return try GenerationReader.keras3([reading.source], form: .weights, configuration: nil)
    case .foreign:
      throw FileError(
        .unsupported, code: "keras.generation", file: reading.file, "is an HDF5 file, but none of Keras's",
        seen: GenerationReader.isCaffeSnapshot(root)
          ? "a snapshot of Caffe's" : "groups \(root.names.prefix(5).joined(separator: ", "))",
        allowed: "layer_names, nb_layers, model_weights or groups vars")
    }
  }

  /// The weights of Keras 3's form in one or more files; with a configuration, those of the archive that both stand in.
  static func keras3(
    _ files: [KerasFile], form: Generation.Form, configuration: ModelConfiguration?
  ) throws(FileError) -> KerasWeights {
    KerasWeights(
      generation: Generation(writer: .keras3, form: form),
      layers: try Keras3Reader(files).layers(configuration: configuration),
      placesAreKnown: false, configuration: configuration)
  }

  /// Whether a group has what Keras 0 to 2 say of the layers whose weights are in it.
  private static func holdsWeights(_ group: HDF5Group) -> Bool {
    ["nb_layers", "layer_names", "layer_names0"].contains { group.attributes[$0] != nil }
  }

  /// Whether a group or one inside it has a group `vars`, as Keras 3 has it for each layer, under whatever names.
  private static func holdsVariables(_ group: HDF5Group) -> Bool {
    group.children.contains { name, node in
      if case .group(let child) = node { name == "vars" || holdsVariables(child) } else { false }
    }
  }

  /// Caffe's snapshot: `data` holds a group for each layer, with data sets named by numbers.
  static func isCaffeSnapshot(_ root: HDF5Group) -> Bool {
    guard let data = root.group("data"), root.attributes["layer_names"] == nil else { return false }
    return data.children.contains { _, node in
      if case .group(let layer) = node { layer.dataset("0") != nil } else { false }
    }
  }

  /// A whole model: the weights in a group of their own, the configuration in an attribute.
  private func fullModel(_ root: HDF5Group) throws(FileError) -> KerasWeights {
    let group = try reading.group("model_weights", in: root)
    // Keras 1 wrote its version only to the root.
    let version = group.attributes["keras_version"]?.string ?? root.attributes["keras_version"]?.string
    guard GenerationReader.holdsWeights(group) else {
      throw FileError(
        .malformed, code: "keras.generation", file: reading.file, "has a group model_weights without weights",
        place: "group model_weights", allowed: "an attribute layer_names or nb_layers")
    }
    var weights = try weightsOnly(group, form: .model, version: version)
    if let attribute = root.attributes["model_config"] {
      guard let text = attribute.string else {
        throw FileError(
          .malformed, code: "keras.config", file: reading.file, "has a configuration that is not text",
          place: "attribute model_config", seen: String("\(attribute)".prefix(80)), allowed: "JSON")
      }
      weights.configuration = try GenerationReader.configuration(Array(text.utf8), file: reading.file)
    }
    return weights
  }

  /// The weights of Keras 0 to 2, in a group that holds them.
  private func weightsOnly(
    _ group: HDF5Group, form: Generation.Form, version: String?
  ) throws(FileError) -> KerasWeights {
    if group.attributes["nb_layers"] != nil {
      return KerasWeights(
        generation: Generation(writer: .keras0, form: form),
        layers: try Keras0Reader(reading.source).layers(of: group))
    }
    let backend = group.attributes["backend"]?.string
    var reader = LegacyReader(reading.source)
    let layers = try reader.layers(of: group)
    return KerasWeights(
      generation: Generation(writer: writer(version: version, backend: backend), form: form), layers: layers,
      backend: backend, version: version, decisions: reader.decisions)
  }

  /// Keras 2 began to write its version and backend into the group of the weights.
  private func writer(version: String?, backend: String?) -> Generation.Writer {
    guard let version else { return backend == nil ? .keras1 : .keras2 }
    switch ReleaseNumber(version)?.major {
    case .some(0), .some(1): return .keras1
    case .some(3...): return .keras3Legacy
    default: return .keras2
    }
  }

  /// A configuration, from its text.
  static func configuration(_ text: [UInt8], file: String) throws(FileError) -> ModelConfiguration {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue(parsing: text)
    } catch {
      throw FileError(
        .malformed, code: "keras.config", file: file,
        "has a configuration that is not JSON: \(error.problem)",
        place: "model_config, character \(error.offset)", allowed: "JSON")
    }
    return try ModelConfiguration(json, file: file)
  }
}
