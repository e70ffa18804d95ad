internal import VGGBytes
internal import VGGInterchange
internal import VGGVerify

/// All arrays of a file of recorded activations.
func recordedArrays(_ path: String) throws(FileError) -> [RecordedActivations.Array] {
  let archive = try NumPyArchive(try MappedFile(path: path), scratchFolder: scratchFolder)
  var arrays: [RecordedActivations.Array] = []
  for name in archive.names {
    guard let array = try archive.array(name) else { continue }
    arrays.append(RecordedActivations.Array(name: name, shape: array.shape, values: try array.values()))
  }
  return arrays
}
