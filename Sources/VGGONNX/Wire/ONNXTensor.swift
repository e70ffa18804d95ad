internal import VGGBytes
internal import VGGInterchange
internal import VGGProtobuf
internal import VGGTensors

/// A tensor in a file: its shape, and where its numbers are. They are read only when a layer needs them.
struct ONNXTensor {
  /// The most axes of a tensor or value.
  static let mostAxes = 8

  /// Where numbers stand.
  private enum Data {
    case none
    /// As they are, neighbours so many bytes apart.
    case plain(start: Int, count: Int, stride: Int)
    /// One by one, as integers of any length.
    case varints([Range<Int>])
    /// In another file.
    case external([(key: String, value: String)])
    /// In several pieces.
    case pieces
  }

  private(set) var name = ""
  private(set) var shape: [Int] = []
  /// Where it begins in the file.
  let offset: Int
  private var type = 0
  private var data = Data.none
  private var isExternal = false
  /// The types that the field may hold in which the numbers stand; nil: all.
  private var fieldTypes: Set<ONNXElement>?

  /// The number of its numbers.
  var count: Int { shape.reduce(1, *) }

  /// What errors call it.
  var place: String { "tensor \(name)" }

  /// Reads a TensorProto without its numbers.
  init(_ range: Range<Int>, _ file: ONNXFile) throws(FileError) {
    offset = range.lowerBound
    var entries: [(key: String, value: String)] = []
    var reader = file.reader(range, "a tensor")
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (ONNXField.Tensor.dimension, .varint(let length)): try addAxis(length, file)
      case (ONNXField.Tensor.dimension, .bytes(let range)):
        var packed = file.reader(range, "the shape of \(name)")
        while !packed.isAtEnd { try addAxis(try packed.varint(), file) }
      case (ONNXField.Tensor.type, .varint(let number)): type = Int(truncatingIfNeeded: number)
      case (ONNXField.Tensor.name, .bytes(let range)): name = try file.text(range, "a tensor's name")
      case (ONNXField.Tensor.raw, .bytes(let range)):
        add(.plain(start: range.lowerBound, count: range.count, stride: 1))
      case (ONNXField.Tensor.floats, .bytes(let range)):
        fieldTypes = [.float32]
        add(.plain(start: range.lowerBound, count: range.count, stride: 1))
      case (ONNXField.Tensor.doubles, .bytes(let range)):
        fieldTypes = [.float64]
        add(.plain(start: range.lowerBound, count: range.count, stride: 1))
      case (ONNXField.Tensor.floats, .fixed32(let start)):
        fieldTypes = [.float32]
        let more = start - field.offset == 1 ? reader.skipFixed32Run(tag: 4 << 3 | 5) : 0
        add(.plain(start: start, count: 4 * (1 + more), stride: more > 0 ? 5 : 4))
      case (ONNXField.Tensor.integers, .bytes(let range)), (ONNXField.Tensor.longs, .bytes(let range)):
        fieldTypes = ONNXTensor.types(ofField: field.number)
        addVarints(range)
      case (ONNXField.Tensor.integers, .varint), (ONNXField.Tensor.longs, .varint):
        fieldTypes = ONNXTensor.types(ofField: field.number)
        // Without the tag, which has one byte for these fields.
        addVarints(field.offset + 1..<reader.offset)
      case (ONNXField.Tensor.external, .bytes(let range)):
        guard entries.count < 16 else {
          throw file.malformed("external", "has too much to say of where numbers are", place: place)
        }
        entries.append(try ONNXModel.entry(range, file, longest: 1 << 12))
      case (ONNXField.Tensor.location, .varint(let number)):
        guard number < 2 else {
          throw file.malformed(
            "location", "has numbers in an unknown place", at: field.offset, place: place, seen: "\(number)")
        }
        isExternal = number == 1
      case (ONNXField.Tensor.segment, _): data = .pieces
      default: continue
      }
    }
    if isExternal { data = .external(entries) }
    // So that no product of some of the lengths is too large.
    var count = 1
    for length in shape {
      let (product, isTooLarge) = count.multipliedReportingOverflow(by: max(1, length))
      guard !isTooLarge, product <= Int.max / 64 else {
        throw file.malformed("shape", "has an impossible shape", at: offset, place: place, seen: "\(shape)")
      }
      count = product
    }
  }

  /// The types whose numbers stand one by one in a field.
  private static func types(ofField field: Int) -> Set<ONNXElement> {
    field == ONNXField.Tensor.longs
      ? [.int64] : [.int32, .int8, .uint8, .int4, .uint4, .float16, .bfloat16]
  }

  private mutating func addAxis(_ length: UInt64, _ file: ONNXFile) throws(FileError) {
    guard shape.count < ONNXTensor.mostAxes, let length = Int(exactly: length), length <= Int32.max else {
      throw file.malformed(
        "shape", "has an impossible shape", at: offset, place: place, seen: "\(shape) and \(length)",
        allowed: "at most \(ONNXTensor.mostAxes) axes of less than 2^31")
    }
    shape.append(length)
  }

  private mutating func add(_ more: Data) {
    if case .none = data { data = more } else { data = .pieces }
  }

  private mutating func addVarints(_ range: Range<Int>) {
    if case .varints(let ranges) = data, ranges.count < 4096 {
      data = .varints(ranges + [range])
    } else {
      add(.varints([range]))
    }
  }
}

