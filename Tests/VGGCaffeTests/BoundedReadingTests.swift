import Glibc
import Testing
import VGGBytes
import VGGCaffe
import VGGModel

@testable import CaffeTestSupport

/// Bytes that nobody needs are not read: here they lie in memory that must not be touched.
@Suite struct BoundedReadingTests {
  /// A file in memory with a hole of forbidden pages.
  private final class Holed: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    init?(head: [UInt8], hole: Int, tail: [UInt8]) {
      let page = Int(sysconf(Int32(_SC_PAGESIZE)))
      let count = head.count + hole + tail.count
      let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
      guard let start = mmap(nil, count, PROT_NONE, flags, -1, 0), start != MAP_FAILED else { return nil }
      bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
      let headEnd = (head.count + page - 1) / page * page
      let tailStart = (head.count + hole) / page * page
      guard mprotect(start, headEnd, PROT_READ | PROT_WRITE) == 0,
        mprotect(start + tailStart, count - tailStart, PROT_READ | PROT_WRITE) == 0
      else { return nil }
      // Whether a file is HDF5 is looked up behind user blocks of all sizes; these few places may be read.
      for offset in sequence(first: 512, next: { $0 * 2 < count ? $0 * 2 : nil }) {
        guard mprotect(start + offset / page * page, page, PROT_READ | PROT_WRITE) == 0 else { return nil }
      }
      bytes.copyBytes(from: head)
      UnsafeMutableRawBufferPointer(rebasing: bytes[(head.count + hole)...]).copyBytes(from: tail)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }
  }

  /// The tag and length of a field, whose content follows.
  private static func opening(_ field: Int, _ count: Int) -> [UInt8] {
    Message {
      $0.tag(field, 2)
      $0.raw(UInt64(count))
    }.bytes
  }

  /// Gradients of 3 GiB (`diff`, `double_diff`, NVIDIA's `raw_diff`), or a field that nobody knows, in a blob or beside it.
  @Test(arguments: [(6, true), (9, true), (13, true), (2000, true), (2000, false)])
  func gradientsAreNeverTouched(_ field: Int, isInBlob: Bool) throws {
    let hole = 3 << 30
    let net = TestNet()
    let index = try #require(net.layers.firstIndex { $0.name == "conv3_1" })
    let blob = net.layers[index].blobs[0].bytes
    var rest = net.layers[index]
    rest.blobs.removeFirst()
    // conv3_1's first blob, with its shape behind the hole, or the hole behind the blob.
    let shape = Message { $0.message(7, .shape([4, 3, 3, 3])) }.bytes
    let numbers = Message { $0.bytes(5, net.values["conv3_1/0"]?.flatMap(\.littleEndianBytes) ?? []) }.bytes
    var head: [UInt8]
    var tail: [UInt8]
    if isInBlob {
      let count = numbers.count + Self.opening(field, hole).count + hole + shape.count
      head = Self.opening(7, count) + numbers + Self.opening(field, hole)
      tail = shape + rest.message(.v2).bytes
    } else {
      head = Self.opening(7, blob.count) + blob + Self.opening(field, hole)
      tail = rest.message(.v2).bytes
    }
    head = Self.opening(100, head.count + hole + tail.count) + head
    head =
      net.layers[..<index].flatMap { layer in Message { $0.message(100, layer.message(.v2)) }.bytes } + head
    tail += net.layers[(index + 1)...].flatMap { layer in
      Message { $0.message(100, layer.message(.v2)) }.bytes
    }
    let memory = try #require(Holed(head: head, hole: hole, tail: tail))
    let file = CaffeFile(
      path: "f", bytes: ByteRegion(owner: memory, bytes: UnsafeRawBufferPointer(memory.bytes)))
    let model = try CaffeImporter.model(of: file)
    #expect(try GenerationTests.values(model) == GenerationTests.values(net.model()))
    #expect(model.provenance.dropped.map(\.name) == (field < 100 ? ["conv3_1/0/diff"] : []))
  }

  @Test func whatIsThereOfATruncatedFileIsSaid() throws {
    let whole = TestNet().bytes
    // Behind the last layer nothing is missing, so the part refers to the end of the layer that is cut.
    let error = try #require(
      #expect(throws: FileError.self) {
        try CaffeImporter.model(of: CaffeFile(path: "f", bytes: ByteRegion(copying: Array(whole[..<1200]))))
      })
    #expect(error.code == "caffe.wire.length")
    let match = try #require(error.problem.firstMatch(of: /at most (\d+) % of it is there/))
    let percentage = try #require(Int(match.1))
    #expect(percentage >= 1200 * 100 / whole.count && percentage < 100)
  }
}
