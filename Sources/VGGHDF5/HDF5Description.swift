internal import CHDF5
public import VGGBytes
public import VGGTensors

/// What a new HDF5 file is to hold: groups, attributes, and data sets of float32.
///
/// The system's libhdf5 decides how such a file looks, byte for byte, but never sees the numbers: it is asked where they
/// belong (see `CHDF5.h`), and they are streamed there like those of any other file. Equal descriptions give equal bytes.
public struct HDF5Description: Sendable {
  private var records: [UInt8] = []
  private var datasets: [any TensorValues] = []

  /// Describes a file with nothing in it.
  public init() {}

  /// Adds a group; those on the way to it, or to a data set, need not be added.
  public mutating func addGroup(_ path: String) { append("G", path) }

  /// Adds a data set.
  ///
  /// - Precondition: There is a value for each element of the shape, and at least one.
  public mutating func addDataset(_ path: String, shape: [Int], values: any TensorValues) {
    precondition(shape.reduce(1, *) == values.count && values.count > 0)
    append("D", path)
    for number in [shape.count] + shape { append(number) }
    datasets.append(values)
  }

  /// Adds an attribute of a group that is there: a text.
  ///
  /// - Parameters:
  ///   - name: The attribute's name.
  ///   - path: The group, `/` for the root.
  ///   - text: Its value, without a zero in it.
  ///   - hasFixedLength: Whether the attribute's type says the length, as all versions of h5py read it; below 64 KiB. Otherwise it
  ///     is variable, as h5py 3 writes text.
  public mutating func setAttribute(
    _ name: String, of path: String, to text: String, hasFixedLength: Bool = true
  ) {
    append(hasFixedLength ? "S" : "V", path, name, text)
  }

  /// Adds an attribute of a group that is there: texts of fixed length, together below 64 KiB. Where there are none, it is
  /// an array of no numbers, as h5py makes of an empty list.
  public mutating func setAttribute(_ name: String, of path: String, to texts: [String]) {
    append("L", path, name)
    append(texts.count)
    for text in texts { append(text) }
  }

  private mutating func append(_ kind: Character, _ texts: String...) {
    records += String(kind).utf8
    for text in texts { append(text) }
  }

  private mutating func append(_ text: String) {
    append(text.utf8.count)
    records += text.utf8
    records.append(0)
  }

  private mutating func append(_ number: Int) {
    withUnsafeBytes(of: UInt64(number)) { records += $0 }
  }
}

extension HDF5Description {
  /// What the file holds.
  ///
  /// - Parameter file: The path that it is to have, for errors.
  /// - Throws: `unavailable` where libhdf5 is not installed, or a process of its own cannot be had.
  public func content(named file: String) throws(FileError) -> FileContent {
    let terms = chdf5_terms(isolated: true, seconds: 10, memory: 64 << 20)
    var start: UnsafeMutablePointer<UInt8>?
    var count = 0
    let outcome = chdf5_lay_out(records, records.count, terms, &start, &count)
    defer { chdf5_release(start) }
    func failure(_ kind: FileError.Kind, _ code: String, _ problem: String, advice: String? = nil)
      -> FileError
    {
      FileError(kind, code: "hdf5.write.\(code)", file: file, problem, advice: advice)
    }
    switch outcome.status {
    case CHDF5_DONE: break
    case CHDF5_UNAVAILABLE:
      throw failure(
        .unavailable, "library",
        "would be an HDF5 file, and the library that lays these out is not installed",
        advice: "install it with 'apt-get install libhdf5-103-1'")
    case CHDF5_NO_RESOURCES:
      throw failure(
        .unavailable, "process",
        "cannot be laid out in a process of its own: \(systemMessage(outcome.detail))")
    case CHDF5_CRASHED, CHDF5_TIMED_OUT:
      throw failure(.fault, "layout", "makes the HDF5 library fail when it is laid out")
    default:
      throw failure(.fault, "layout", "cannot be laid out as an HDF5 file: \(outcome.text)")
    }
    guard let content = content(of: UnsafeRawBufferPointer(start: start, count: count)) else {
      throw failure(.fault, "layout", "was laid out as no HDF5 file can be")
    }
    return content
  }

  /// Puts the numbers between the bytes that the library has written; nil where they do not fit there.
  private func content(of layout: UnsafeRawBufferPointer) -> FileContent? {
    let numberCount = datasets.count + 1
    guard layout.count >= numberCount * MemoryLayout<UInt64>.size else { return nil }
    let numbers = (0..<numberCount).map {
      layout.loadUnaligned(fromByteOffset: $0 * MemoryLayout<UInt64>.size, as: UInt64.self)
    }
    var rest = layout.dropFirst(numberCount * MemoryLayout<UInt64>.size)
    var content = FileContent()
    for (offset, values) in zip(numbers.dropFirst(), datasets).sorted(by: { $0.0 < $1.0 }) {
      guard let gap = Int(exactly: offset).map({ $0 - content.byteCount }), (0...rest.count).contains(gap)
      else { return nil }
      content.append(rest.prefix(gap))
      rest = rest.dropFirst(gap)
      content.append(.reals(values, as: .float32))
    }
    content.append(rest)
    return content.byteCount == Int(exactly: numbers[0]) ? content : nil
  }
}

extension chdf5_outcome {
  /// What the library says.
  fileprivate var text: String {
    withUnsafeBytes(of: message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
