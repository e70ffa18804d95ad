import Foundation
import TestSupport
import Testing
import VGGBytes

@Suite("Files that appear when they are complete")
struct AtomicFileTests {
  private func write(_ text: String, to path: String, overwrite: Bool, publish: Bool = true) throws {
    let file = try AtomicFile(path: path, overwrite: overwrite)
    try Array(text.utf8).withUnsafeBytes { try file.write($0, at: 0) }
    if publish { try file.publish() }
  }

  @Test("A file is there when it is published, and nothing else")
  func publishing() throws {
    try withTemporaryFolder { folder in
      try write("one", to: "\(folder)/a", overwrite: false)
      #expect(try bytes(of: "\(folder)/a") == Array("one".utf8))
      try write("other", to: "\(folder)/a", overwrite: true)
      #expect(try bytes(of: "\(folder)/a") == Array("other".utf8))
      #expect(try files(in: folder) == ["a"])
    }
  }

  @Test("What is abandoned leaves nothing and changes nothing")
  func abandoning() throws {
    try withTemporaryFolder { folder in
      try write("one", to: "\(folder)/a", overwrite: false, publish: false)
      let left = try files(in: folder)
      #expect(left.isEmpty)
      try write("one", to: "\(folder)/a", overwrite: false)
      try write("two", to: "\(folder)/a", overwrite: true, publish: false)
      #expect(try bytes(of: "\(folder)/a") == Array("one".utf8))
      #expect(try files(in: folder) == ["a"])
    }
  }

  @Test("What is there is not replaced unless that is asked for; what is no file, never")
  func refusals() throws {
    try withTemporaryFolder { folder in
      try write("one", to: "\(folder)/a", overwrite: false)
      try FileManager.default.createDirectory(atPath: "\(folder)/sub", withIntermediateDirectories: false)
      for (path, overwrite) in [
        ("\(folder)/a", false), ("\(folder)/sub", true), ("/dev/null", true), ("\(folder)/none/a", true),
      ] {
        let error = #expect(throws: FileError.self) { try write("two", to: path, overwrite: overwrite) }
        #expect(error?.kind == .cannotCreate)
        #expect(error?.file == path)
      }
      #expect(try bytes(of: "\(folder)/a") == Array("one".utf8))
      #expect(try files(in: folder) == ["a", "sub"])
    }
  }

  @Test("A file that appeared meanwhile is not replaced")
  func race() throws {
    try withTemporaryFolder { folder in
      let file = try AtomicFile(path: "\(folder)/a", overwrite: false)
      try write("first", to: "\(folder)/a", overwrite: false)
      let error = #expect(throws: FileError.self) { try file.publish() }
      #expect(error?.kind == .cannotCreate)
      #expect(try bytes(of: "\(folder)/a") == Array("first".utf8))
    }
  }

  @Test("A disk that is too small is found before anything is written")
  func space() throws {
    try withTemporaryFolder { folder in
      let file = try AtomicFile(path: "\(folder)/a", overwrite: false)
      let error = #expect(throws: FileError.self) { try file.reserve(1 << 60) }
      #expect(error?.kind == .inputOutput)
    }
  }
}
