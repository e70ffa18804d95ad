internal import CCaffe
internal import VGGBytes

/// Reads a network's description as text (prototxt, protobuf's text format).
///
/// Text is turned into the bytes of the same message, by the schema's own names, and read as such: so text and binary
/// files cannot mean different things. Fields that the schema does not have are skipped, and named unless they are Caffe's own
/// for training and computing, which change no answer.
struct Prototxt {
  /// How deeply messages may be nested; protobuf's own limit.
  static let depthLimit = 100
  /// The longest text that is read: hundreds of times a VGG's.
  static let byteLimit = 1 << 22

  /// How many skipped fields are named.
  private static let nameLimit = 8
  private static let harmless: Set<String> = [
    "lr_mult", "decay_mult", "share_mode", "blobs_lr", "weight_decay", "loss_weight", "propagate_down",
    "loss_param", "phase",
    "blob_share_mode",
    "accuracy_param", "flatten_param", "weight_filler", "bias_filler", "filler", "engine",
    "image_data_param", "hdf5_data_param", "memory_data_param", "window_data_param", "dummy_data_param",
    "source",
    "backend", "batch_size", "batchsize", "rand_skip", "mirror", "force_color", "force_gray",
    "force_backward", "state",
    "debug_info", "moving_average_fraction", "force_nd_im2col", "dropout_ratio",
  ]

  private var scanner: TextScanner
  private var skipped: [String] = []

  /// The network that a text describes, and the names and lines of fields that were skipped.
  static func net(in file: CaffeFile) throws(FileError) -> (net: CaffeNet, skipped: [String]) {
    guard file.bytes.count <= byteLimit else {
      throw file.unsupported(
        "limit.bytes", "is too long for a network's description", seen: "\(file.bytes.count) bytes",
        allowed: "\(byteLimit)")
    }
    var parser = Prototxt(scanner: try TextScanner(file))
    let bytes = try parser.message(.net, end: .end, depth: 0)
    var message = CaffeFile(path: file.path, bytes: ByteRegion(copying: bytes))
    message.hasOffsets = false
    let net = try NetReader.net(in: message)
    guard !net.layers.isEmpty else {
      throw file.unsupported(
        "prototxt.empty", "describes no layers", allowed: "the layers of a network",
        advice: "give the network's own prototxt, not the solver's")
    }
    return (net, parser.skipped)
  }

  /// The fields up to an end mark, serialised; the mark is the next token then.
  private mutating func message(_ schema: MessageSchema, end: TextScanner.Token, depth: Int) throws(FileError)
    -> [UInt8]
  {
    try requireDepth(depth)
    var bytes: [UInt8] = []
    var seen: Set<Int> = []
    while scanner.token != end {
      guard case .identifier(let name) = scanner.token else {
        throw scanner.error("is not the text of a network", allowed: "the name of a field")
      }
      let field = schema.field(named: name)
      if let field, !field.isRepeated, !seen.insert(field.number).inserted {
        throw scanner.error("has a field twice that may appear only once")
      }
      if field == nil { noteSkipped(name) }
      try scanner.advance()
      let hasColon = try scanner.skip(":")
      if let field {
        try value(of: field, hasColon: hasColon, into: &bytes, depth: depth)
      } else {
        try skipValue(hasColon: hasColon, depth: depth)
      }
      if try !scanner.skip(",") { _ = try scanner.skip(";") }
    }
    return bytes
  }

  private mutating func noteSkipped(_ name: String) {
    guard !Self.harmless.contains(name), !skipped.contains(where: { $0.hasPrefix("\(name) ") }),
      skipped.count < Self.nameLimit
    else { return }
    skipped.append("\(name) (line \(scanner.line))")
  }

  /// A value, or a list of values in brackets.
  private mutating func value(
    of field: FieldSchema, hasColon: Bool, into bytes: inout [UInt8], depth: Int
  ) throws(FileError) {
    guard field.isRepeated, scanner.token == .symbol(UInt8(ascii: "[")) else {
      return try single(field, hasColon: hasColon, into: &bytes, depth: depth)
    }
    try scanner.advance()
    if try scanner.skip("]") { return }
    repeat { try single(field, hasColon: hasColon, into: &bytes, depth: depth) } while try scanner.skip(",")
    try expect("]")
  }

  private mutating func single(
    _ field: FieldSchema, hasColon: Bool, into bytes: inout [UInt8], depth: Int
  ) throws(FileError) {
    if case .message(let schema) = field.kind {
      let end = try openBrace()
      bytes.append(field: field.number, bytes: try message(schema, end: end, depth: depth + 1))
      return try scanner.advance()
    }
    guard hasColon else { throw scanner.error("has a field without its value", allowed: "':'") }
    switch field.kind {
    case .string: bytes.append(field: field.number, bytes: try string())
    case .float:
      bytes.append(varint: UInt64(field.number) << 3 | 5)
      let bits = try float().bitPattern.littleEndian
      withUnsafeBytes(of: bits) { bytes += $0 }
    case .bool, .int32, .int64, .uint32, .enumeration:
      bytes.append(varint: UInt64(field.number) << 3)
      bytes.append(varint: UInt64(bitPattern: try integer(field)))
    case .message: break
    }
  }

