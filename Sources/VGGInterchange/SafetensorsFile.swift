internal import JSONKit
public import VGGBytes

/// A safetensors file (huggingface/safetensors): named tensors, read where they lie.
///
/// Everything that the format asks for is checked when it is opened, so that a tensor's bytes are what its shape needs, and
/// each byte of the file belongs to exactly one tensor.
public struct SafetensorsFile: Sendable {
  /// A tensor of a file: little-endian, the last axis fastest.
  public struct Tensor: Sendable {
    /// The name.
    public let name: String
    /// How one number is stored.
    public let type: SafetensorsType
    /// The lengths of the axes; none for a single number.
    public let shape: [Int]
    /// The bytes of the numbers.
    public let bytes: ByteRegion
    /// Where they begin in the file.
    public let fileOffset: Int
  }

  /// The tensors in the order of their bytes.
  public let tensors: [Tensor]
  /// The texts that a writer added.
  public let metadata: [String: String]

  /// The longest header that readers of the format accept.
  private static let mostHeaderBytes: UInt64 = 100_000_000

  /// Whether a file begins as these do: with the length of a header, and a brace.
  public static func hasSignature(_ file: ByteRegion) -> Bool {
    guard let length = file.integer(at: 0, as: UInt64.self), length <= mostHeaderBytes else { return false }
    return file.byte(at: 8) == UInt8(ascii: "{")
  }

