internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGVerify

extension RecordedActivations {
  /// Reads activations that another program recorded in an `.npz` file.
  init(_ path: String, of network: Network, scratchFolder: String) throws(FileError) {
    let archive = try NumPyArchive(try MappedFile(path: path), scratchFolder: scratchFolder)
    var arrays: [RecordedActivations.Array] = []
    for name in archive.names {
      guard let array = try archive.array(name) else { continue }
      arrays.append(RecordedActivations.Array(name: name, shape: array.shape, values: try array.values()))
    }
    try self.init(arrays, of: network, file: path)
  }
}
