import Foundation
import TestSupport
import Testing
import VGGBytes

@Suite("Folders that appear when they are complete")
struct AtomicFolderTests {
  private func begin(_ texts: [String: String], at path: String, replacing marker: String? = nil) throws
    -> AtomicFolder
  {
    let folder = try AtomicFolder(path: path, replacing: marker)
    for (name, text) in texts {
      let file = try folder.file(named: name)
      try Array(text.utf8).withUnsafeBytes { try file.write($0, at: 0) }
    }
    return folder
  }

  @Test("A folder is there with all of its files when it is published, and nothing else")
  func publishing() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/package"
      let new = try begin(["a.h": "one", "b.c": "two"], at: path + "/")
      let none = try files(in: folder)
      #expect(none.isEmpty)
      try new.publish()
      #expect(try files(in: folder) == ["package"])
      #expect(try files(in: path) == ["a.h", "b.c"])
      #expect(try bytes(of: "\(path)/b.c") == Array("two".utf8))
    }
  }

  @Test("Only a folder of the same kind is replaced, as a whole")
  func replacing() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/package"
      try begin(["a.h": "one", "old.c": "two"], at: path).publish()
      let refused = #expect(throws: FileError.self) { try begin(["a.h": "other"], at: path) }
      #expect(refused?.kind == .cannotCreate && refused?.advice == "--force replaces it")
      for marker in ["x.h", "package"] {
        #expect(throws: FileError.self) { try begin(["a.h": "other"], at: path, replacing: marker) }
      }
      _ = try begin(["a.h": "other"], at: path, replacing: "a.h")
      #expect(try files(in: path) == ["a.h", "old.c"])
      try begin(["a.h": "other"], at: path, replacing: "a.h").publish()
      #expect(try files(in: path) == ["a.h"])
      #expect(try bytes(of: "\(path)/a.h") == Array("other".utf8))
      #expect(try files(in: folder) == ["package"])
      try FileManager.default.createDirectory(
        atPath: "\(path)/build", withIntermediateDirectories: false)
      #expect(throws: FileError.self) { try begin(["a.h": "third"], at: path, replacing: "a.h") }
      #expect(try files(in: path) == ["a.h", "build"])
    }
  }

  @Test("What cannot be created is refused, and nothing is left")
  func refusals() throws {
    try withTemporaryFolder { folder in
      try begin(["a": "one"], at: "\(folder)/there").publish()
      for path in ["/dev/null", "\(folder)/none/package", "\(folder)/there/a"] {
        let error = #expect(throws: FileError.self) {
          try begin(["a": "one"], at: path, replacing: "a").publish()
        }
        #expect(error?.kind == .cannotCreate)
      }
      #expect(try files(in: folder) == ["there"])
      // It appeared after the other one was begun.
      let late = try begin(["a": "two"], at: "\(folder)/new")
      try begin(["a": "one"], at: "\(folder)/new").publish()
      #expect(throws: FileError.self) { try late.publish() }
      #expect(try bytes(of: "\(folder)/new/a") == Array("one".utf8))
      #expect(try files(in: folder) == ["new", "there"])
    }
  }
}
