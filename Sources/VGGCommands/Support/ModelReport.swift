internal import JSONKit
internal import VGGBytes
internal import VGGConv
internal import VGGModel
internal import VGGNative
internal import VGGTensors

/// What `inspect` says of a model.
struct ModelReport {
  let model: Model
  /// The records of a native file, none for a source.
  let native: NativeFile?
  let weightsDigest: Digest
  private let folded: [Provenance.FoldedTensor]

  init(_ description: ModelDescription) {
    model = description.opened.model
    native = description.opened.native
    weightsDigest = description.weightsDigest
    folded = description.folded
  }

  /// Describes a native file.
  init(_ native: NativeFile) {
    model = native.model
    self.native = native
    weightsDigest = native.weightsDigest
    folded = native.model.provenance.folded
  }

  /// The object that `inspect --json` prints.
  var json: JSONValue { .object(fields) }

  /// What is in that object; the keys are a contract.
  var fields: [(String, JSONValue)] {
    let network = model.network
    let object: JSONValue = [
      "ok": true,
      "format": .string(native == nil ? model.provenance.format : "vggw"),
      "generation": .string(model.provenance.generation),
      "architecture": .string(network.architecture.rawValue),
      "upTo": network.cut.map { .string($0) } ?? .null,
      "parameterCount": .integer(Int64(model.parameterCount)),
      "classCount": network.classCount.map { .integer(Int64($0)) } ?? .null,
      "inputSize": network.inputExtent.map { [.integer(Int64($0.height)), .integer(Int64($0.width))] }
        ?? .null,
      "inputChannels": .integer(Int64(network.inputChannels)),
      "hasTop": .bool(network.hasTop),
      "headActivation": network.head.map { .string($0.activation.rawValue) } ?? .null,
      "weightsDigest": .string(weightsDigest.description),
      "preprocessing": model.preprocessing.json,
      "integerArithmetic": model.integerArithmeticJSON,
      "source": [
        "name": .string(model.provenance.sourceName),
        "bytes": .integer(Int64(model.provenance.sourceByteCount)),
        "sha256": .string(Digest(model.provenance.sourceSHA256)?.description ?? ""),
      ],
      "passes": .array(model.provenance.passes.map { .string($0.description) }),
      "decisions": .array(
        model.provenance.decisions.map {
          ["subject": .string($0.subject), "choice": .string($0.choice), "evidence": .string($0.evidence)]
        }),
      "dropped": .array(
        model.provenance.dropped.map { ["name": .string($0.name), "reason": .string($0.reason)] }),
      "folded": .array(
        folded.map {
          [
            "name": .string($0.name), "layer": .string($0.layer),
            "valuesSha256": .string(Digest($0.valuesDigest)?.description ?? ""),
          ]
        }),
      "companions": .array(
        model.provenance.companions.map {
          [
            "name": .string($0.name), "bytes": .integer(Int64($0.byteCount)),
            "sha256": .string(Digest($0.sha256)?.description ?? ""),
          ]
        }),
      "tensors": .array(tensors),
    ]
    guard case .object(let fields) = object else { return [] }
    return fields
  }

  private var tensors: [JSONValue] {
    if let native {
      return native.tensorRecords.map { record in
        let fields: [(key: String, value: JSONValue)] = [
          ("name", .string(record.name)), ("shape", .array(record.shape.map { .integer(Int64($0)) })),
          ("elementType", .string(record.elementType.name)), ("layout", .string(record.layout.rawValue)),
          ("encoding", .string(record.storage.rawValue)), ("offset", .integer(Int64(record.offset))),
          ("storedBytes", .integer(Int64(record.storedBytes))),
          ("sha256", .string(record.storedDigest.description)),
          ("valuesSha256", .string(record.valuesDigest.description)),
        ]
        return .object(fields + (record.parameters.map { [("scales", $0.json)] } ?? []))
      }
    }
    return model.tensors.map { tensor in
      [
        "name": .string(tensor.name), "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
        "elementType": .string(tensor.source?.format.kind.rawValue ?? "float32"),
        "layout": .string(tensor.layout.rawValue), "encoding": "raw",
        "offset": tensor.source?.fileOffset.map { .integer(Int64($0)) } ?? .null,
        "storedBytes": .integer(Int64(tensor.source?.bytes.count ?? 0)),
        "sourceName": .string(tensor.source?.name ?? ""),
      ]
    }
  }
}

extension Preprocessing? {
  /// The rule as an object; null where it is not known.
  var json: JSONValue {
    guard let self else { return .null }
    let resize: JSONValue =
      switch self.resize {
      case .stretch: ["rule": "stretch"]
      case .shorterSide(let side): ["rule": "shorter-side", "side": .integer(Int64(side))]
      }
    return [
      "channelOrder": .string(self.channelOrder.rawValue),
      "mean": .array(self.mean.map { .number($0) }),
      "scale": .array(self.scale.map { .number($0) }),
      "resize": resize,
    ]
  }
}
