public import VGGBytes
internal import VGGInterchange
public import VGGModel
internal import VGGTensors

/// A format of other tools.
public enum ExportFormat: String, CaseIterable, Sendable {
  /// Tensors that Python, Rust and JavaScript read without running code; float16 and bfloat16 stay so.
  case safetensors
  /// A zip archive of NumPy arrays; reals are float32.
  case npz
}

extension Model {
  /// Writes the tensors under their canonical names and in their canonical layouts.
  ///
  /// - Parameters:
  ///   - format: The format to write.
  ///   - path: Where to write the file, which appears when it is complete or not at all.
  ///   - overwrites: Whether a file of that name is replaced.
  ///   - dequantizes: Whether codes are written as the values that they stand for. Otherwise they stay signed bytes, with
  ///     scales and zero points in arrays of their own: NAME.scales, NAME.zero_points and NAME.group_size.
  ///   - progress: Is told how far it has come.
  /// - Returns: The length of the file.
  @discardableResult
  public func export(
    to format: ExportFormat, at path: String, overwrites: Bool = false, dequantizes: Bool = false,
    progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> Int {
    let total = tensors.reduce(0) { total, tensor in
      total + tensor.count * (tensor.quantization == nil || dequantizes ? MemoryLayout<Float>.size : 1)
    }
    let meter = progress?.begin(.exporting, total: total)
    defer { meter?.finish() }
    switch format {
    case .safetensors:
      try SafetensorsFile.write(self, to: path, overwrite: overwrites, dequantizes: dequantizes) {
        meter?.advance(by: $0)
      }
    case .npz:
      try NumPyArchive.write(self, to: path, overwrite: overwrites, dequantizes: dequantizes) {
        meter?.advance(by: $0)
      }
    }
    return try MappedFile(path: path).bytes.count
  }
}
