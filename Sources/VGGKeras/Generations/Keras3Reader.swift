internal import VGGBytes
internal import VGGHDF5

/// Reads the form of Keras 3: groups named after the layer's class and a running number, each with a group `vars` of data sets `0`,
/// `1` …; a model that is used as a layer has a group `layers` of its own.
///
/// The order of layers of one class is that of their numbers. How the classes are interleaved only a configuration tells, but a
/// VGG's convolutions all come before its dense layers.
struct Keras3Reader {
  /// The files, of which each holds a part of the layers, or of the weights of a layer.
  let files: [KerasFile]

  init(_ files: [KerasFile]) { self.files = files }

  /// A group that holds the variables of a layer.
  private struct Store {
    /// The group's path without the containers' own names, such as `layers/conv2d_3`.
    var path: String
    /// The layer's own name, which Keras writes from 3.6.
    var ownName: String?
    /// The weights in order.
    var weights: [KerasWeight] = []

    /// The path of the model that the layer is part of.
    var container: Substring { path[..<(path.lastIndex(of: "/") ?? path.startIndex)] }
    /// The class and the running number, which begins without one.
    var classAndNumber: (String, Int) {
      let name = path.split(separator: "/").last ?? ""
      if let underscore = name.lastIndex(of: "_"), let number = Int(name[name.index(after: underscore)...]) {
        return (String(name[..<underscore]), number)
      }
      return (String(name), 0)
    }
    var layer: KerasLayer {
      KerasLayer(
        name: ownName ?? String(path.split(separator: "/").last ?? ""), weights: weights,
        className: classAndNumber.0)
    }
  }

  /// The layers, in the order of the configuration where there is one.
  func layers(configuration: ModelConfiguration?) throws(FileError) -> [KerasLayer] {
    var stores: [Store] = []
    for file in files { try collect(file.hdf5.root, FileReading(file), into: &stores) }
    for store in stores {
      // Whatever the files they come from, variables are numbered without a gap.
      for (index, weight) in store.weights.enumerated() where weight.name != "\(index)" {
        throw FileError(
          .malformed, code: "keras.missing", file: weight.file.path,
          "lacks a variable of a layer, or has it twice", place: store.path, seen: "variable \(weight.name)",
          allowed: "variable \(index)")
      }
    }
    guard let configuration else { return try inOrderOfNumbers(stores) }
    return inOrder(of: configuration, stores)
  }

  private func collect(
    _ group: HDF5Group, _ reading: FileReading, into stores: inout [Store]
  ) throws(FileError) {
    for (name, node) in group.children {
      guard case .group(let child) = node, Ledger.reasonToDrop(child.path) == nil else { continue }
      guard !LayerName.isForeignKernel(name) else {
        throw LayerName.foreignKernel(name, file: reading.file)
      }
      if name == "vars" {
        guard !group.path.isEmpty else { continue }
        let path = group.path.split(separator: "/")
          .map { $0 == "_layer_checkpoint_dependencies" ? "layers" : $0 }.joined(separator: "/")
        var weights: [KerasWeight] = []
        for name in child.names { weights.append(try reading.weight(name, in: child)) }
        add(Store(path: path, ownName: child.attributes["name"]?.string, weights: weights), to: &stores)
      } else if child.names.isEmpty {
        // As some releases write a layer without weights.
        add(Store(path: child.path, ownName: nil), to: &stores)
      } else {
        try collect(child, reading, into: &stores)
      }
    }
  }

  /// A layer that begins in one shard and goes on in the next has a group in both.
  private func add(_ store: Store, to stores: inout [Store]) {
    let index = stores.firstIndex { $0.path == store.path } ?? stores.endIndex
    if index == stores.endIndex { stores.append(Store(path: store.path)) }
    stores[index].ownName = stores[index].ownName ?? store.ownName
    stores[index].weights = (stores[index].weights + store.weights)
      .sorted { NaturalName($0.name) < NaturalName($1.name) }
  }

  /// Layers by the group that Keras gives to each in turn, from which it loads them whatever name is noted there.
  private func inOrder(of configuration: ModelConfiguration, _ stores: [Store]) -> [KerasLayer] {
    var remaining = stores.filter { !$0.weights.isEmpty }
    var layers: [KerasLayer] = []
    for described in configuration.layers {
      guard let index = remaining.firstIndex(where: { $0.path == described.storePath }) else { continue }
      var layer = remaining.remove(at: index).layer
      layer.name = described.name
      layers.append(layer)
    }
    // What is left over belongs to no layer; it is kept, so that it is missed in the configuration by name.
    return layers + remaining.map(\.layer)
  }

  private func inOrderOfNumbers(_ stores: [Store]) throws(FileError) -> [KerasLayer] {
    var layers: [KerasLayer] = []
    var normalizations = stores.filter { $0.layer.isNormalization }
      .sorted { $0.classAndNumber.1 < $1.classAndNumber.1 }[...]
    let kernels = stores.count { [4, 2].contains($0.weights.first?.shape.count) }
    let convolutions = stores.count { $0.weights.first?.shape.count == 4 }
    guard [0, convolutions, kernels - 1].contains(normalizations.count) else {
      throw FileError(
        .unsupported, code: "keras.order", file: files[0].path,
        "does not tell which layers are normalised", place: "batch normalisations",
        seen: "\(normalizations.count) with \(convolutions) convolutions",
        allowed: "one behind each convolution, or behind each layer but the last",
        advice: "save the whole model as .keras, which has the order")
    }
    for rank in [4, 2] {
      let sameRank = stores.filter { $0.weights.first?.shape.count == rank }
        .sorted { $0.classAndNumber.1 < $1.classAndNumber.1 }
      if let first = sameRank.first,
        let other = sameRank.first(where: {
          $0.container != first.container || $0.classAndNumber.0 != first.classAndNumber.0
        })
      {
        throw FileError(
          .unsupported, code: "keras.order", file: files[0].path, "does not tell the order of its layers",
          place: rank == 4 ? "convolutions" : "dense layers", seen: "\(first.path) and \(other.path)",
          allowed: "layers of one class in one model",
          advice: "save the whole model as .keras, which has the order")
      }
      for store in sameRank {
        layers.append(store.layer)
        if let normalization = normalizations.popFirst() { layers.append(normalization.layer) }
      }
    }
    return layers
      + stores.filter { ![4, 2].contains($0.weights.first?.shape.count) && !$0.layer.isNormalization }
      .map(\.layer)
  }
}
