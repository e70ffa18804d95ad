internal import JSONKit
internal import VGGBytes
internal import VGGModel

/// The layers that a model's configuration describes, those of models inside it included, in order.
///
/// A configuration is data: nothing in it is ever run, not the code of a Lambda layer either.
struct ModelConfiguration {
  /// A layer as the configuration describes it.
  struct Layer {
    /// The layer's own name.
    var name: String
    /// The class, without the package of a user's own class.
    var className: String
    /// Whether the class is a user's own.
    var isForeign: Bool
    /// The values of the layer's constructor.
    var settings: JSONValue
    /// The group in which Keras 3 stores the layer's variables, such as `layers/conv2d_3`.
    var storePath: String

    /// The value of the first of these keys that has one: releases of Keras differ in names. `null` is no value.
    subscript(keys: String...) -> JSONValue? {
      keys.lazy.compactMap { settings[$0] }.first { $0 != .null }
    }
  }

  /// The layers in order.
  private(set) var layers: [Layer] = []
  private let file: String

  /// Reads the value of the attribute `model_config`, or of the file `config.json`.
  ///
  /// - Throws: `malformed` where it is no configuration; `unsupported` where it is that of a model whose layers are
  ///   not listed, or whose layers do not follow one after the other.
  init(_ model: JSONValue, file: String) throws(FileError) {
    self.file = file
    let className = model["class_name"]?.string ?? ""
    guard ModelConfiguration.modelClasses.contains(className) else {
      throw FileError(
        .unsupported, code: "keras.config.class", file: file, "has a configuration that lists no layers",
        place: "model_config", seen: "class \(className)",
        allowed: ModelConfiguration.modelClasses.sorted().joined(separator: ", "))
    }
    try append(model, container: "layers", depth: 0)
  }

  private static let modelClasses: Set = ["Sequential", "Functional", "Model"]

  private mutating func append(_ model: JSONValue, container: String, depth: Int) throws(FileError) {
    // Until Keras 2.2.2 the list of the layers was the whole configuration of a sequential model.
    guard depth < 16, let config = model["config"], let layers = config["layers"]?.array ?? config.array
    else { throw malformed("a list of layers", in: model) }
    var counts: [String: Int] = [:]
    var previous: String?
    for layer in layers {
      guard let fullClassName = layer["class_name"]?.string, let settings = layer["config"] else {
        throw malformed("class_name and config", in: layer)
      }
      let className = String(fullClassName.split(separator: ">").last ?? "")
      // A model inside may have the list of its layers in the place of its configuration, and so no name.
      let name = layer["name"]?.string ?? settings["name"]?.string ?? className
      if let nodes = layer["inbound_nodes"]?.array { try requireChain(nodes, of: name, after: previous) }
      let stem = ModelConfiguration.snakeCase(className)
      let number = counts[stem, default: 0]
      counts[stem] = number + 1
      let path = "\(container)/\(stem)" + (number == 0 ? "" : "_\(number)")
      if ModelConfiguration.modelClasses.contains(className) {
        try append(layer, container: "\(path)/layers", depth: depth + 1)
      } else {
        self.layers.append(
          Layer(
            name: name, className: className, isForeign: className != fullClassName, settings: settings,
            storePath: path))
      }
      previous = name
    }
    for (key, end) in [("input_layers", layers.first), ("output_layers", layers.last)] {
      guard let ends = config[key], let end else { continue }
      let names = ModelConfiguration.inputs(of: ends, depth: 0)
      guard names == [end["name"]?.string ?? end["config"]?["name"]?.string ?? ""] else {
        throw FileError(
          .unsupported, code: "keras.branch", file: file,
          "is not a VGG: it has not just one input and, at its end, one output",
          place: "model_config, \(key)", seen: names.isEmpty ? "none" : names.joined(separator: ", "),
          allowed: end["name"]?.string,
          advice: key == "output_layers" ? "save a model with only the output that you need" : nil)
      }
    }
  }

  /// Each layer of a VGG reads the one before it and nothing else.
  private func requireChain(
    _ nodes: [JSONValue], of name: String, after previous: String?
  ) throws(FileError) {
    for node in nodes { try requireNoArguments(of: node, layer: name, depth: 0) }
    let inputs = nodes.flatMap { ModelConfiguration.inputs(of: $0, depth: 0) }
    guard inputs != (previous.map { [$0] } ?? []) else { return }
    throw FileError(
      .unsupported, code: "keras.branch", file: file,
      inputs.isEmpty
        ? "is not a VGG: it has a second input"
        : "is not a VGG: a layer does not read just the one before it",
      place: "layer \(name)",
      seen: inputs.isEmpty ? "no input" : "input from \(inputs.joined(separator: ", "))",
      allowed: previous.map { "input from \($0)" } ?? "no input")
  }

  /// A layer is called with nothing but a map: with `training`, a Dropout would be at work in a test as well.
  ///
  /// Keras 3 has the arguments under `kwargs`, Keras 2 behind the name of the layer that is read.
  private func requireNoArguments(of node: JSONValue, layer: String, depth: Int) throws(FileError) {
    guard depth < 16 else { return }
    if let members = node.array, members.first?.string == nil {
      for member in members { try requireNoArguments(of: member, layer: layer, depth: depth + 1) }
    }
    let isReference = node.array.map { $0.count >= 4 && $0[0].string != nil } ?? false
    for (key, value) in (isReference ? node.array?[3] : node["kwargs"])?.object ?? []
    where value != .null && !(key == "training" && value == .bool(false)) {
      throw FileError(
        .unsupported, code: "keras.config.value", file: file, "calls a layer otherwise than a VGG",
        place: "layer \(layer), \(key)", seen: String(value.compact.prefix(80)), allowed: "no arguments")
    }
  }

  /// The layers that a node names: `["block1_conv1", 0, 0, {}]` in Keras 2, `keras_history` in Keras 3, at any depth.
  private static func inputs(of node: JSONValue, depth: Int) -> [String] {
    guard depth < 16 else { return [] }
    if let history = node["config"]?["keras_history"]?.array {
      return [history.first?.string].compactMap(\.self)
    }
    if let members = node.array {
      if let name = members.first?.string, members.count >= 3, members[1].integer != nil { return [name] }
      return members.flatMap { inputs(of: $0, depth: depth + 1) }
    }
    return node["args"].map { inputs(of: $0, depth: depth + 1) } ?? []
  }

  /// How Keras makes the name of a group of that of a class: `MaxPooling2D` is `max_pooling2d`.
  static func snakeCase(_ name: String) -> String {
    let letters = Array(name.filter { $0.isLetter || $0.isNumber || $0 == "_" })
    var result = ""
    for (index, letter) in letters.enumerated() {
      if index > 0, letter.isUppercase {
        let endsWord = letters[index - 1].isLowercase
        let beginsWord = index + 1 < letters.count && letters[index + 1].isLowercase
        if endsWord || beginsWord, letters[index - 1] != "_" { result.append("_") }
      }
      result += letter.lowercased()
    }
    return result
  }

  private func malformed(_ allowed: String, in value: JSONValue) -> FileError {
    FileError(
      .malformed, code: "keras.config", file: file, "has a configuration that is none of Keras's",
      place: value["name"]?.string.map { "model_config, \($0)" } ?? "model_config", allowed: allowed)
  }
}