extension ONNXTensor {
  /// The type of the numbers.
  func element(_ file: ONNXFile) throws(FileError) -> ONNXElement {
    guard let element = ONNXElement(rawValue: type) else {
      throw file.unsupported(
        "type", "has a tensor of a type that no VGG has", at: offset, place: place, seen: "data_type \(type)",
        allowed: "float, float16, bfloat16, double, integers")
    }
    return element
  }

  /// The numbers where they are: bytes, how far neighbours are apart, and where they begin in the file itself.
  ///
  /// - Parameters:
  ///   - file: The file that the tensor stands in.
  ///   - companion: Opens another file beside this one.
  func numbers(
    _ file: ONNXFile, _ companion: (String) throws(FileError) -> MappedFile
  ) throws(FileError) -> (bytes: ByteRegion, stride: Int, fileOffset: Int?) {
    let element = try element(file)
    let width = max(1, element.bitCount / 8)
    let count = self.count
    let needed = element.bitCount < 8 ? (count + 1) / 2 : count * width
    if let fieldTypes, !fieldTypes.contains(element) {
      throw file.malformed(
        "field", "has numbers in the field of another type", at: offset, place: place, seen: "\(element)")
    }
    func require(_ seen: Int, at offset: Int?) throws(FileError) {
      guard seen == needed else {
        throw file.malformed(
          "length", "has not as many bytes as its shape needs", at: offset, place: place,
          seen: "\(seen) bytes", allowed: "\(needed) for \(shape) of \(element)")
      }
    }
    switch data {
    case .plain(let start, let seen, let stride):
      try require(seen, at: start)
      let isApart = stride == 5
      guard !isApart || element == .float32 else {
        throw file.malformed(
          "length", "has floats for numbers of another type", at: start, place: place, seen: "\(element)")
      }
      let length = isApart && count > 0 ? (count - 1) * 5 + 4 : seen
      guard let bytes = file.bytes.slice(at: start, count: length) else {
        preconditionFailure("a field lies within its file")
      }
      return (bytes, isApart ? 5 : width, start)
    case .varints(let ranges):
      return (try unpacked(ranges, count: needed / width, width: width, file), width, nil)
    case .external(let entries):
      let bytes = try external(entries, file, companion)
      try require(bytes.count, at: nil)
      return (bytes, width, nil)
    case .none:
      try require(0, at: offset)
      return (ByteRegion(copying: []), width, nil)
    case .pieces:
      throw file.unsupported("pieces", "has a tensor in several pieces", at: offset, place: place)
    }
  }

  /// Integers of any length brought to the one that their type has.
  private func unpacked(
    _ ranges: [Range<Int>], count: Int, width: Int, _ file: ONNXFile
  ) throws(FileError) -> ByteRegion {
    // Each number takes a byte at least: no file makes much of little.
    guard count <= ranges.reduce(0, { $0 + $1.count }) else {
      throw file.malformed(
        "length", "has not as many numbers as its shape needs", at: offset, place: place, allowed: "\(count)")
    }
    let scratch = try ScratchFile(byteCount: count * width, in: file.scratchFolder, for: file.path)
    let target = scratch.mutableBytes
    var filled = 0
    for range in ranges {
      var reader = file.reader(range, place)
      while !reader.isAtEnd {
        let number = try reader.varint()
        guard filled < count else {
          throw file.malformed(
            "length", "has more numbers than its shape needs", at: offset, place: place, allowed: "\(count)")
        }
        withUnsafeBytes(of: number.littleEndian) { bytes in
          for place in 0..<width { target[filled * width + place] = bytes[place] }
        }
        filled += 1
      }
    }
    guard filled == count else {
      throw file.malformed(
        "length", "has not as many numbers as its shape needs", at: offset, place: place, seen: "\(filled)",
        allowed: "\(count)")
    }
    return scratch.bytes
  }

  /// The part of another file that holds the numbers.
  private func external(
    _ entries: [(key: String, value: String)], _ file: ONNXFile,
    _ companion: (String) throws(FileError) -> MappedFile
  ) throws(FileError) -> ByteRegion {
    func entry(_ key: String) -> String? { entries.last { $0.key == key }?.value }
    guard let location = entry("location"), ONNXTensor.isBesideFile(location) else {
      throw file.unsupported(
        "location", "has numbers in a file that is not beside it", at: offset, place: place,
        seen: entry("location") ?? "no location",
        allowed: "a name or path without '..' below the file's folder")
    }
    let other = try companion(location)
    func number(_ key: String, otherwise value: Int) throws(FileError) -> Int {
      guard let text = entry(key) else { return value }
      guard let number = Int(text), number >= 0 else {
        throw file.malformed(
          "external", "has an impossible place of numbers", at: offset, place: place, seen: "\(key) \(text)")
      }
      return number
    }
    let start = try number("offset", otherwise: 0)
    let length = try number("length", otherwise: max(0, other.bytes.count - start))
    guard let bytes = other.bytes.slice(at: start, count: length) else {
      throw file.malformed(
        "external", "has numbers behind the end of \(location)", at: offset, place: place,
        seen: "\(length) bytes at \(start)", allowed: "within \(other.bytes.count) bytes")
    }
    return bytes
  }

  /// Whether a path leads to a file in the same folder or one below.
  private static func isBesideFile(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return !path.isEmpty && !path.contains("\\") && !path.unicodeScalars.contains("\0")
      && parts.allSatisfy { !$0.isEmpty && $0 != ".." }
  }
}
