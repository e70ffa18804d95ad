internal import VGGBytes
internal import VGGHDF5

/// Reads the form of Keras 0.1 to 0.3: groups `layer_0`, `layer_1` … with data sets `param_0`, `param_1` …, or one group
/// `graph` with the parameters of all layers.
///
/// There are no names, so layers are called after their number.
struct Keras0Reader {
  let reading: FileReading

  init(_ file: KerasFile) { reading = FileReading(file) }

  /// The layers of a sequential model. Files with fewer groups than `nb_layers` says circulate: the first ones count.
  func layers(of group: HDF5Group) throws(FileError) -> [KerasLayer] {
    let count = try reading.count("nb_layers", of: group)
    var layers: [KerasLayer] = []
    for index in 0..<min(count, group.names.count) {
      let name = "layer_\(index)"
      guard group[path: name] != nil else { break }
      let own = try reading.group(name, in: group)
      layers.append(KerasLayer(name: name, weights: try parameters(of: own)))
    }
    return layers
  }

  /// The layers of the container `Graph`: each one begins with its kernel.
  func graphLayers(of group: HDF5Group) throws(FileError) -> [KerasLayer] {
    KerasLayer.layers(of: try parameters(of: group))
  }

  private func parameters(of group: HDF5Group) throws(FileError) -> [KerasWeight] {
    var parameters: [KerasWeight] = []
    let count = try reading.count("nb_params", of: group)
    // A count that is larger than the group fails at the first parameter that is not there.
    for index in 0..<min(count, group.names.count + 1) {
      parameters.append(try reading.weight("param_\(index)", in: group))
    }
    return parameters
  }
}
