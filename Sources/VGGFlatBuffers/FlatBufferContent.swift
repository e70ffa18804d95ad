public import VGGTensors

/// A table to be written as a part of a FlatBuffer: its fields by the numbers that the schema gives them.
public struct FlatBufferTable: Sendable {
  /// The fields that are there; the others have their defaults.
  fileprivate(set) var fields: [(slot: Int, value: FlatBufferValue)]

  /// Creates a table.
  ///
  /// - Precondition: No field is there twice.
  public init(_ fields: KeyValuePairs<Int, FlatBufferValue>) {
    self.fields = fields.map { ($0.key, $0.value) }
    precondition(Set(self.fields.map(\.slot)).count == fields.count)
  }

  /// Sets a field that is not there yet.
  public mutating func set(_ slot: Int, _ value: FlatBufferValue) {
    precondition(!fields.contains { $0.slot == slot })
    fields.append((slot, value))
  }
}

/// The value of a field of a table.
public enum FlatBufferValue: Sendable {
  case bool(Bool)
  case byte(UInt8)
  case int32(Int32)
  case uint32(UInt32)
  case float32(Float)
  case string(String)
  case int32s([Int32])
  case int64s([Int64])
  case float32s([Float])
  /// Bytes that stand at a multiple of 16.
  case bytes([UInt8])
  /// Bytes of any number, at a multiple of 16 behind everything else.
  case content(FileContent)
  case table(FlatBufferTable)
  case tables([FlatBufferTable])
}

extension FileContent {
  /// What a file of the FlatBuffers format holds.
  ///
  /// FlatBuffers are usually made from back to front in memory. Offsets point forward, so a table can as well stand in front of what it
  /// refers to: then tables come first, contents of tensors last, and the file is written in one pass.
  ///
  /// - Parameters:
  ///   - root: The table that refers to all others.
  ///   - identifier: The four characters that say which schema it is of.
  public init(flatBuffer root: FlatBufferTable, identifier: String) {
    precondition(identifier.utf8.count == 4)
    var writer = FlatBufferWriter(identifier: identifier)
    writer.write(root)
    self = writer.content()
  }
}

/// Puts one value behind the other, and the offset of each into the field that refers to it.
private struct FlatBufferWriter {
  private var bytes: [UInt8]
  /// What is still to be written, in order, and where the offset of each goes.
  private var pending: [(field: Int, value: FlatBufferValue)] = []
  /// What is written behind everything else.
  private var last: [(field: Int, content: FileContent)] = []

  init(identifier: String) { bytes = [0, 0, 0, 0] + Array(identifier.utf8) }

  mutating func write(_ root: FlatBufferTable) {
    pending = [(0, .table(root))]
    var next = 0
    while next < pending.count {
      let (field, value) = pending[next]
      next += 1
      write(value, referredToBy: field)
    }
  }

  func content() -> FileContent {
    var bytes = bytes
    var end = bytes.count
    var places: [Int] = []
    for (field, content) in last {
      places.append((end + 4 + 15) & ~15)
      bytes.replace(at: field, with: UInt32(places[places.count - 1] - 4 - field))
      end = places[places.count - 1] + content.byteCount
    }
    var result = FileContent([.bytes(bytes)])
    for (place, (_, content)) in zip(places, last) {
      result.append(.zeros(place - 4 - result.byteCount))
      result.append(UInt32(content.byteCount))
      result.append(content)
    }
    return result
  }

  private mutating func write(_ value: FlatBufferValue, referredToBy field: Int) {
    switch value {
    case .bool, .byte, .int32, .uint32, .float32: preconditionFailure("numbers stand in tables")
    case .content(let content): last.append((field, content))
    case .table(let table): writeTable(table, field)
    case .tables(let tables):
      begin(field, count: tables.count, alignment: 4)
      for table in tables {
        pending.append((bytes.count, .table(table)))
        append(UInt32(0))
      }
    case .string(let text):
      begin(field, count: text.utf8.count, alignment: 4)
      bytes += Array(text.utf8) + [0]
    case .bytes(let elements):
      begin(field, count: elements.count, alignment: 16)
      bytes += elements
    case .int32s(let elements):
      begin(field, count: elements.count, alignment: 4)
      for element in elements { append(element) }
    case .int64s(let elements):
      begin(field, count: elements.count, alignment: 8)
      for element in elements { append(element) }
    case .float32s(let elements):
      begin(field, count: elements.count, alignment: 4)
      for element in elements { append(element.bitPattern) }
    }
  }

  /// Begins a vector whose elements stand at a multiple of `alignment`, behind their number.
  private mutating func begin(_ field: Int, count: Int, alignment: Int) {
    while (bytes.count + 4) % alignment != 0 || bytes.count % 4 != 0 { bytes.append(0) }
    bytes.replace(at: field, with: UInt32(bytes.count - field))
    append(UInt32(count))
  }

  /// Writes where each field is, then the fields: wide ones first, so that all are aligned.
  private mutating func writeTable(_ table: FlatBufferTable, _ field: Int) {
    let fields = table.fields.sorted {
      (-$0.value.inlineByteCount, $0.slot) < (-$1.value.inlineByteCount, $1.slot)
    }
    var places = Array(repeating: UInt16(0), count: (table.fields.map(\.slot).max() ?? -1) + 1)
    var length = 4
    for (slot, value) in fields {
      places[slot] = UInt16(length)
      length += value.inlineByteCount
    }
    while bytes.count % 4 != 0 { bytes.append(0) }
    let start = bytes.count
    append(UInt16(4 + 2 * places.count))
    append(UInt16(length))
    for place in places { append(place) }
    while bytes.count % 4 != 0 { bytes.append(0) }
    bytes.replace(at: field, with: UInt32(bytes.count - field))
    append(Int32(bytes.count - start))
    for (_, value) in fields {
      switch value {
      case .bool(let flag): append(UInt8(flag ? 1 : 0))
      case .byte(let number): append(number)
      case .int32(let number): append(number)
      case .uint32(let number): append(number)
      case .float32(let number): append(number.bitPattern)
      default:
        pending.append((bytes.count, value))
        append(UInt32(0))
      }
    }
  }

  private mutating func append(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
  }
}

extension FlatBufferValue {
  /// The number of bytes in the table itself.
  fileprivate var inlineByteCount: Int {
    switch self {
    case .bool, .byte: 1
    default: 4
    }
  }
}

extension [UInt8] {
  fileprivate mutating func replace(at offset: Int, with number: UInt32) {
    Swift.withUnsafeBytes(of: number.littleEndian) { replaceSubrange(offset..<offset + 4, with: $0) }
  }
}
