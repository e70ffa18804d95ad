internal import JSONKit
internal import VGGInterchange
public import VGGModel
internal import VGGTensors

/// Describes safetensors files, which Python, Rust and JavaScript read without running code.
///
/// The format (huggingface/safetensors): the length of the header, eight bytes; the header, JSON padded with spaces; the
/// tensors, little-endian, in the header's order and without gaps.
public enum SafetensorsExporter {
  /// A model's tensors under their canonical names and in their canonical layouts.
  ///
  /// Reals keep their type; for codes see `NamedArray.arrays(of:dequantized:)`.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - dequantizes: Whether codes are written as the values that they stand for.
  public static func export(_ model: Model, dequantizes: Bool = false) -> Export {
    // The order of the reference writer: wide types first so that all are aligned, then by name.
    let arrays = NamedArray.arrays(of: model, dequantized: dequantizes)
      .sorted { ($0.type.rank, $0.name) < ($1.type.rank, $1.name) }
    var content = FileContent([.bytes(header(arrays, model))])
    for array in arrays { content.append(array.numbers) }
    return Export(files: [ExportedFile(content)])
  }

  private static func header(_ arrays: [NamedArray], _ model: Model) -> [UInt8] {
    var metadata: [(key: String, value: JSONValue)] = [
      ("architecture", .string("VGG \(model.network.architecture.rawValue)")),
      ("convolution_layout", "row, column, input, output"),
      ("dense_layout", "input, output; the inputs of fc6 are in the order row, column, channel"),
      ("format", "np"),
    ]
    if let arithmetic = model.integerArithmetic, !arrays.allSatisfy({ $0.type == .float32 }) {
      metadata.append(("rounding", .string(arithmetic.rounding.rawValue)))
    }
    if let preprocessing = model.preprocessing {
      metadata.append(("channel_order", .string(preprocessing.channelOrder.rawValue)))
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
