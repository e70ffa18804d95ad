import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGHDF5

/// A file that becomes shorter when it is mapped already: the process that parses it ends, and that is no fault of the file.
@Suite struct ShortenedFileTests {
  @Test func theFileIsNotCalledDamaged() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.h5"
      try FileManager.default.copyItem(atPath: fixture("keras/vgg_a_digits.h5"), toPath: path)
      let file = try MappedFile(path: path)
      let handle = try FileHandle(forWritingTo: URL(filePath: path))
      try handle.truncate(atOffset: 4096)
      let error = #expect(throws: FileError.self) { try HDF5File.open(file.bytes, named: path) }
      #expect(error?.kind == .inputOutput && error?.code == "file.shortened", "\(String(describing: error))")
      #expect(error?.file == path)
    }
  }
}
