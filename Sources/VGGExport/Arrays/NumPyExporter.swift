public import VGGModel
internal import VGGInterchange

/// Describes `.npz` files: zip archives of NumPy arrays.
public enum NumPyExporter {
  /// A model's tensors under their canonical names and in their canonical layouts; reals are float32.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - dequantizes: Whether codes are written as the values that they stand for; see `NamedArray.arrays(of:dequantized:)`.
  public static func export(_ model: Model, dequantizes: Bool = false) -> Export {
    let arrays = NamedArray.arrays(of: model, dequantized: dequantizes)
    return Export(files: [ExportedFile(content: .archive(NumPyArchive.members(arrays)))])
  }
}
