import VGGBytes
import VGGFlatBuffers

/// A file, its tables, and where their fields are.
struct Patch {
  var bytes: [UInt8]
  let root: FlatBuffer.Table

  init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    root = try FlatBuffer(ByteRegion(copying: bytes), file: "x").root()
  }

  func graph() throws -> FlatBuffer.Table {
    try root.tables(TFLite.Model.subgraphs, limit: 1, "graphs")[0]
  }

  func number<Number: FixedWidthInteger>(_ place: Int, as type: Number.Type) -> Int {
    bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: place, as: Number.self)) }
  }

  /// Where the value of a field is, or the offset of what it refers to.
  func place(_ slot: Int, of table: FlatBuffer.Table) -> Int {
    let list = table.offset - number(table.offset, as: Int32.self)
    return table.offset + number(list + 4 + 2 * slot, as: UInt16.self)
  }

  /// Where the number of elements of a vector is.
  func vector(_ slot: Int, of table: FlatBuffer.Table) -> Int {
    let place = place(slot, of: table)
    return place + number(place, as: UInt32.self)
  }

  mutating func set(_ place: Int, to value: Int) {
    withUnsafeBytes(of: UInt32(value)) { bytes.replaceSubrange(place..<place + 4, with: $0) }
  }

  /// The operators of a kind.
  func operators(_ code: TFLite.Operation) throws -> [FlatBuffer.Table] {
    let codes = try root.tables(TFLite.Model.operatorCodes, limit: 99, "codes").map {
      try $0.integer(TFLite.OperatorCode.code, standard: Int32(0))
    }
    return try graph().tables(TFLite.Subgraph.operators, limit: 999, "operators").filter {
      codes[Int(try $0.integer(TFLite.Operator.code, standard: UInt32(0)))] == code.rawValue
    }
  }

  func tensors(_ slot: Int, _ table: FlatBuffer.Table) throws -> [Int] {
    try table.integers(slot, as: Int32.self, limit: 99, "tensors").map { Int($0) }
  }
}
