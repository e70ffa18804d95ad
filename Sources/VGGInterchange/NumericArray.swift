public import VGGBytes

/// An array of numbers from a `.npy` file: a shape and the bytes as they lie in the file, converted on demand.
public struct NumericArray: Sendable {
  /// The lengths of the axes; none for a single number.
  public let shape: [Int]
  /// Whether the numbers are whole: bytes and integers are, floats are not, whatever their values.
  public var isInteger: Bool { element.kind != .float }
  /// The number of numbers.
  public let count: Int

  private let element: ArrayElement
  /// Whether the first axis varies fastest in the file, not the last.
  private let isColumnMajor: Bool
  private let bytes: ByteRegion
  private let file: String

  /// Reads the header of a `.npy` file.
  ///
  /// - Parameters:
  ///   - npy: The whole file, or the whole member of an `.npz` archive.
  ///   - file: The file's path, for errors.
  ///   - name: The array's name in an archive, for errors.
  /// - Throws: `malformed` where the header or the length is wrong; `unsupported` for arrays of anything but numbers.
  ///   Arrays of objects are Python pickles, which are never read.
  public init(npy: ByteRegion, file: String, name: String? = nil) throws(FileError) {
    let place = name.map { "array \($0)" }
    let header = try ArrayHeader(npy, file: file, place: place)
    guard let element = ArrayElement(header.description) else {
      let isPickle = header.description.contains("O")
      throw FileError(
        .unsupported, code: isPickle ? "npy.pickle" : "npy.type", file: file,
        isPickle
          ? "holds Python objects; reading them can run any code, so this is never done"
          : "holds an array of an unsupported type",
        place: place, seen: header.description, allowed: ArrayElement.allowedDescriptions,
        advice: isPickle ? "save arrays of numbers" : nil)
    }
    let data = npy.count - header.byteCount
    var byteCount: Int? = element.byteCount
    for length in header.shape {
      let (product, isTooLarge) = (byteCount ?? 0).multipliedReportingOverflow(by: length)
      byteCount = isTooLarge || byteCount == nil ? nil : product
    }
    guard let byteCount, byteCount == data, let bytes = npy.slice(at: header.byteCount, count: byteCount)
    else {
      throw FileError(
        .malformed, code: "npy.length", file: file, "has not as many bytes as its shape needs",
        offset: name == nil ? header.byteCount : nil, place: place, seen: "\(data) bytes",
        allowed: "\(byteCount.map(String.init) ?? "more than any file has") for \(header.shape)")
    }
    shape = header.shape
    count = byteCount / element.byteCount
    isColumnMajor = header.isColumnMajor
    self.element = element
    self.bytes = bytes
    self.file = file
  }

  /// All numbers as float32, rounded to the nearest, the last axis fastest.
  ///
  /// - Throws: `malformed` where a finite number is beyond the range of float32.
  public func values() throws(FileError) -> [Float] { try values(0..<count) }

  /// Some of the numbers as float32, counted with the last axis fastest; see ``values()``.
  ///
  /// - Precondition: The range lies within `0..<count`.
  public func values(_ range: Range<Int>) throws(FileError) -> [Float] {
    // An infinity may stand in the file; one that conversion made may not.
    let canOverflow = element.kind == .float && element.byteCount == 8
    return try map(range) { bits throws(FileError) in
      let value = element.float(bits)
      if canOverflow, value.isInfinite, Double(bitPattern: bits).isFinite {
        throw FileError(
          .malformed, code: "npy.range", file: file, "holds a number beyond the range of float32",
          seen: "\(Double(bitPattern: bits))", allowed: "magnitudes up to \(Float.greatestFiniteMagnitude)")
      }
      return value
    }
  }

  /// All numbers of an array of whole numbers, the last axis fastest.
  ///
  /// - Throws: `malformed` for an array of floats, or where a number is beyond the range of `Int`.
  public func integers() throws(FileError) -> [Int] {
    func failure(_ problem: String) -> FileError {
      FileError(.malformed, code: "npy.integer", file: file, problem, allowed: "whole numbers below 2^63")
    }
    guard isInteger else { throw failure("holds floats where whole numbers are needed") }
    return try map(0..<count) { bits throws(FileError) in
      guard let value = element.integer(bits) else { throw failure("holds a number that is too large") }
      return value
    }
  }

  /// Converts some of the numbers, counted with the last axis fastest.
  private func map<Value>(
    _ range: Range<Int>, _ convert: (UInt64) throws(FileError) -> Value
  ) throws(FileError) -> [Value] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    var values: [Value] = []
    values.reserveCapacity(range.count)
    guard !range.isEmpty else { return values }
    try bytes.withBytes { bytes throws(FileError) in
      guard let base = bytes.baseAddress else { return }
      guard isColumnMajor, shape.count > 1 else {
        for index in range {
          values.append(try convert(element.bits(at: base + index * element.byteCount)))
        }
        return
      }
      var strides = [element.byteCount]
      for length in shape.dropLast() { strides.append((strides.last ?? 0) * length) }
      var position = Array(repeating: 0, count: shape.count)
      var (offset, rest) = (0, range.lowerBound)
      for axis in shape.indices.reversed() {
        position[axis] = rest % shape[axis]
        rest /= shape[axis]
        offset += position[axis] * strides[axis]
      }
      for _ in range {
        values.append(try convert(element.bits(at: base + offset)))
        var axis = shape.count - 1
        offset += strides[axis]
        position[axis] += 1
        while axis > 0, position[axis] == shape[axis] {
          offset += strides[axis - 1] - strides[axis] * shape[axis]
          position[axis] = 0
          position[axis - 1] += 1
          axis -= 1
        }
      }
    }
    return values
  }
}
