public import VGGBytes
internal import VGGFlatBuffers
public import VGGModel
internal import VGGTensors

/// Describes `.tflite` files for TensorFlow Lite, now LiteRT, and TensorFlow Lite Micro.
///
/// The operators are those that TensorFlow's own converter makes of a VGG, in its versions, for a picture at a time. Weights are [output, row,
/// column, input]. float16 and int8 weights of a model that computes in float32 are turned into float32 by DEQUANTIZE when the
/// file is loaded, so that the values are the model's; a model that computes in integers is written with its codes, scales and zero
/// points as they are.
public enum TFLiteExporter {
  /// The program that a file is for.
  public enum Runtime: String, CaseIterable, Sendable {
    /// LiteRT, which was TensorFlow Lite: telephones and computers.
    case litert
    /// TensorFlow Lite Micro: boards.
    case tflm
  }

  /// The longest file that offsets of 32 bits reach in all readers.
  private static let largestByteCount = Int(Int32.max)

  /// A model as a `.tflite` file.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - runtime: The program that it is for.
  ///   - dequantizes: Whether codes are written as the values that they stand for, float32; the file then computes in float32.
  /// - Throws: `unsupported` where the runtime cannot compute a layer or tensor as the model has it.
  public static func export(
    _ model: Model, for runtime: Runtime = .litert, dequantizes: Bool = false
  ) throws(FileError) -> Export {
    var translation = TFLiteTranslation(model, runtime: runtime, dequantizes: dequantizes)
    let root = try translation.root()
    let content = FileContent(flatBuffer: root, identifier: TFLite.identifier)
    guard content.byteCount <= largestByteCount else {
      throw refusal(
        model, "would be too long as a TFLite file, whose offsets have 32 bits",
        seen: "\(content.byteCount) bytes", allowed: "at most \(largestByteCount)",
        advice: "store the weights as fp16 or int8 first: vggconv quantize --to int8")
    }
    return Export(files: [ExportedFile(content)], losses: translation.losses)
  }

  static func refusal(
    _ model: Model, _ problem: String, place: String? = nil, seen: String? = nil, allowed: String? = nil,
    advice: String? = nil
  ) -> FileError {
    FileError(
      .unsupported, code: "export.tflite", file: model.provenance.sourceName, problem, place: place,
      seen: seen,
      allowed: allowed, advice: advice)
  }
}
