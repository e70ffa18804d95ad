@testable import VGGHDF5

/// The contents of an HDF5 file as text, which a fuzzer can change without making nonsense of it at once.
///
/// One thing on a line, `group` and `dataset` up to `end`; indentation means nothing, and what is not understood is left out:
///
///     strings layer_names conv1_1 fc8        texts with %XX for blanks and the like
///     integers nb_layers 37
///     floats epsilon 0.001
///     unreadable reason
///     group conv1_1
///       dataset kernel:0 f4< 3,3,3,64 at:2048:6912
///         strings dtype bfloat16
///       end
///       link other soft elsewhere
///       type float
///     end
///
/// Types are `f2` `f4` `f8` `b2` (bfloat16) `i1` `i4` … `u1` … each with `<` or `>`, `s` `s8` (text), `o2` (opaque), `?`.
/// Storage is `at:OFFSET:BYTES`, `unallocated`, `compact`, `chunked:FILTERS`, `external`, `virtual` or `other`.
struct HDF5Text {
  private var lines: ArraySlice<Substring>
  private var depth = 0

  init(_ text: String) { lines = text.split(separator: "\n")[...] }

  /// The root group with everything in it.
  mutating func root() -> HDF5Group { group("") }

  private mutating func group(_ path: String) -> HDF5Group {
    depth += 1
    defer { depth -= 1 }
    var attributes: [String: HDF5Attribute] = [:]
    var nodes: [String: HDF5Node] = [:]
    while let line = lines.popFirst() {
      let words = line.split(separator: " ").map(HDF5Text.decoded)
      guard let kind = words.first else { continue }
      if kind == "end" { break }
      guard words.count > 1 else { continue }
      let name = words[1].filter { $0 != "/" }
      let nodePath = path.isEmpty ? name : "\(path)/\(name)"
      switch kind {
      case "group" where depth < 64: nodes[name] = .group(group(nodePath))
      case "dataset": nodes[name] = .dataset(dataset(nodePath, words.dropFirst(2)))
      case "link":
        let link = words.count > 2 ? HDF5Link.Kind(rawValue: words[2]) : nil
        nodes[name] = .link(HDF5Link(kind: link ?? .soft, target: words.count > 3 ? words[3] : ""))
      case "type": nodes[name] = .namedType
      default: attributes[words[1]] = HDF5Text.attribute(kind, Array(words.dropFirst(2)))
      }
    }
    return HDF5Group(
      path: path, attributes: attributes,
      names: nodes.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) },
      nodes: nodes)
  }

  private mutating func dataset(_ path: String, _ words: ArraySlice<String>) -> HDF5Dataset {
    var attributes: [String: HDF5Attribute] = [:]
    while let line = lines.popFirst() {
      let words = line.split(separator: " ").map(HDF5Text.decoded)
      if words.first == "end" { break }
      if words.count > 1 { attributes[words[1]] = HDF5Text.attribute(words[0], Array(words.dropFirst(2))) }
    }
    let words = Array(words)
    let shape =
      words.count > 1 ? words[1].split(separator: ",").compactMap { Int($0) }.filter { $0 >= 0 } : []
    return HDF5Dataset(
      path: path, attributes: attributes, shape: shape, type: HDF5Text.type(words.first ?? ""),
      storage: HDF5Text.storage(words.count > 2 ? words[2] : "", rank: shape.count), address: 0)
  }

  private static func attribute(_ kind: String, _ words: [String]) -> HDF5Attribute? {
    switch kind {
    case "strings": .strings(words)
    case "integers": .integers(words.compactMap { Int($0) })
    case "floats": .floats(words.compactMap { Double($0) })
    case "unreadable": .unreadable(words.joined(separator: " "))
    default: nil
    }
  }

  private static func type(_ word: String) -> HDF5Type {
    let order: HDF5ByteOrder = word.hasSuffix(">") ? .bigEndian : word.hasSuffix("<") ? .littleEndian : .other
    let byteCount = Int(word.dropFirst().prefix(while: \.isNumber))
    switch word.first {
    case "f", "b":
      let mantissaBits = word.first == "b" ? 7 : [2: 10, 4: 23, 8: 52][byteCount]
      guard let known = HDF5FloatLayout.known.first(where: { $0.layout.mantissaBits == mantissaBits }) else {
        break
      }
      var layout = known.layout
      layout.order = order
      return .float(layout)
    case "i", "u": return .integer(byteCount: byteCount ?? 1, isSigned: word.first == "i", order: order)
    case "s": return .string(byteCount: byteCount)
    case "o": return .opaque(byteCount: byteCount ?? 1, tag: "")
    default: break
    }
    return .other(byteCount: byteCount ?? 1, class: 6)
  }

  private static func storage(_ word: String, rank: Int) -> HDF5Storage {
    let parts = word.split(separator: ":")
    switch parts.first {
    case "at":
      let numbers = parts.dropFirst().map { max(0, Int($0) ?? 0) }
      return .contiguous(offset: numbers.first ?? 0, byteCount: numbers.dropFirst().first ?? 0)
    case "unallocated": return .unallocated
    case "compact": return .compact
    case "chunked":
      let filters = parts.count > 1 ? parts[1].split(separator: ",").compactMap { Int($0) } : []
      return .chunked(shape: Array(repeating: 1, count: rank), filters: filters)
    case "external": return .external
    case "virtual": return .virtual
    default: return .other
    }
  }

  private static func decoded(_ word: Substring) -> String {
    word.contains("%") ? percentDecoded(word) : String(word)
  }

  private static func percentDecoded(_ word: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(word.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? byte)
      rest = rest.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
