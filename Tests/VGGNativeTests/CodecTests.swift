import TestSupport
import Testing
import VGGBytes
import VGGTensors

@testable import VGGNative

/// Elements and digests against their definitions.
@Suite struct CodecTests {
  private func encode(_ values: [Float], _ type: RealType) -> (bytes: [UInt8], wrong: Int?) {
    var bytes = [UInt8](repeating: 0, count: ElementType.real(type).byteCount(of: values.count))
    let wrong = bytes.withUnsafeMutableBytes { output in
      values.withUnsafeBufferPointer { values in output.baseAddress.flatMap { type.encode(values, into: $0) }
      }
    }
    return (bytes, wrong)
  }

  private func decode(_ bytes: [UInt8], _ type: RealType) -> [Float] {
    let count = bytes.count / ElementType.real(type).unitByteCount
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = count
      bytes.withUnsafeBytes { input in
        if let start = input.baseAddress {
          type.decode(start, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
        }
      }
    }
  }

  @Test func everyHalfPrecisionNumber() {
    let patterns = (0...UInt16.max).filter { $0 & 0x7C00 != 0x7C00 }
    let values = patterns.map(TestModels.halfValue)
    let bytes = patterns.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    #expect(decode(bytes, .float16).map(\.bitPattern) == values.map(\.bitPattern))
    let encoded = encode(values, .float16)
    #expect(encoded.bytes == bytes && encoded.wrong == nil)
    #expect(decode([0, 0x7C, 0, 0xFC], .float16) == [.infinity, -.infinity])
    #expect(encode([.infinity, -.infinity], .float16).wrong == nil)
  }

  static let inexact: [(RealType, Float)] = [
    (.float16, 1.0001), (.float16, 65520), (.float16, 65536), (.float16, 131_072), (.float16, -0x1p100),
    (.float16, 0x1p-25), (.float16, 0x1.8p-24), (.float16, .nan), (.float16, Float(bitPattern: 0x7F80_0001)),
    (.bfloat16, 1.001), (.bfloat16, Float(bitPattern: 1)),
  ]

  @Test(arguments: inexact)
  func valuesThatCannotBeRepresentedAreFound(_ type: RealType, _ value: Float) {
    if type == .float16, value.bitPattern == Float.nan.bitPattern {
      #expect(encode([0, value, 0], type).wrong == nil)
    } else {
      #expect(encode([0, 0, value, value, 0], type).wrong == 2)
    }
  }

  @Test func sparseBitsAreLowestFirst() {
    var elements: [UInt8] = Array(repeating: 0, count: 70)
    elements[0] = 7
    elements[3] = 8
    elements[69] = 9
    var words: [UInt64] = [1, 1]
    var kept: [UInt8] = [0, 0, 0]
    words.withUnsafeMutableBufferPointer { words in
      kept.withUnsafeMutableBytes { kept in
        elements.withUnsafeBufferPointer { elements in
          guard let bits = words.baseAddress, let output = kept.baseAddress else { return }
          SparseLayout.compact(elements, bits: bits, into: output)
        }
      }
    }
    #expect(words == [0b1001, 0b10_0000] && kept == [7, 8, 9])
  }

  @Test func digestsAreTheStandardsOwn() throws {
    // FIPS 180-4, examples.
    #expect(
      sha256(of: ByteRegion(copying: Array("abc".utf8))).description
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      sha256(of: ByteRegion(copying: [])).description
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(BlockDigest.blockCount(0) == 1 && BlockDigest.blockCount(1 << 22) == 1)
    #expect(BlockDigest.blockCount(1 << 22 + 1) == 2 || BlockDigest.blockCount((1 << 22) + 1) == 2)
    let (a, b) = (Digest(of: [1]), Digest(of: [2]))
    #expect(BlockDigest.combine([a]) == a)
    #expect(BlockDigest.combine([a, b]) == Digest(of: a.bytes + b.bytes))
  }

  @Test func theIdentityIsWhatTheSpecificationSays() {
    let values = Digest(of: [1, 2, 3])
    let message: [UInt8] =
      Array("a/b".utf8) + [0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    #expect(weightsDigest([("a/b", [3, 256], values)]) == Digest(of: message + values.bytes))
  }
}
