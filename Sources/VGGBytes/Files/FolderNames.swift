internal import CMemoryFaults
internal import Glibc

/// The names of what is in a folder, in the order of the disk, without `.` and `..`; nil, and `errno` set, where it cannot be listed.
package func namesInFolder(_ path: String) -> [String]? {
  guard let directory = opendir(path) else { return nil }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names
}
