internal import CMemoryFaults

/// A run of immutable bytes, and what keeps them in memory: part of a mapped file or of a scratch file.
///
/// Slicing is checked and free: no bytes are copied, however large the region is.
public struct ByteRegion: @unchecked Sendable {
  // Safe to share: the bytes are never written after the owner hands them out, and the owner is itself Sendable.
  private let owner: any AnyObject & Sendable
  private let base: UnsafeRawPointer?
  /// The number of bytes.
  public let count: Int

  /// Creates a region over memory that stays valid and unchanged as long as the owner lives.
  public init(owner: any AnyObject & Sendable, bytes: UnsafeRawBufferPointer) {
    self.owner = owner
    self.base = bytes.baseAddress
    self.count = bytes.count
  }

  /// Creates a region over a copy of small data.
  public init(copying bytes: [UInt8]) {
    let storage = HeapBytes(bytes)
    self.init(owner: storage, bytes: UnsafeRawBufferPointer(storage.buffer))
  }

  /// The part of the region that starts at an offset, or nil where it does not lie wholly inside.
  public func slice(at offset: Int, count: Int) -> ByteRegion? {
    guard offset >= 0, count >= 0, offset <= self.count, count <= self.count - offset else { return nil }
    return ByteRegion(
      owner: owner, bytes: UnsafeRawBufferPointer(start: base.map { $0 + offset }, count: count))
  }

  /// Lends the bytes for the time of the call.
  public func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(owner) {} }
    return try body(UnsafeRawBufferPointer(start: base, count: count))
  }

  /// Whether the file that the bytes are mapped from has become shorter: then reading them may end the process.
  package var isCutOff: Bool { base.map { cmf_is_cut_off($0) } ?? false }

  /// The byte at an offset, or nil past the end.
  public func byte(at offset: Int) -> UInt8? {
    guard offset >= 0, offset < count, let base else { return nil }
    defer { withExtendedLifetime(owner) {} }
    return base.load(fromByteOffset: offset, as: UInt8.self)
  }

  /// A little-endian integer at any offset, or nil where it does not lie wholly inside.
  public func integer<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type = Value.self) -> Value? {
    guard offset >= 0, offset <= count, MemoryLayout<Value>.size <= count - offset, let base else {
      return nil
    }
    defer { withExtendedLifetime(owner) {} }
    return Value(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  /// Whether the region has these bytes at an offset.
  public func hasBytes(_ expected: [UInt8], at offset: Int = 0) -> Bool {
    guard let part = slice(at: offset, count: expected.count) else { return false }
    return part.withBytes { $0.elementsEqual(expected) }
  }
}

/// Bytes on the heap that live as long as a region refers to them.
private final class HeapBytes: @unchecked Sendable {
  let buffer: UnsafeMutableRawBufferPointer

  init(_ bytes: [UInt8]) {
    buffer = .allocate(byteCount: bytes.count, alignment: 64)
    buffer.copyBytes(from: bytes)
  }

  deinit { buffer.deallocate() }
}
