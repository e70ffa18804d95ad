internal import VGGBytes
internal import VGGProtobuf
internal import VGGTensors

/// A BlobProto of a binary file.
///
/// Fields: `num` 1, `channels` 2, `height` 3, `width` 4 (the shape before 2015), `data` 5 (floats), `diff` 6, `shape` 7
/// (dim 1), `double_data` 8, `double_diff` 9, and of NVIDIA's fork `raw_data_type` 10, `raw_diff_type` 11, `raw_data` 12,
/// `raw_diff` 13. They come in any order and in any number of pieces.
struct BlobMessage: Blob {
  /// Neighbouring numbers: the offset of the first, how many, and how far apart.
  struct Run {
    var start: Int
    var count: Int
    var stride: Int
  }

  /// The numbers of one of the three fields that can hold them.
  struct Numbers {
    var field: Int
    var format: NumberFormat
    var count = 0
    /// The first run, and whether it is all there is.
    var first: Run?
    var isOneRun = true

    mutating func add(_ run: Run) {
      guard run.count > 0 else { return }
      if first == nil { first = run } else { isOneRun = false }
      count += run.count
    }
  }

  /// The shape; the old form has always four axes.
  private(set) var shape: [Int] = []
  /// Where the shape is said first, or where the blob begins.
  private(set) var shapeOffset: Int?
  /// The numbers, nil where there are none.
  private(set) var numbers: Numbers?
  private(set) var hasDifferences = false

  let file: CaffeFile
  let place: String
  private let message: Range<Int>

  /// Finds the parts of a blob.
  init(_ message: Range<Int>, of file: CaffeFile, place: String) throws(FileError) {
    self.message = message
    self.file = file
    self.place = place
    shapeOffset = message.lowerBound
    var scan = Scan(message, of: file, place: place)
    var floats = Numbers(field: 5, format: .float32)
    var doubles = Numbers(field: 8, format: NumberFormat(.float64))
    while let part = try scan.next() {
      switch part {
      case .floats(let run): floats.add(run)
      case .doubles(let run): doubles.add(run)
      }
    }
    hasDifferences = scan.hasDifferences
    // The old shape holds as soon as any of its fields is there.
    shape = scan.oldShape ?? scan.shape
    shapeOffset = scan.shapeOffset ?? message.lowerBound
    if doubles.count > 0 {
      numbers = doubles
    } else if floats.count > 0 {
      numbers = floats
    } else if let raw = scan.rawData, !raw.isEmpty {
      numbers = try rawNumbers(raw, type: scan.rawType)
    }
  }

  func checkedShape() throws(FileError) -> [Int] {
    let count = try declaredCount()
    guard let numbers else { throw strippedError(count: count, at: message.lowerBound) }
    guard numbers.count == count else {
      throw file.malformed(
        "blob.count", "has a shape that does not fit its values", at: shapeOffset, place: place,
        seen: "\(shape) = \(count)", allowed: "\(numbers.count), as many as there are values")
    }
    return shape
  }

  /// In the mapped file, or copied together where the numbers are in several pieces.
  func tensor(name: String, shape: [Int], layout: SourceLayout, scratchFolder: String) throws(FileError)
    -> SourceTensor
  {
    guard let numbers, let first = numbers.first else { preconditionFailure("checked before") }
    let width = numbers.format.byteCount
    if numbers.isOneRun,
      let bytes = file.bytes.slice(at: first.start, count: (first.count - 1) * first.stride + width)
    {
      return SourceTensor(
        name: name, shape: shape, format: numbers.format, bytes: bytes, elementStride: first.stride,
        layout: layout, fileOffset: first.start)
    }
    let joined = try ScratchFile(byteCount: numbers.count * width, in: scratchFolder, for: file.path)
    var filled = 0
    var scan = Scan(message, of: file, place: place)
    while let part = try scan.next() {
      let run: Run
      switch (part, numbers.field) {
      case (.floats(let floats), 5): run = floats
      case (.doubles(let doubles), 8): run = doubles
      default: continue
      }
      let destination = joined.mutableBytes
      file.bytes.withBytes { bytes in
        for index in 0..<run.count {
          let start = run.start + index * run.stride
          UnsafeMutableRawBufferPointer(rebasing: destination[filled..<filled + width])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + width]))
          filled += width
        }
      }
    }
    return SourceTensor(
      name: name, shape: shape, format: numbers.format, bytes: joined.bytes, layout: layout)
  }

  private func rawNumbers(_ raw: Range<Int>, type: Int) throws(FileError) -> Numbers {
    let format: NumberFormat
    switch type {
    case 0: format = NumberFormat(.float64)
    case 1: format = .float32
    case 2: format = NumberFormat(.float16)
    default:
      throw file.unsupported(
        "blob.raw", "has values of a type that is not supported", at: raw.lowerBound,
        place: place, seen: "raw_data_type \(type)", allowed: "0 (double), 1 (float), 2 (half)")
    }
    guard raw.count % format.byteCount == 0 else {
      throw file.malformed(
        "blob.raw", "ends with a part of a value", at: raw.lowerBound, place: place,
        seen: "\(raw.count) bytes", allowed: "a multiple of \(format.byteCount)")
    }
    var numbers = Numbers(field: 12, format: format)
    numbers.add(Run(start: raw.lowerBound, count: raw.count / format.byteCount, stride: format.byteCount))
    return numbers
  }
}

