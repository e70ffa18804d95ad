internal import VGGBytes
internal import VGGModel
internal import VGGNative
internal import VGGTensors

/// What a file keeps its weights and biases in.
public struct StoredWeights: Equatable, Sendable {
  /// The bytes of all tensors in the file.
  public private(set) var byteCount = 0
  /// The element types of the weights, biases left aside, with the largest part first.
  public private(set) var elementTypes: [String]

  /// Looks at the tensors of a file.
  public init(of opened: OpenedModel) {
    var bytesOfType: [String: Int] = [:]
    for tensor in opened.model.tensors {
      let record = opened.native?.tensorRecords.first { $0.name == tensor.name }
      let format = tensor.source?.format
      let type = record?.elementType.name ?? format?.kind.rawValue ?? "float32"
      let isSparse = record?.storage == .sparse
      let count = record?.storedBytes ?? tensor.source?.bytes.count ?? tensor.count * MemoryLayout<Float>.size
      byteCount += count
      if tensor.role == .weight { bytesOfType[(isSparse ? "sparse " : "") + type, default: 0] += count }
    }
    elementTypes = bytesOfType.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
  }
}
