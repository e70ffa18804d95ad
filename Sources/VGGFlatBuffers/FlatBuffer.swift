public import VGGBytes

/// A file of the FlatBuffers format that is read where it lies.
///
/// Nothing of the file is believed: every offset is compared with the file before it is followed. Tables may refer to the same value again
/// and again, so the number of elements of a vector says nothing of the work; whoever reads one says how many there may be.
public struct FlatBuffer: Sendable {
  /// The file's bytes.
  public let bytes: ByteRegion
  /// The file's path, for errors.
  public let file: String

  /// Takes a file for a FlatBuffer.
  public init(_ bytes: ByteRegion, file: String) { (self.bytes, self.file) = (bytes, file) }

  /// Whether bytes say that they are of a schema.
  public static func has(identifier: String, _ bytes: ByteRegion) -> Bool {
    bytes.hasBytes(Array(identifier.utf8), at: 4)
  }

  /// The table that refers to all others.
  public func root() throws(FileError) -> Table { try table(referredToAt: 0, "the root table") }

  /// A table of the file.
  public struct Table: Sendable {
    /// The file that it is a part of.
    public let buffer: FlatBuffer
    /// Where it begins.
    public let offset: Int
    private let fields: Int
    private let fieldCount: Int
    private let byteCount: Int

    fileprivate init(_ buffer: FlatBuffer, at offset: Int, _ name: String) throws(FileError) {
      (self.buffer, self.offset) = (buffer, offset)
      guard let back: Int32 = buffer.bytes.integer(at: offset) else {
        throw buffer.damaged("has a table that does not lie within it", at: offset, name)
      }
      let start = offset - Int(back)
      guard let length: UInt16 = buffer.bytes.integer(at: start),
        let byteCount: UInt16 = buffer.bytes.integer(at: start &+ 2), length >= 4, length % 2 == 0,
        buffer.bytes.slice(at: start, count: Int(length)) != nil, byteCount >= 4,
        buffer.bytes.slice(at: offset, count: Int(byteCount)) != nil
      else { throw buffer.damaged("has a table without a list of its fields", at: offset, name) }
      (fields, fieldCount) = (start + 4, (Int(length) - 4) / 2)
      self.byteCount = Int(byteCount)
    }

    /// Where a field is; nil: it is not there.
    private func place(_ slot: Int, byteCount: Int) throws(FileError) -> Int? {
      guard slot < fieldCount, let place: UInt16 = buffer.bytes.integer(at: fields + 2 * slot), place != 0
      else {
        return nil
      }
      guard place >= 4, Int(place) + byteCount <= self.byteCount else {
        throw buffer.damaged("has a field that does not lie within its table", at: offset, "field \(slot)")
      }
      return offset + Int(place)
    }

    /// Whether a field is there.
    public func has(_ slot: Int) throws(FileError) -> Bool { try place(slot, byteCount: 1) != nil }

    /// A whole number.
    public func integer<Value: FixedWidthInteger>(_ slot: Int, standard: Value) throws(FileError) -> Value {
      guard let place = try place(slot, byteCount: MemoryLayout<Value>.size) else { return standard }
      return buffer.bytes.integer(at: place) ?? standard
    }

    /// A flag.
    public func flag(_ slot: Int) throws(FileError) -> Bool { try integer(slot, standard: UInt8(0)) != 0 }

    /// A number with a binary point.
    public func float(_ slot: Int, standard: Float) throws(FileError) -> Float {
      Float(bitPattern: try integer(slot, standard: standard.bitPattern))
    }

    /// Another table; nil: it is not there.
    public func table(_ slot: Int, _ name: String) throws(FileError) -> Table? {
      guard let place = try place(slot, byteCount: 4) else { return nil }
      return try buffer.table(referredToAt: place, name)
    }

    /// A vector; nil: it is not there.
    ///
    /// - Parameters:
    ///   - slot: The field.
    ///   - elementByteCount: The bytes of an element; 4 for tables.
    ///   - limit: The most elements that there may be.
    ///   - name: What it is, for errors.
    public func vector(
      _ slot: Int, elementByteCount: Int, limit: Int, _ name: String
    ) throws(FileError) -> Vector? {
      guard let place = try place(slot, byteCount: 4) else { return nil }
      let offset = try buffer.target(of: place, name)
      guard let count: UInt32 = buffer.bytes.integer(at: offset) else {
        throw buffer.damaged("has a vector that does not lie within it", at: offset, name)
      }
      guard count <= limit else {
        throw FileError(
          .unsupported, code: "flatbuffers.count", file: buffer.file, "has more of something than any VGG",
          offset: offset, place: name, seen: "\(count)", allowed: "at most \(limit)")
      }
      guard let bytes = buffer.bytes.slice(at: offset + 4, count: Int(count) * elementByteCount) else {
        throw buffer.damaged(
          "has a vector that does not lie within it", at: offset, name, seen: "\(count) elements")
      }
      return Vector(buffer: buffer, offset: offset + 4, bytes: bytes, elementByteCount: elementByteCount)
    }

    /// The tables of a vector; none where it is not there.
    public func tables(_ slot: Int, limit: Int, _ name: String) throws(FileError) -> [Table] {
      guard let vector = try vector(slot, elementByteCount: 4, limit: limit, name) else { return [] }
      var tables: [Table] = []
      for index in 0..<vector.count {
        tables.append(try buffer.table(referredToAt: vector.offset + 4 * index, "\(name) \(index)"))
      }
      return tables
    }

    /// A text of at most so many bytes; what is no UTF-8 is replaced. Empty where it is not there.
    public func string(_ slot: Int, limit: Int = 1 << 16, _ name: String) throws(FileError) -> String {
      let vector = try vector(slot, elementByteCount: 1, limit: limit, name)
      guard let bytes = vector?.bytes else { return "" }
      guard !bytes.withBytes({ $0.contains(0) }) else {
        throw buffer.damaged("has a text with a zero in it", at: offset, name)
      }
      return bytes.withBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Whole numbers; none where they are not there.
    public func integers<Value: FixedWidthInteger>(
      _ slot: Int, as type: Value.Type, limit: Int, _ name: String
    ) throws(FileError) -> [Value] {
      let size = MemoryLayout<Value>.size
      guard let vector = try vector(slot, elementByteCount: size, limit: limit, name) else { return [] }
      return (0..<vector.count).map { vector.bytes.integer(at: $0 * size) ?? 0 }
    }
  }

  /// A vector: so many elements of the same length, one after the other.
  public struct Vector: Sendable {
    fileprivate let buffer: FlatBuffer
    /// Where the first element is.
    public let offset: Int
    /// The elements.
    public let bytes: ByteRegion
    fileprivate let elementByteCount: Int

    /// The number of elements.
    public var count: Int { bytes.count / elementByteCount }
  }

  fileprivate func table(referredToAt place: Int, _ name: String) throws(FileError) -> Table {
    try Table(self, at: target(of: place, name), name)
  }

  /// What an offset in the file leads to.
  fileprivate func target(of place: Int, _ name: String) throws(FileError) -> Int {
    guard let distance: UInt32 = bytes.integer(at: place), distance > 0, Int(distance) < bytes.count - place
    else {
      throw damaged("has an offset that leads out of it", at: place, name)
    }
    return place + Int(distance)
  }

  fileprivate func damaged(_ problem: String, at offset: Int, _ place: String, seen: String? = nil)
    -> FileError
  {
    FileError(
      .malformed, code: "flatbuffers.bounds", file: file, problem, offset: min(offset, bytes.count),
      place: place, seen: seen,
      allowed: "within \(bytes.count) bytes")
  }
}
