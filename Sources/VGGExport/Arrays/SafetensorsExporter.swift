internal import JSONKit
public import VGGBytes
internal import VGGInterchange
public import VGGModel
internal import VGGTensors

/// Describes safetensors files, which Python, Rust and JavaScript read without running code.
///
/// The format (huggingface/safetensors): the length of the header, eight bytes; the header, JSON padded with spaces; the
/// tensors, little-endian, in the header's order and without gaps.
public enum SafetensorsExporter {
  /// A model's tensors, and as metadata what else is known of it: see `ModelMetadata`.
  ///
  /// Reals keep their type; for codes see `NamedArray.arrays(of:dequantized:)`.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - naming: Whose names and layouts the tensors have.
  ///   - dequantizes: Whether codes are written as the values that they stand for.
  ///   - weightsDigest: The identity of the weights, where it is known; 32 bytes.
  /// - Throws: `unsupported` where the program whose names they are has no such network.
  public static func export(
    _ model: Model, naming: TensorNaming = .canonical, dequantizes: Bool = false,
    weightsDigest: [UInt8]? = nil
  ) throws(FileError) -> Export {
    // The order of the reference writer: wide types first so that all are aligned, then by name.
    let arrays = try NamedArray.arrays(of: model, named: naming, dequantized: dequantizes)
      .sorted { ($0.type.rank, $0.name) < ($1.type.rank, $1.name) }
    let keepsCodes = naming == .canonical && !dequantizes
    var metadata: [String: String] = [
      // Loaders of PyTorch's world ask for "pt".
      "format": naming.isOfTorch ? "pt" : "np", "names": naming.rawValue,
    ]
    metadata.merge(naming.layout.words) { $1 }
    var own = ModelMetadata(model, keepsCodes: keepsCodes)
    own.network = model.network
    if keepsCodes {
      own.nibbleTensors = model.tensors.filter { $0.elementType == .code(.int4) }.map(\.name)
    }
    for (key, value) in own.entries { metadata[key] = value }
    if let weightsDigest { metadata["weights_digest"] = hexadecimalDigits(of: weightsDigest) }
    var content = FileContent([.bytes(header(arrays, metadata))])
    for array in arrays { content.append(array.numbers) }
    return Export(
      files: [ExportedFile(content)],
      losses: [.decisions] + naming.losses(of: model, dequantizes: dequantizes))
  }

  private static func header(_ arrays: [NamedArray], _ metadata: [String: String]) -> [UInt8] {
    let metadata = metadata.sorted { $0.key < $1.key }.map {
      (key: $0.key, value: JSONValue.string($0.value))
    }
    var end: Int64 = 0
    let members = arrays.map { array in
      let start = end
      end += Int64(array.numbers.byteCount)
      let value: JSONValue = [
        "dtype": .string(array.type.rawValue),
        "shape": .array(array.shape.map { .integer(Int64($0)) }),
        "data_offsets": [.integer(start), .integer(end)],
      ]
      return (key: array.name, value: value)
    }
    let json = JSONValue.object([(key: "__metadata__", value: .object(metadata))] + members)
    var text = Array(json.compact.utf8)
    text += Array(repeating: 0x20, count: (8 - text.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }
}

extension WeightLayout {
  /// The order of axes, for people.
  fileprivate var words: [String: String] {
    let (convolution, dense, map) =
      switch self {
      case .outputsLast: ("row, column, input, output", "input, output", "row, column, channel")
      case .channelsFirst: ("output, input, row, column", "output, input", "channel, row, column")
      case .channelsLast: ("output, row, column, input", "output, input", "row, column, channel")
      }
    return [
      "convolution_layout": convolution,
      "dense_layout": "\(dense); the inputs of fc6 are in the order \(map)",
    ]
  }
}

extension ExportedType {
  /// The place in the reference writer's order of types.
  fileprivate var rank: Int {
    switch self {
    case .int64: 0
    case .float32: 1
    case .int32: 2
    case .bfloat16: 3
    case .float16: 4
    case .int8: 5
    }
  }
}
