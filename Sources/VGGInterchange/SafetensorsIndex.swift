internal import JSONKit
public import VGGBytes

/// The index of a model in several safetensors files, `model.safetensors.index.json`: which tensor is in which.
public struct SafetensorsIndex: Sendable {
  /// The names of the files, in their order by name.
  public let shards: [String]
  /// The file of each tensor.
  public let shardOfTensor: [String: String]

  /// The longest index that is read: thousands of times as long as that of a VGG.
  private static let mostBytes = 16 << 20

  /// Whether a file may be one: JSON that names a safetensors file.
  public static func recognizes(_ file: ByteRegion) -> Bool {
    guard file.count <= mostBytes, let json = try? JSONValue(parsing: file.withBytes { Array($0) }) else {
      return false
    }
    return json["weight_map"]?.object?.first?.value.string?.hasSuffix(".safetensors") == true
  }

  /// Reads an index.
  ///
  /// - Throws: `malformed` where it is none, or names a file outside of its folder.
  public init(_ bytes: ByteRegion, file: String) throws(FileError) {
    func malformed(_ problem: String, seen: String? = nil, allowed: String? = nil) -> FileError {
      FileError(
        .malformed, code: "safetensors.index", file: file, problem, place: "weight_map", seen: seen,
        allowed: allowed)
    }
    guard bytes.count <= SafetensorsIndex.mostBytes else {
      throw malformed("is too long for an index", seen: "\(bytes.count) bytes")
    }
    let json: JSONValue
    do throws(JSONError) { json = try JSONValue(parsing: bytes.withBytes { Array($0) }) } catch {
      throw malformed("is no JSON: \(error.problem)")
    }
    guard let members = json["weight_map"]?.object, !members.isEmpty else {
      throw malformed("does not say which tensor is in which file")
    }
    var shardOfTensor: [String: String] = [:]
    for (tensor, value) in members {
      guard let name = value.string, !name.isEmpty, !name.contains("/"), !name.contains("\\"),
        name.hasSuffix(".safetensors")
      else {
        throw malformed(
          "names a file that is no safetensors file beside it", seen: value.string ?? tensor,
          allowed: "the name of a file in the same folder")
      }
      shardOfTensor[tensor] = name
    }
    self.shardOfTensor = shardOfTensor
    shards = Set(shardOfTensor.values).sorted()
  }
}
