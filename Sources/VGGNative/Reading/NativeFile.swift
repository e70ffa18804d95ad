public import VGGBytes
public import VGGModel
internal import VGGTensors

/// A native file that is open: its manifest has been checked, its tensors are read when they are needed.
public struct NativeFile: Sendable {
  /// The path as it was given.
  public let path: String
  /// The model. Raw float32 tensors are the mapped file itself, others are decoded range by range.
  public let model: Model
  /// What the manifest says of the tensors, in the order of the file.
  public let tensorRecords: [TensorRecord]
  /// One identity for the weights, whichever file they came from and however they are stored.
  public let weightsDigest: Digest
  /// The program that wrote the file.
  public let tool: String
  /// The version of the format, major and minor.
  public let formatVersion: (major: Int, minor: Int)
  /// The whole file.
  let bytes: ByteRegion

  /// The length of the file.
  public var byteCount: Int { bytes.count }
}

extension VGGWFile {
  /// Opens a native file.
  ///
  /// Reads the header and the manifest, and checks all that they say; no weights are read. Whether the weights are
  /// undamaged is for `NativeFile.checkStoredBytes` to find out.
  ///
  /// - Throws: `missing` or `unreadable`; `malformed` where the file is truncated or damaged or contradicts itself;
  ///   `unsupported` where it needs a newer program.
  public static func open(path: String) throws(FileError) -> NativeFile {
    try open(MappedFile(path: path).bytes, path: path)
  }

  /// Opens a native file that is mapped already.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - path: The file's path, for errors.
  public static func open(_ bytes: ByteRegion, path: String) throws(FileError) -> NativeFile {
    let header = try Header(reading: bytes, path: path)
    let offset = header.manifest.lowerBound
    guard let packed = bytes.slice(at: offset, count: header.manifest.count) else {
      throw FileError(.malformed, code: "vggw.header.manifest", file: path, "is truncated", offset: offset)
    }
    let manifest = try Manifest(unpacking: packed, path: path, offset: offset)
    guard header.requiredFeatures == manifest.requiredFeatures else {
      throw FileError(
        .malformed, code: "vggw.header.features", file: path,
        "says that it needs other features than its layers do", offset: 16,
        place: "header, required features",
        seen: "\(header.requiredFeatures)", allowed: "\(manifest.requiredFeatures)")
    }
    try manifest.checkTensors(manifestOffset: offset, path: path)
    let tensors = try manifest.tensors.map { record throws(FileError) in
      Tensor(
        name: record.name, role: record.role, shape: record.shape,
        content: try content(of: record, in: bytes, path: path), storage: record.storage)
    }
    let model: Model
    do throws(ShapeError) {
      model = try Model(
        network: manifest.network, tensors: tensors, preprocessing: manifest.preprocessing,
        labels: manifest.labels, integerArithmetic: manifest.integerArithmetic,
        provenance: manifest.provenance)
    } catch {
      throw FileError(
        .malformed, code: "vggw.tensor.shape", file: path, error.problem, offset: offset, place: error.layer)
    }
    return NativeFile(
      path: path, model: model, tensorRecords: manifest.tensors, weightsDigest: manifest.weightsDigest,
      tool: manifest.tool, formatVersion: header.formatVersion, bytes: bytes)
  }

  private static func content(
    of record: TensorRecord, in file: ByteRegion, path: String
  ) throws(FileError) -> Tensor.Content {
    guard let stored = file.slice(at: record.offset, count: record.storedBytes) else {
      throw FileError(
        .malformed, code: "vggw.tensor.offset", file: path, "is truncated", offset: record.offset)
    }
    let parameterBytes = record.parameters?.storedByteCount ?? 0
    guard let bytes = stored.slice(at: parameterBytes, count: stored.count - parameterBytes) else {
      throw FileError(
        .malformed, code: "vggw.tensor.stored_length", file: path, "has a wrong length",
        offset: record.offset, place: "tensor \(record.name)", seen: "\(stored.count)",
        allowed: "more than \(parameterBytes) of scales and zero points")
    }
    let elements = try StoredElements(record, bytes: bytes, path: path)
    switch record.elementType {
    case .real(let type):
      if type == .float32, let raw = elements.raw, let values = MemoryValues(raw) {
        return .real(values, as: type)
      }
      return .real(StoredValues(elements: elements, type: type), as: type)
    case .biasCode:
      guard let raw = elements.raw, let parameters = record.parameters else {
        throw elements.failure(
          "encoding", "has biases of integers that are not stored one after the other",
          seen: record.storage.rawValue, allowed: Storage.raw.rawValue)
      }
      return .bias(BiasCodes(raw, scales: parameters.scales))
    case .code(let type):
      let codes: any TensorCodes =
        switch (type, elements.raw) {
        case (.int4, _): PackedCodes(elements: elements, count: record.count)
        case (.int8, let raw?): MemoryCodes(raw)
        case (.int8, nil): StoredCodes(elements: elements)
        }
      guard let parameters = record.parameters else { preconditionFailure("codes without parameters") }
      guard parameterBytes > 0 else {
        return .codes(
          codes,
          Quantization(
            type, by: parameters.grouping, scales: parameters.scales, zeroPoints: parameters.zeroPoints))
      }
      guard let quantization = Quantization(type, parameters, storedIn: stored) else {
        preconditionFailure("the length was checked")
      }
      let used = parameters.scaleCount * MemoryLayout<Float>.size + parameters.zeroPointCount
      if let wrong = (used..<parameterBytes).first(where: { stored.byte(at: $0) != 0 }) {
        throw FileError(
          .malformed, code: "vggw.padding", file: path, "has padding that is not zero",
          offset: record.offset + wrong, place: "tensor \(record.name), behind its scales",
          seen: "\(stored.byte(at: wrong) ?? 0)", allowed: "0")
      }
      return .codes(
        GroupedCodes(base: codes, quantization: quantization, record: record, path: path), quantization)
    }
  }
}
