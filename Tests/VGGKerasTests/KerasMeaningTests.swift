import Foundation
import JSONKit
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGSources

@testable import VGGKeras

/// Files that Keras takes for something else than they seem.
@Suite struct KerasMeaningTests {
  /// Lends a copy of a fixture in which texts were replaced by others of the same length, each where it comes first.
  private func withCopy(
    _ name: String, of file: String, replacing texts: [(String, String)], _ body: (String) throws -> Void
  ) throws {
    let copy = FileManager.default.temporaryDirectory.appending(path: "keras-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: URL(filePath: fixture(name)), to: copy)
    defer { try? FileManager.default.removeItem(at: copy) }
    let patched = file.isEmpty ? copy : copy.appending(path: file)
    var bytes = try Array(Data(contentsOf: patched))
    let places = try texts.map { text in try #require(bytes.firstRange(of: Array(text.0.utf8))) }
    for (place, text) in zip(places, texts) { bytes.replaceSubrange(place, with: Array(text.1.utf8)) }
    try Data(bytes).write(to: patched)
    try body(copy.path())
  }

  /// Keras gives the groups to the layers of the configuration in turn.
  @Test func layersInAnotherOrderAreRefused() throws {
    try withCopy(
      "keras_cases/keras2_full_pool_same.h5", of: "",
      replacing: [("block5_conv1block5_conv2", "block5_conv2block5_conv1")]
    ) { path in
      let error = try #require(throws: FileError.self) {
        try KerasImporter.model(of: KerasSource(MappedFile(path: path)), options: ImportOptions())
      }
      #expect((error.code, error.place) == ("keras.config.weights", "layer block5_conv2"))
      #expect(error.problem.contains("order"))
    }
  }

  /// Keras 3 loads weights by the group that they are in, whatever name is noted there.
  @Test func groupsDecideOverNames() throws {
    let name = "keras_real/keras_3.15.1_nested_unzipped"
    try withCopy(
      name, of: "model.weights.h5",
      replacing: [("block5_conv1", "block5_conv2"), ("block5_conv2", "block5_conv1")]
    ) { path in
      let source = try #require(try KerasSource(folder: path))
      let model = try KerasImporter.model(of: source, options: ImportOptions())
      #expect(try model.values() == importedModel(name).values())
    }
  }

  // MARK: Configurations

  private func refusal(_ change: (inout [JSONValue]) -> Void) throws -> FileError {
    try #require(throws: FileError.self) { try network(change) }
  }

  @discardableResult private func network(
    _ change: (inout [JSONValue]) -> Void
  ) throws(FileError) -> ConfiguredNetwork {
    func layer(_ kind: String, _ settings: JSONValue) -> JSONValue {
      ["class_name": .string(kind), "config": settings]
    }
    var layers: [JSONValue] = []
    for count in [1, 1, 2, 2, 2] {
      for _ in 0..<count {
        layers.append(
          layer(
            "Conv2D", ["filters": 4, "kernel_size": [3, 3], "padding": "same", "activation": "relu"]))
      }
      layers.append(layer("MaxPooling2D", ["pool_size": [2, 2]]))
    }
    layers.append(layer("Flatten", [:]))
    layers.append(layer("Dense", ["units": 5, "activation": "relu"]))
    layers.append(layer("Dropout", ["rate": 0]))
    layers.append(layer("Dense", ["units": 3, "activation": "softmax"]))
    change(&layers)
    let model: JSONValue = ["class_name": "Sequential", "config": ["layers": .array(layers)]]
    return try ConfiguredNetwork(
      ModelConfiguration(model, file: "f"), file: "f", options: ImportOptions())
  }

  /// Where no layer says it, the channels come last.
  @Test func flattensGoAsTheMapsDo() throws {
    let error = try refusal { $0[13]["config"] = ["data_format": "channels_first"] }
    #expect(error.place == "layer Flatten, data_format")
    try network { $0[13]["config"] = ["data_format": "channels_last"] }
  }

  @Test func aDropoutThatIsAtWorkIsRefused() throws {
    for nodes: JSONValue in [
      [["args": [], "kwargs": ["training": true]]], [[["Dense", 0, 0, ["training": true]]]],
    ] {
      let error = try refusal { $0[15]["inbound_nodes"] = nodes }
      #expect(error.place == "layer Dropout, training")
    }
  }

  @Test func classesOfAUsersOwnAreNotBelieved() throws {
    let error = try refusal { $0[0]["class_name"] = "Mine>Conv2D" }
    #expect((error.code, error.seen) == ("keras.layer", "Conv2D"))
  }
}

extension JSONValue {
  /// Sets a member of an object.
  fileprivate subscript(key: String) -> JSONValue? {
    get { object?.first { $0.key == key }?.value }
    set {
      guard let members = object else { return }
      self = .object(members.filter { $0.key != key } + (newValue.map { [(key: key, value: $0)] } ?? []))
    }
  }
}
