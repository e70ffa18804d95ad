internal import JSONKit

/// How Keras writes down its layers. What is left out has the value that Keras's constructors give it.
extension KerasNetwork {
  /// The version of Keras whose archives are written: the first one of 3, so that all others read them.
  private static let version = "3.0.0"
  /// The version of Keras whose HDF5 files are written: the last one of 2.
  static let legacyVersion = "2.15.0"

  /// `metadata.json` of an archive. Its date is that of the archive's members.
  var metadata: JSONValue {
    ["keras_version": .string(KerasNetwork.version), "date_saved": "1980-01-01@00:00:00"]
  }

  /// `config.json` of an archive.
  var configuration: JSONValue {
    model { layer, before in
      let nodes: [JSONValue] =
        before.map { before in
          [
            [
              "args": [
                [
                  "class_name": "__keras_tensor__",
                  "config": [
                    "shape": before.batchShape, "dtype": "float32",
                    "keras_history": [.string(before.name), 0, 0],
                  ],
                ]
              ], "kwargs": [:],
            ]
          ]
        } ?? []
      return [
        "module": "keras.layers", "class_name": .string(layer.className),
        "config": layer.configuration(shapeKey: "batch_shape"), "registered_name": .null,
        "name": .string(layer.name), "inbound_nodes": .array(nodes),
      ]
    }
  }

  /// The attribute `model_config` of an HDF5 file.
  var legacyConfiguration: JSONValue {
    model { layer, before in
      [
        "class_name": .string(layer.className), "config": layer.configuration(shapeKey: "batch_input_shape"),
        "name": .string(layer.name),
        "inbound_nodes": .array(before.map { [[[.string($0.name), 0, 0, [:]]]] } ?? []),
      ]
    }
  }

  /// A model of layers, each described together with the one in front of it.
  private func model(_ describe: (Layer, Layer?) -> JSONValue) -> JSONValue {
    let described = layers.indices.map { describe(layers[$0], $0 > 0 ? layers[$0 - 1] : nil) }
    // Keras 3 has made this class public under no other name; Keras 2 does not look at the module.
    return [
      "module": "keras.src.models.functional", "class_name": "Functional",
      "config": [
        "name": .string(name), "trainable": true, "layers": .array(described),
        "input_layers": [[.string(layers[0].name), 0, 0]],
        "output_layers": [[.string(layers[layers.count - 1].name), 0, 0]],
      ],
      "registered_name": "Functional",
    ]
  }
}

extension KerasNetwork.Layer {
  /// The lengths of the output's axes, the batch included.
  fileprivate var batchShape: JSONValue {
    .array([.null] + outputShape.map { $0.map { .integer(Int64($0)) } ?? .null })
  }

  /// What the layer is made of.
  ///
  /// - Parameter shapeKey: What an input layer's shape is called.
  fileprivate func configuration(shapeKey: String) -> JSONValue {
    let own: [(key: String, value: JSONValue)] =
      className == "InputLayer" ? [(shapeKey, batchShape), ("sparse", false)] : [("trainable", true)]
    return .object([("name", .string(name)), ("dtype", "float32")] + own + settings)
  }
}
