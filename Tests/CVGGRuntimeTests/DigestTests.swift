import CVGGRuntime
import Testing

/// Digests against the examples of their standards.
@Suite struct DigestTests {
  private static func sha256(_ bytes: [UInt8], partLength: Int) -> String {
    var sha = vggrt_sha256()
    var digest = [UInt8](repeating: 0, count: 32)
    vggrt_sha256_begin(&sha)
    for start in stride(from: 0, to: bytes.count, by: partLength) {
      let part = Array(bytes[start..<min(start + partLength, bytes.count)])
      vggrt_sha256_add(&sha, part, part.count)
    }
    vggrt_sha256_end(&sha, &digest)
    return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// FIPS 180-4's examples, and a length with which the bits' count needs a block of its own.
  @Test(arguments: [1, 7, 64, 1000]) func sha256IsThatOfItsStandard(partLength: Int) {
    let examples: [(bytes: [UInt8], digest: String)] = [
      ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        Array(repeating: UInt8(ascii: "a"), count: 1_000),
        "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"
      ),
    ]
    for example in examples { #expect(Self.sha256(example.bytes, partLength: partLength) == example.digest) }
  }

  @Test func crcIsThatOfZip() {
    let bytes = Array("123456789".utf8)
    #expect(vggrt_crc32(0, bytes, 9) == 0xCBF4_3926)
    #expect(vggrt_crc32(vggrt_crc32(0, bytes, 4), Array(bytes[4...]), 5) == 0xCBF4_3926)
    #expect(vggrt_crc32(0, bytes, 0) == 0)
  }
}