  /// Opens a file and checks all that its header says.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - file: Its path, for errors.
  /// - Throws: `malformed` where the header is damaged, or tensors overlap, leave holes or have other lengths than their
  ///   shapes; `unsupported` where a type is unknown.
  public init(_ bytes: ByteRegion, file: String) throws(FileError) {
    func malformed(
      _ code: String, _ problem: String, offset: Int? = nil, place: String? = nil, seen: String? = nil,
      allowed: String? = nil
    ) -> FileError {
      FileError(
        .malformed, code: "safetensors.\(code)", file: file, problem, offset: offset, place: place,
        seen: seen,
        allowed: allowed)
    }
    guard let length = bytes.integer(at: 0, as: UInt64.self), length <= SafetensorsFile.mostHeaderBytes,
      let header = bytes.slice(at: 8, count: Int(length))
    else {
      throw malformed(
        "header", "has a header that is longer than the file, or than any header", offset: 0,
        seen: bytes.integer(at: 0, as: UInt64.self).map { "\($0) bytes" } ?? "\(bytes.count) bytes in all",
        allowed: "at most \(min(max(0, bytes.count - 8), Int(SafetensorsFile.mostHeaderBytes)))")
    }
    let start = 8 + Int(length)
    let json: JSONValue
    do throws(JSONError) { json = try JSONValue(parsing: header.withBytes { Array($0) }) } catch {
      throw malformed("json", "has a header that is no JSON: \(error.problem)", offset: 8 + error.offset)
    }
    guard let members = json.object else {
      throw malformed("json", "has a header that is no object", offset: 8)
    }
    var metadata: [String: String] = [:]
    var tensors: [Tensor] = []
    var names: Set<String> = []
    for (name, value) in members {
      let place = "tensor \(name)"
      guard names.insert(name).inserted else {
        throw malformed("duplicate", "has two tensors of one name", place: place)
      }
      guard name != "__metadata__" else {
        guard let texts = value.object else {
          throw malformed("metadata", "has metadata that are no object", place: "__metadata__")
        }
        for (key, value) in texts {
          guard let text = value.string else {
            throw malformed("metadata", "has metadata that are no texts", place: "__metadata__, \(key)")
          }
          metadata[key] = text
        }
        continue
      }
      guard let typeName = value["dtype"]?.string, let lengths = value["shape"]?.array,
        let offsets = value["data_offsets"]?.array?.compactMap(\.integer), offsets.count == 2
      else {
        throw malformed(
          "entry", "has a tensor that is not described", place: place,
          allowed: "dtype, shape and data_offsets")
      }
      guard let type = SafetensorsType(rawValue: typeName) else {
        throw FileError(
          .unsupported, code: "safetensors.type", file: file, "has a tensor of an unknown type", place: place,
          seen: typeName, allowed: SafetensorsType.allCases.map(\.rawValue).joined(separator: ", "))
      }
      let shape = lengths.compactMap(\.integer)
      guard shape.count == lengths.count, shape.count <= SafetensorsFile.mostAxes,
        shape.allSatisfy({ $0 >= 0 })
      else {
        throw malformed(
          "shape", "has a tensor of an impossible shape", place: place, seen: value["shape"]?.compact,
          allowed: "at most \(SafetensorsFile.mostAxes) axes of 0 or more")
      }
      var bits: Int? = type.bitCount
      for length in shape {
        let (product, isTooLarge) = (bits ?? 0).multipliedReportingOverflow(by: length)
        bits = isTooLarge || bits == nil ? nil : product
      }
      let (begin, end) = (offsets[0], offsets[1])
      guard begin >= 0, end >= begin, let data = bytes.slice(at: start, count: bytes.count - start),
        let region = data.slice(at: begin, count: end - begin)
      else {
        throw malformed(
          "offsets", "has a tensor outside of the file", place: place, seen: "\(begin) to \(end)",
          allowed: "0 to \(bytes.count - start)")
      }
      guard let bits, bits % 8 == 0, bits / 8 == end - begin else {
        throw malformed(
          "length", "has a tensor of another length than its shape needs", offset: start + begin,
          place: place,
          seen: "\(end - begin) bytes",
          allowed: bits.map { "\($0 / 8) for \(typeName) \(shape)" } ?? "fewer axes")
      }
      tensors.append(Tensor(name: name, type: type, shape: shape, bytes: region, fileOffset: start + begin))
    }
    tensors.sort { ($0.fileOffset, $0.bytes.count) < ($1.fileOffset, $1.bytes.count) }
    var end = start
    for tensor in tensors {
      guard tensor.fileOffset == end else {
        throw malformed(
          tensor.fileOffset < end ? "overlap" : "hole",
          tensor.fileOffset < end ? "has tensors that overlap" : "has bytes that belong to no tensor",
          offset: end,
          place: "tensor \(tensor.name)", seen: "begins at \(tensor.fileOffset)", allowed: "\(end)")
      }
      end += tensor.bytes.count
    }
    guard end == bytes.count else {
      throw malformed(
        "tail", "has bytes behind the last tensor", offset: end, seen: "\(bytes.count - end) bytes",
        allowed: "none")
    }
    (self.tensors, self.metadata) = (tensors, metadata)
  }

  /// More axes than any tensor has.
  private static let mostAxes = 32
}

/// How safetensors stores one number.
public enum SafetensorsType: String, CaseIterable, Sendable {
  case float64 = "F64"
  case float32 = "F32"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int64 = "I64"
  case int32 = "I32"
  case int16 = "I16"
  case int8 = "I8"
  case uint64 = "U64"
  case uint32 = "U32"
  case uint16 = "U16"
  case uint8 = "U8"
  case bool = "BOOL"
  case complex64 = "C64"
  case float8E4M3 = "F8_E4M3"
  case float8E5M2 = "F8_E5M2"
  case float8E8M0 = "F8_E8M0"
  case float6E2M3 = "F6_E2M3"
  case float6E3M2 = "F6_E3M2"
  case float4 = "F4"

  /// The number of bits of a number.
  public var bitCount: Int {
    switch self {
    case .float64, .int64, .uint64, .complex64: 64
    case .float32, .int32, .uint32: 32
    case .float16, .bfloat16, .int16, .uint16: 16
    case .int8, .uint8, .bool, .float8E4M3, .float8E5M2, .float8E8M0: 8
    case .float6E2M3, .float6E3M2: 6
    case .float4: 4
    }
  }
}
