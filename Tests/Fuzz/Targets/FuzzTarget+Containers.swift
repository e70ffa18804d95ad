import JSONKit
import VGGArchive
import VGGBytes
import VGGInterchange
import VGGPictures

extension FuzzTarget {
  func readZip(_ content: ByteRegion) throws(FileError) {
    let archive = try ZipArchive(content, file: "input")
    for member in archive.members {
      let bytes = try archive.bytes(of: member, maximumBytes: 1 << 20)
      precondition(bytes.count == member.byteCount && archive.member(member.name) != nil)
    }
  }

  func readNumPy(_ content: ByteRegion) throws(FileError) {
    let array = try NumericArray(npy: content, file: "input")
    let count = array.shape.reduce(1, *)
    let values = try array.values()
    precondition(values.count == count)
    guard array.isInteger else { return }
    let integers = try array.integers()
    precondition(integers.count == count)
  }

  func readJSON(_ content: ByteRegion) throws(FileError) {
    do throws(JSONError) {
      let value = try JSONValue(parsing: content.withBytes { Array($0) })
      // What is written again says the same.
      for text in [value.compact, value.pretty] {
        let copy = try JSONValue(parsing: Array(text.utf8))
        precondition(copy == value)
      }
    } catch {
      throw FileError(.malformed, code: "json", file: "input", error.problem, offset: error.offset)
    }
  }

  func readPicture(_ content: ByteRegion) throws(FileError) {
    let picture = try Picture(content, file: "input")
    precondition(picture.pixels.count == picture.width * picture.height * 3)
  }
}