/// One walk over the fields of a BlobProto.
private struct Scan {
  /// A run of numbers that belong to the blob's values.
  enum Part {
    case floats(BlobMessage.Run)
    case doubles(BlobMessage.Run)
  }

  private(set) var shape: [Int] = []
  private(set) var oldShape: [Int]?
  private(set) var shapeOffset: Int?
  private(set) var hasDifferences = false
  private(set) var rawData: Range<Int>?
  private(set) var rawType = 0

  private var reader: WireReader
  private let file: CaffeFile
  private let place: String

  init(_ message: Range<Int>, of file: CaffeFile, place: String) {
    reader = WireReader(message, of: file, place: place)
    self.file = file
    self.place = place
  }

  /// The next run of numbers; everything between is kept in the properties.
  mutating func next() throws(FileError) -> Part? {
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1...4, .varint(let length)):
        if oldShape == nil { shapeOffset = field.offset }
        oldShape = oldShape ?? [0, 0, 0, 0]
        oldShape?[field.number - 1] = Int(Int32(truncatingIfNeeded: length))
      case (5, .bytes(let packed)):
        return .floats(try run(packed, width: 4))
      case (5, .fixed32(let start)):
        // The same field again and again: tag and value, five bytes at a time where the tag has one.
        let isShort = start - field.offset == 1
        let more = isShort ? reader.skipFixed32Run(tag: 5 << 3 | 5) : 0
        return .floats(BlobMessage.Run(start: start, count: 1 + more, stride: isShort && more > 0 ? 5 : 4))
      case (8, .bytes(let packed)):
        return .doubles(try run(packed, width: 8))
      case (8, .fixed64(let start)):
        return .doubles(BlobMessage.Run(start: start, count: 1, stride: 8))
      case (7, .bytes(let message)): try addShape(message)
      case (6, .bytes), (6, .fixed32), (9, .bytes), (9, .fixed64), (13, .bytes): hasDifferences = true
      case (10, .varint(let type)): rawType = Int(Int32(truncatingIfNeeded: type))
      case (12, .bytes(let raw)): rawData = raw
      default: continue  // unknown, or known with another wire type: unknown as well
      }
    }
    return nil
  }

  private func run(_ packed: Range<Int>, width: Int) throws(FileError) -> BlobMessage.Run {
    guard packed.count % width == 0 else {
      throw file.malformed(
        "wire.packed", "ends with a part of a value", at: packed.lowerBound, place: place,
        seen: "\(packed.count) bytes", allowed: "a multiple of \(width)")
    }
    return BlobMessage.Run(start: packed.lowerBound, count: packed.count / width, stride: width)
  }

  private mutating func addShape(_ message: Range<Int>) throws(FileError) {
    if oldShape == nil, shapeOffset == nil { shapeOffset = message.lowerBound }
    var fields = WireReader(message, of: file, place: place)
    while let field = try fields.next() {
      switch (field.number, field.value) {
      case (1, .varint(let length)): try addAxis(length, at: field.offset)
      case (1, .bytes(let packed)):
        var lengths = WireReader(packed, of: file, place: place)
        while !lengths.isAtEnd { try addAxis(try lengths.varint(), at: field.offset) }
      default: continue
      }
    }
  }

  private mutating func addAxis(_ length: UInt64, at offset: Int) throws(FileError) {
    guard shape.count < BlobMessage.axisLimit else {
      throw file.malformed(
        "blob.dims", "has an impossible shape", at: offset, place: place, seen: "over \(shape.count) axes",
        allowed: "at most \(BlobMessage.axisLimit)")
    }
    shape.append(Int(Int64(bitPattern: length)))
  }
}
