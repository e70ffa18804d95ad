internal import CHDF5
internal import VGGBytes

/// Reads the catalogue that the child process left behind; `CHDF5.h` describes it.
///
/// The child may have been taken over by the file, so nothing here is taken on trust: every byte string
/// gives a tree or an error.
struct CatalogueDecoder {
  private let catalogue: ByteRegion
  private let file: String
  private var offset = 0
  private var depth = 0

  init(_ catalogue: ByteRegion, file: String) {
    self.catalogue = catalogue
    self.file = file
  }

  /// The root group with everything in it.
  mutating func root() throws(FileError) -> HDF5Group {
    guard try character() == "G", try text() == "" else { throw damage() }
    let root = try group("")
    guard offset == catalogue.count else { throw damage() }
    return root
  }

  private mutating func group(_ path: String) throws(FileError) -> HDF5Group {
    depth += 1
    guard depth <= CHDF5_MAXIMUM_DEPTH else { throw damage() }
    var attributes: [String: HDF5Attribute] = [:]
    var names: [String] = []
    var nodes: [String: HDF5Node] = [:]
    while true {
      let kind = try character()
      if kind == "E" { break }
      let name = try text()
      if kind == "A" {
        try insert(try attribute(), as: name, into: &attributes, of: path)
      } else {
        names.append(name)
        let nodePath = path.isEmpty ? name : "\(path)/\(name)"
        try insert(try node(kind, nodePath), as: name, into: &nodes, of: path)
      }
    }
    depth -= 1
    return HDF5Group(path: path, attributes: attributes, names: names, nodes: nodes)
  }

  private mutating func node(_ kind: Character, _ path: String) throws(FileError) -> HDF5Node {
    switch kind {
    case "G": .group(try group(path))
    case "D": .dataset(try dataset(path))
    case "L": .link(HDF5Link(kind: try linkKind(), target: try text()))
    case "T": .namedType
    default: throw damage()
    }
  }

  private mutating func dataset(_ path: String) throws(FileError) -> HDF5Dataset {
    let address = try bits()
    let type = try type()
    let shape = try sizes()
    let storage = try storage()
    var attributes: [String: HDF5Attribute] = [:]
    while true {
      let kind = try character()
      if kind == "E" { break }
      guard kind == "A" else { throw damage() }
      let name = try text()
      try insert(try attribute(), as: name, into: &attributes, of: path)
    }
    return HDF5Dataset(
      path: path, attributes: attributes, shape: shape, type: type, storage: storage, address: address)
  }

  private mutating func linkKind() throws(FileError) -> HDF5Link.Kind {
    switch try character() {
    case "s": .soft
    case "x": .external
    case "u": .userDefined
    case "h": .repeated
    default: throw damage()
    }
  }

  private mutating func attribute() throws(FileError) -> HDF5Attribute {
    let kind = try character()
    if kind == "U" { return .unreadable(try text()) }
    let count = try number()
    // The list is not reserved: it grows no faster than the bytes that are really there.
    switch kind {
    case "S":
      var values: [String] = []
      for _ in 0..<count { values.append(try text()) }
      return .strings(values)
    case "I":
      var values: [Int] = []
      for _ in 0..<count { values.append(Int(truncatingIfNeeded: try bits())) }
      return .integers(values)
    case "F":
      var values: [Double] = []
      for _ in 0..<count { values.append(Double(bitPattern: try bits())) }
      return .floats(values)
    default: throw damage()
    }
  }

  private mutating func type() throws(FileError) -> HDF5Type {
    let kind = try character()
    let byteCount = try number()
    switch kind {
    case "f":
      let order = try order()
      return .float(
        HDF5FloatLayout(
          byteCount: byteCount, order: order, signBit: try number(), exponentBit: try number(),
          exponentBits: try number(), mantissaBit: try number(), mantissaBits: try number(),
          exponentBias: try number(), hasImpliedBit: try number() == 1))
    case "i":
      let order = try order()
      return .integer(byteCount: byteCount, isSigned: try number() == 1, order: order)
    case "s": return .string(byteCount: byteCount == 0 ? nil : byteCount)
    case "o": return .opaque(byteCount: byteCount, tag: try text())
    case "?": return .other(byteCount: byteCount, class: Int(truncatingIfNeeded: try bits()))
    default: throw damage()
    }
  }

  private mutating func order() throws(FileError) -> HDF5ByteOrder {
    switch try character() {
    case "<": .littleEndian
    case ">": .bigEndian
    default: .other
    }
  }

  private mutating func storage() throws(FileError) -> HDF5Storage {
    switch try character() {
    case "c": .contiguous(offset: try number(), byteCount: try number())
    case "u": .unallocated
    case "p": .compact
    case "k": .chunked(shape: try sizes(), filters: try sizes())
    case "x": .external
    case "v": .virtual
    default: .other
    }
  }

  private mutating func sizes() throws(FileError) -> [Int] {
    var sizes: [Int] = []
    for _ in 0..<(try number()) { sizes.append(try number()) }
    return sizes
  }

  /// Two equal names, possible only in a damaged file or after repair of ill-formed UTF-8, would hide one
  /// another.
  private func insert<Value>(
    _ value: Value, as name: String, into table: inout [String: Value], of path: String
  ) throws(FileError) {
    guard table.updateValue(value, forKey: name) == nil else {
      throw FileError(
        .malformed, code: "hdf5.names", file: file, "has the same name twice",
        place: path.isEmpty ? "/" : path, seen: name)
    }
  }

  private mutating func character() throws(FileError) -> Character {
    guard let byte = catalogue.byte(at: offset) else { throw damage() }
    offset += 1
    return Character(UnicodeScalar(byte))
  }

  private mutating func bits() throws(FileError) -> UInt64 {
    guard let bits = catalogue.integer(at: offset, as: UInt64.self) else { throw damage() }
    offset += 8
    return bits
  }

  private mutating func number() throws(FileError) -> Int {
    guard let number = Int(exactly: try bits()) else { throw damage() }
    return number
  }

  private mutating func text() throws(FileError) -> String {
    let count = try number()
    guard let text = catalogue.slice(at: offset, count: count) else { throw damage() }
    offset += count
    return text.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  private func damage() -> FileError {
    FileError(
      .malformed, code: "hdf5.crash", file: file,
      "makes the HDF5 library fail, so it is damaged or made to do harm", seen: "no proper list of contents")
  }
}