  // MARK: Scalars

  private mutating func string() throws(FileError) -> [UInt8] {
    guard case .string(var text) = scanner.token else {
      throw scanner.error("has no string where one is needed", allowed: "a string")
    }
    try scanner.advance()
    while case .string(let more) = scanner.token {  // neighbours are one string
      text += more
      try scanner.advance()
    }
    return text
  }

  private mutating func float() throws(FileError) -> Float {
    let isNegative = try scanner.skip("-")
    var magnitude: Float?
    switch scanner.token {
    case .number(let digits):
      let text = digits.last == "f" || digits.last == "F" ? String(digits.dropLast()) : digits
      if !text.lowercased().hasPrefix("0x") { magnitude = Float(text.hasSuffix(".") ? text + "0" : text) }
    case .identifier(let word):
      switch word.lowercased() {
      case "inf", "infinity": magnitude = .infinity
      case "nan": magnitude = .nan
      default: break
      }
    default: break
    }
    guard let magnitude else { throw scanner.error("has no number where one is needed", allowed: "a number") }
    try scanner.advance()
    return isNegative ? -magnitude : magnitude
  }

  private mutating func integer(_ field: FieldSchema) throws(FileError) -> Int64 {
    let range: ClosedRange<Int64>
    switch field.kind {
    case .bool: range = 0...1
    case .uint32: range = 0...Int64(UInt32.max)
    case .int64: range = Int64.min...Int64.max
    default: range = Int64(Int32.min)...Int64(Int32.max)
    }
    if case .identifier(let word) = scanner.token {
      guard let value = named(word, field) else {
        throw scanner.error("has a word that field \(field.name) does not allow")
      }
      try scanner.advance()
      return value
    }
    let isNegative = try scanner.skip("-")
    guard case .number(let digits) = scanner.token, let magnitude = Int64(literal: digits),
      range.contains(isNegative ? -magnitude : magnitude)
    else {
      throw scanner.error(
        "has a number that does not fit field \(field.name)",
        allowed: "a whole number of \(range.lowerBound) to \(range.upperBound)")
    }
    try scanner.advance()
    return isNegative ? -magnitude : magnitude
  }

  private func named(_ word: String, _ field: FieldSchema) -> Int64? {
    switch field.kind {
    case .bool: ["true": 1, "t": 1, "True": 1, "false": 0, "f": 0, "False": 0][word]
    case .enumeration(let values):
      protobuf_c_enum_descriptor_get_value_by_name(values, word).map { Int64($0.pointee.value) }
    default: nil
    }
  }

  // MARK: Structure

  /// Takes the opening mark of a message and tells the closing one.
  private mutating func openBrace() throws(FileError) -> TextScanner.Token {
    if try scanner.skip("{") { return .symbol(UInt8(ascii: "}")) }
    if try scanner.skip("<") { return .symbol(UInt8(ascii: ">")) }
    throw scanner.error("has a message without its beginning", allowed: "'{'")
  }

  private mutating func expect(_ symbol: Character) throws(FileError) {
    guard try scanner.skip(symbol) else { throw scanner.error("is missing a mark", allowed: "'\(symbol)'") }
  }

  private func requireDepth(_ depth: Int) throws(FileError) {
    guard depth <= Self.depthLimit else {
      throw scanner.error("is nested too deeply", allowed: "\(Self.depthLimit) levels")
    }
  }

  /// Skips the value of a field that the schema does not have: a scalar, a message, or a list of either.
  private mutating func skipValue(hasColon: Bool, depth: Int) throws(FileError) {
    try requireDepth(depth)
    if try scanner.skip("[") {
      if try scanner.skip("]") { return }
      repeat { try skipValue(hasColon: hasColon, depth: depth + 1) } while try scanner.skip(",")
      return try expect("]")
    }
    if scanner.token == .symbol(UInt8(ascii: "{")) || scanner.token == .symbol(UInt8(ascii: "<")) {
      let end = try openBrace()
      while scanner.token != end {
        guard case .identifier = scanner.token else {
          throw scanner.error("is not the text of a network", allowed: "the name of a field")
        }
        try scanner.advance()
        let hasColon = try scanner.skip(":")
        try skipValue(hasColon: hasColon, depth: depth + 1)
        if try !scanner.skip(",") { _ = try scanner.skip(";") }
      }
      return try scanner.advance()
    }
    guard hasColon else { throw scanner.error("has a field without its value", allowed: "':' or '{'") }
    _ = try scanner.skip("-")
    switch scanner.token {
    case .string: _ = try string()
    case .number, .identifier: try scanner.advance()
    case .symbol, .end: throw scanner.error("has a field without its value", allowed: "a value")
    }
  }
}

extension Int64 {
  /// A whole number as text writes it: decimal, `0x` hexadecimal, or octal with a leading zero.
  fileprivate init?(literal: String) {
    let text = literal.lowercased()
    if text.hasPrefix("0x") {
      self.init(text.dropFirst(2), radix: 16)
    } else if text.count > 1, text.hasPrefix("0") {
      self.init(text.dropFirst(), radix: 8)
    } else {
      self.init(text)
    }
  }
}
