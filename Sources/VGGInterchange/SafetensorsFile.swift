internal import CVGGRules
internal import JSONKit
public import VGGBytes
public import VGGModel
internal import VGGTensors

/// Writes safetensors files, which Python, Rust and JavaScript read without running code.
///
/// The format (huggingface/safetensors): the length of the header, eight bytes; the header, JSON padded with spaces; the
/// tensors, little-endian, in the header's order and without gaps.
public enum SafetensorsFile {
  /// Writes a model's tensors under their canonical names and in their canonical layouts.
  ///
  /// Reals keep their type; for codes see `NamedArray.arrays(of:dequantized:)`. Equal models give equal bytes.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - path: Where to write the file, which appears when it is complete or not at all.
  ///   - overwrite: Whether a file of that name is replaced.
  ///   - dequantizes: Whether codes are written as the values that they stand for.
  ///   - progress: Called from any thread with the number of bytes that were written since the last call.
  /// - Throws: `cannotCreate` where the file exists and is not to be replaced, or its folder takes none; `inputOutput`
  ///   where the disk is full or fails; what reading the values throws.
  public static func write(
    _ model: Model, to path: String, overwrite: Bool, dequantizes: Bool = false,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) {
    let entries = entries(of: model, dequantizes)
    let header = header(entries, model)
    let output = try AtomicFile(path: path, overwrite: overwrite)
    try output.reserve(header.count + (entries.last?.range.upperBound ?? 0))
    try ByteRegion(copying: header).withBytes { (bytes) throws(FileError) in try output.write(bytes, at: 0) }
    for entry in entries {
      try output.write(
        entry.array.content, as: entry.type, at: header.count + entry.range.lowerBound, progress: progress)
    }
    try output.publish()
  }

  /// An array and its place behind the header.
  private struct Entry {
    var array: NamedArray
    var type: ExportedType
    var range: Range<Int>
  }

  /// The arrays in the order of the reference writer: wide types first so that all are aligned, then by name.
  private static func entries(of model: Model, _ dequantizes: Bool) -> [Entry] {
    let sorted = NamedArray.arrays(of: model, dequantized: dequantizes)
      .map { (array: $0, type: ExportedType($0.content)) }
      .sorted { ($0.type.rank, $0.array.name) < ($1.type.rank, $1.array.name) }
    var end = 0
    return sorted.map { array, type in
      let start = end
      end += array.shape.reduce(1, *) * type.byteCount
      return Entry(array: array, type: type, range: start..<end)
    }
  }

  private static func header(_ entries: [Entry], _ model: Model) -> [UInt8] {
    var metadata: [(key: String, value: JSONValue)] = [
      ("architecture", .string("VGG \(model.network.architecture.rawValue)")),
      ("convolution_layout", "row, column, input, output"),
      ("dense_layout", "input, output; the inputs of fc6 are in the order row, column, channel"),
      ("format", "np"),
    ]
    if let arithmetic = model.integerArithmetic, !entries.allSatisfy({ $0.type == .float32 }) {
      metadata.append(("rounding", .string(arithmetic.rounding.rawValue)))
    }
    if let preprocessing = model.preprocessing {
      metadata.append(("channel_order", .string(preprocessing.channelOrder.rawValue)))
    }
    let members = entries.map { entry in
      let value: JSONValue = [
        "dtype": .string(entry.type.rawValue),
        "shape": .array(entry.array.shape.map { .integer(Int64($0)) }),
        "data_offsets": [.integer(Int64(entry.range.lowerBound)), .integer(Int64(entry.range.upperBound))],
      ]
      return (key: entry.array.name, value: value)
    }
    let json = JSONValue.object([(key: "__metadata__", value: .object(metadata))] + members)
    var text = Array(json.compact.utf8)
    text += Array(repeating: 0x20, count: (8 - text.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }
}

/// How a number is written for other programs; the names are those of safetensors.
enum ExportedType: String {
  case int64 = "I64"
  case float32 = "F32"
  case int32 = "I32"
  case bfloat16 = "BF16"
  case float16 = "F16"
  case int8 = "I8"

  init(_ content: NamedArray.Content) {
    switch content {
    case .reals(_, .float16): self = .float16
    case .reals(_, .bfloat16): self = .bfloat16
    case .reals(_, .float32): self = .float32
    case .codes: self = .int8
    case .integers(_, .bits32): self = .int32
    case .integers(_, .bits64): self = .int64
    }
  }

  /// The number of bytes of a number, and the place in the reference writer's order of types.
  private var traits: (byteCount: Int, rank: Int) {
    switch self {
    case .int64: (8, 0)
    case .float32: (4, 1)
    case .int32: (4, 2)
    case .bfloat16: (2, 3)
    case .float16: (2, 4)
    case .int8: (1, 5)
    }
  }

  /// The number of bytes of a number.
  var byteCount: Int { traits.byteCount }

  /// The place in the reference writer's order of types.
  var rank: Int { traits.rank }
}

extension AtomicFile {
  /// Writes an array's numbers at an offset, on several threads and in pieces.
  ///
  /// Reals of a narrower type must be exact in it, as those of a tensor with that encoding are.
  func write(
    _ content: NamedArray.Content, as type: ExportedType, at offset: Int,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) {
    switch content {
    case .reals(let values, _): try write(values, as: type, at: offset, progress)
    case .codes(let codes):
      let length = 1 << 20
      try Workers.current.perform((codes.count + length - 1) / length) { index throws(FileError) in
        let range = index * length..<min(codes.count, (index + 1) * length)
        try codes.withCodes(range) { codes throws(FileError) in
          try write(UnsafeRawBufferPointer(codes), at: offset + range.lowerBound)
        }
        progress(range.count)
      }
    case .integers(let bytes, _):
      try ByteRegion(copying: bytes).withBytes { bytes throws(FileError) in try write(bytes, at: offset) }
    }
  }

  private func write(
    _ values: any TensorValues, as type: ExportedType, at offset: Int,
    _ progress: @escaping @Sendable (Int) -> Void
  ) throws(FileError) {
    try values.reducePieces(rowLength: 1, into: ()) { first, piece throws(FileError) in
      let place = offset + first * type.byteCount
      switch type {
      case .float16: try write(piece, at: place) { vgr_f16_of_exact($0.bitPattern) }
      case .bfloat16: try write(piece, at: place) { vgr_bf16_of_exact($0.bitPattern) }
      case .float32, .int8, .int32, .int64: try write(UnsafeRawBufferPointer(piece), at: place)
      }
      progress(piece.count * MemoryLayout<Float>.size)
    } combine: { _, _ in
    }
  }

  private func write(
    _ values: UnsafeBufferPointer<Float>, at offset: Int, _ narrow: (Float) -> UInt16
  ) throws(FileError) {
    let narrowed = values.map { narrow($0).littleEndian }
    var failure: FileError?
    narrowed.withUnsafeBytes { bytes in
      do throws(FileError) { try write(bytes, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
