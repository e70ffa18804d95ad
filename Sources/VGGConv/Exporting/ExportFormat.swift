public import VGGBytes
internal import VGGInterchange
public import VGGModel

/// A format of other tools.
public enum ExportFormat: String, CaseIterable, Sendable {
  /// Tensors that Python, Rust and JavaScript read without running code; float16 and bfloat16 stay so.
  case safetensors
  /// A zip archive of NumPy arrays, float32.
  case npz
}

extension Model {
  /// Writes the tensors under their canonical names and in their canonical layouts.
  ///
  /// - Parameters:
  ///   - format: The format to write.
  ///   - path: Where to write the file, which appears when it is complete or not at all.
  ///   - overwrites: Whether a file of that name is replaced.
  ///   - progress: Is told how far it has come.
  /// - Returns: The length of the file.
  @discardableResult
  public func export(
    to format: ExportFormat, at path: String, overwrites: Bool = false, progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> Int {
    let meter = progress?.begin(.exporting, total: parameterCount * MemoryLayout<Float>.size)
    defer { meter?.finish() }
    switch format {
    case .safetensors:
      try SafetensorsFile.write(self, to: path, overwrite: overwrites) { meter?.advance(by: $0) }
    case .npz: try NumPyArchive.write(self, to: path, overwrite: overwrites) { meter?.advance(by: $0) }
    }
    return try MappedFile(path: path).bytes.count
  }
}
