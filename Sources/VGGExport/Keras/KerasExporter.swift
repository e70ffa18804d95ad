internal import JSONKit
internal import VGGArchive
public import VGGBytes
internal import VGGHDF5
public import VGGModel
internal import VGGTensors

/// Describes files of Keras: whole models or weights alone, of Keras 3 or of all before it.
public enum KerasExporter {
  /// Which file is written.
  public enum Form: Sendable {
    /// A model of Keras 3, `.keras`: a zip archive of its configuration and its weights.
    case archive
    /// The weights of Keras 3, `.weights.h5`.
    case weights
    /// A model of Keras 2, `.h5`, which Keras 3 reads too.
    case legacyModel
    /// The weights of Keras 2, `.h5`, under the names of `keras.applications`.
    case legacyWeights
  }

  /// A model in one of Keras's forms. Its axes are the native ones, and its numbers are float32.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - form: Which file is written.
  ///   - file: The path that it is to have, for errors.
  /// - Throws: `unsupported` where Keras has no layer for one of the model's; `unavailable` where libhdf5 is not installed.
  public static func export(_ model: Model, as form: Form, file: String) throws(FileError) -> Export {
    let network = try KerasNetwork(model, isWhole: form.isWhole, file: file)
    let content: ExportedFile.Content =
      switch form {
      case .archive:
        .archive([
          ArchiveMember(name: "metadata.json", content: FileContent(network.metadata)),
          ArchiveMember(name: "config.json", content: FileContent(network.configuration)),
          ArchiveMember(name: "model.weights.h5", content: try network.variables.content(named: file)),
        ])
      case .weights: .plain(try network.variables.content(named: file))
      case .legacyModel: .plain(try network.legacyModel.content(named: file))
      case .legacyWeights: .plain(try network.legacyWeights.content(named: file))
      }
    return Export(files: [ExportedFile(content: content)], losses: losses(of: model, as: form))
  }

  private static func losses(of model: Model, as form: Form) -> [ExportLoss] {
    var losses = model.lossesAsFloat32
    if model.preprocessing != nil { losses.append(.preprocessing) }
    if !model.labels.isEmpty { losses.append(.labels) }
    losses.append(.provenance)
    guard !form.isWhole else { return losses }
    losses.append(.layers)
    for layer in model.network.layers {
      guard case .normalization(let constants) = layer.operation else { continue }
      losses.append(
        .other(
          "does not hold the constants of \(layer.name): vggconv reads it with --lrn "
            + "\(constants.size),\(Float(constants.caffeAlpha)),\(Float(constants.beta)),\(Float(constants.k))"
        ))
    }
    return losses
  }
}

extension KerasExporter.Form {
  /// Whether the file says how its layers compute.
  fileprivate var isWhole: Bool { self == .archive || self == .legacyModel }
}

extension FileContent {
  /// Describes a file of text.
  fileprivate init(_ json: JSONValue) { self.init([.bytes(Array(json.compact.utf8))]) }
}
