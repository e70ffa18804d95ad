internal import VGGBytes
internal import VGGExport
internal import VGGModel
internal import VGGTensors
internal import VGGVerify

/// What came of reading an exported file back with the importer of its format, before it got its name.
///
/// Importers know nothing of exporters: they were written for the files of other programs.
public struct ExportProof: Sendable {
  /// The number of tensors that are the model's, bit for bit.
  public let tensorCount: Int
  /// The number of their elements.
  public let elementCount: Int
  /// What of the layers is said in another way, but computes the same for the network's own input.
  public let notes: [String]

  /// Compares what was written with the model.
  ///
  /// - Parameters:
  ///   - written: What was read back.
  ///   - model: The model that was exported.
  ///   - losses: What the file says in another way.
  ///   - path: The name that the file is to have, for errors.
  /// - Throws: `fault` where the two are not the same: then the file must not get its name.
  init(of written: Model, as model: Model, losses: [ExportLoss], path: String) throws(FileError) {
    let expected = losses.contains(.dequantized) ? model.dequantized : model
    let verification: Verification
    do throws(VerificationError) {
      verification = try Verification(
        of: written.claiming(toBe: expected).claim, against: expected.asForeignFilesHoldIt, inputs: [],
        depth: .weights)
    } catch {
      throw FileError(error, file: path)
    }
    guard verification.faults.isEmpty, verification.isUnchanged else {
      throw FileError(
        .fault, code: "export.verify", file: path, "was not written: read back, it is not the model",
        place: verification.culprit, seen: verification.faults.first ?? "values that are not the model's")
    }
    tensorCount = verification.weights.count
    elementCount = verification.weights.reduce(0) { $0 + $1.comparedCount }
    notes = verification.notes
  }
}

/// Something that was not compared with a file of another format, as a sentence.
public enum UncomparedPart: String, Sendable {
  /// What is done to pictures.
  case preprocessing = "not compared: the file does not say how pictures are prepared"
  /// How layers compute, where a file has weights alone.
  case layers = "not compared: the file does not say how its layers compute"
  /// The names of the classes.
  case labels = "not compared: the file does not say the names of the classes"
  /// Which codes the values were.
  case codes = "not compared: the file does not say which codes its values were"
  /// That another program computes in fewer bits.
  case precision = "not compared: the file has layers compute in fewer bits, here they computed in float32"
}

extension Model {
  /// This model, which was read from a file of another format, as one that claims to be another model.
  ///
  /// It declares no pass since then, so every difference is a fault. What its file does not say is taken from the other model.
  func claiming(toBe model: Model) -> (claim: Model, uncompared: [UncomparedPart]) {
    var claim = self
    var uncompared: [UncomparedPart] = []
    claim.provenance.passes = model.provenance.passes
    if provenance.decisions.contains(where: { if case .computesInFloat32 = $0.kind { true } else { false } })
    {
      uncompared.append(.precision)
    }
    if !provenance.saysLayers, network != model.network,
      network.tensorRequirements == model.network.tensorRequirements
    {
      claim.network = model.network
      uncompared.append(.layers)
    }
    if !provenance.saysPreprocessing, preprocessing != model.preprocessing {
      claim.preprocessing = model.preprocessing
      uncompared.append(.preprocessing)
    }
    if labels.isEmpty, !model.labels.isEmpty {
      claim.labels = model.labels
      uncompared.append(.labels)
    }
    return (claim, uncompared)
  }

  /// The model with all reals as float32, none of them left out: importers give them so, whatever a file has.
  var asForeignFilesHoldIt: Model {
    mappingTensors { tensor in
      switch tensor.content {
      case .real(let values, _): tensor.isPlain ? tensor : tensor.replacing(values: values)
      case .codes, .bias: tensor.replacing(tensor.content, storage: .raw)
      }
    }
  }
}

extension Provenance {
  /// Whether the source lists layers without weights, with their settings.
  fileprivate var saysLayers: Bool {
    !decisions.contains { $0.kind == .usualLayers || $0.kind == .usualStructure }
  }

  /// Whether the source itself, or somebody who was asked, says what is done to pictures.
  fileprivate var saysPreprocessing: Bool {
    decisions.contains { if case .preprocessing(_?, isAssumed: false) = $0.kind { true } else { false } }
  }
}
