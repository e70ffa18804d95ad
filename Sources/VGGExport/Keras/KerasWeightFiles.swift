internal import JSONKit
internal import VGGHDF5
internal import VGGTensors

/// How Keras stores weights: the same tensors under other names in each generation.
extension KerasNetwork {
  /// The weights of Keras 3: groups are named after the classes of layers, and numbered.
  var variables: HDF5Description {
    var file = HDF5Description()
    func add(_ group: String, _ name: String) {
      file.addGroup(group)
      file.setAttribute("name", of: group, to: name, hasFixedLength: false)
    }
    add("/vars", name)
    var counts: [String: Int] = [:]
    for layer in layers {
      let stem = layer.className.snakeCase
      let number = counts[stem, default: 0]
      counts[stem] = number + 1
      let group = "/layers/\(stem)" + (number == 0 ? "" : "_\(number)") + "/vars"
      add(group, layer.name)
      for (index, tensor) in layer.tensors.enumerated() {
        file.addDataset("\(group)/\(index)", shape: tensor.shape, values: tensor.values)
      }
    }
    return file
  }

  /// The weights of Keras 2: groups are named after the layers, and attributes list what is in them, in order.
  var legacyWeights: HDF5Description {
    var file = HDF5Description()
    addWeights(to: &file, at: "")
    return file
  }

  /// A model of Keras 2: the weights in a group, and its configuration.
  var legacyModel: HDF5Description {
    var file = HDF5Description()
    file.setAttribute("keras_version", of: "/", to: KerasNetwork.legacyVersion)
    file.setAttribute("backend", of: "/", to: "tensorflow")
    file.setAttribute("model_config", of: "/", to: legacyConfiguration.compact)
    file.addGroup("/model_weights")
    addWeights(to: &file, at: "/model_weights")
    return file
  }

  private func addWeights(to file: inout HDF5Description, at path: String) {
    let root = path.isEmpty ? "/" : path
    file.setAttribute("layer_names", of: root, to: layers.map(\.name))
    file.setAttribute("backend", of: root, to: "tensorflow")
    file.setAttribute("keras_version", of: root, to: KerasNetwork.legacyVersion)
    for layer in layers {
      let names = layer.tensors.map { "\(layer.name)/\($0.role == .weight ? "kernel" : "bias"):0" }
      file.addGroup("\(path)/\(layer.name)")
      for (name, tensor) in zip(names, layer.tensors) {
        file.addDataset("\(path)/\(layer.name)/\(name)", shape: tensor.shape, values: tensor.values)
      }
      file.setAttribute("weight_names", of: "\(path)/\(layer.name)", to: names)
    }
  }
}

extension String {
  /// `max_pooling2d` of `MaxPooling2D`, and `conv2d` of `Conv2D`, as Keras makes names of classes.
  fileprivate var snakeCase: String {
    var result = ""
    var before: Character?
    for character in self {
      if character.isUppercase, let before, before.isLowercase { result += "_" }
      result += character.lowercased()
      before = character
    }
    return result
  }
}
