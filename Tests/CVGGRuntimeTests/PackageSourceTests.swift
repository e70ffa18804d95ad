import CVGGRuntime
import Foundation
import TestSupport
import Testing

/// What a board gets is what is tested here.
@Suite struct PackageSourceTests {
  private static let folders = [
    "Sources/CVGGRuntime", "Sources/CVGGRuntime/include", "Sources/CVGGRuntime/package",
    "Sources/CVGGRules/include",
  ]
  /// What only this program needs.
  private static let others: Set = [
    "embedded.c", "vggrt_sources.h", "vggrt_expand.c", "vggrt_expand.h", "CVGGRules.h",
  ]

  @Test func allFilesAreEmbedded() throws {
    var count: UInt32 = 0
    let sources = UnsafeBufferPointer(start: vggrt_sources(&count), count: Int(count))
    let embedded = Dictionary(
      uniqueKeysWithValues: sources.map { source in
        (
          String(cString: source.name),
          Array(UnsafeBufferPointer(start: source.bytes, count: Int(source.count)))
        )
      })
    var expected: [String: [UInt8]] = [:]
    for folder in Self.folders {
      for name in try files(in: "\(packageRoot)/\(folder)") where !Self.others.contains(name) {
        let path = "\(packageRoot)/\(folder)/\(name)"
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
          continue
        }
        expected[name] = try bytes(of: path)
      }
    }
    #expect(Set(embedded.keys) == Set(expected.keys))
    #expect(expected.filter { embedded[$0.key] != $0.value }.keys.sorted() == [])
  }
}
