public import VGGBytes
public import VGGModel
internal import VGGInterchange
internal import VGGTensors

/// Describes `.npz` files: zip archives of NumPy arrays.
public enum NumPyExporter {
  /// A model's tensors; reals are float32.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - naming: Whose names and layouts they have.
  ///   - dequantizes: Whether codes are written as the values that they stand for; see `NamedArray.arrays(of:dequantized:)`.
  /// - Throws: `unsupported` where the program whose names they are has no such network.
  public static func export(
    _ model: Model, naming: TensorNaming = .canonical, dequantizes: Bool = false
  ) throws(FileError) -> Export {
    let arrays = try NamedArray.arrays(of: model, named: naming, dequantized: dequantizes)
    var losses: [ExportLoss] = model.preprocessing == nil ? [] : [.preprocessing]
    if !model.labels.isEmpty { losses.append(.labels) }
    losses += [.provenance] + naming.losses(of: model, dequantizes: dequantizes)
    if naming == .canonical, !dequantizes, let arithmetic = model.integerArithmetic {
      losses.append(.rounding(arithmetic.rounding))
    }
    for type in [RealType.float16, .bfloat16]
    where model.tensors.contains(where: { $0.elementType == .real(type) }) {
      losses.append(.widened(type))
    }
    return Export(files: [ExportedFile(content: .archive(NumPyArchive.members(arrays)))], losses: losses)
  }
}
