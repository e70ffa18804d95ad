internal import CCrypto
public import VGGBytes

/// A way to compute a digest of a file; what a publisher states is what can be checked.
public enum DigestAlgorithm: String, CaseIterable, Comparable, Sendable {
  // From the weakest to the strongest.
  case md5 = "MD5"
  case sha1 = "SHA-1"
  case sha256 = "SHA-256"

  /// The number of hexadecimal digits of a digest.
  public var digitCount: Int {
    switch self {
    case .md5: 32
    case .sha1: 40
    case .sha256: 64
    }
  }

  /// Whether the first one is the weaker one.
  public static func < (first: DigestAlgorithm, second: DigestAlgorithm) -> Bool {
    first.digitCount < second.digitCount
  }

  fileprivate var implementation: OpaquePointer? {
    switch self {
    case .md5: EVP_md5()
    case .sha1: EVP_sha1()
    case .sha256: EVP_sha256()
    }
  }
}

/// A digest of a file as hexadecimal digits, or as many of its first digits as are known.
public struct FileDigest: Equatable, Sendable {
  /// How it is computed.
  public var algorithm: DigestAlgorithm
  /// The digits in lower case.
  public var digits: String

  /// Creates a digest from its digits.
  public init(_ algorithm: DigestAlgorithm, _ digits: String) {
    self.algorithm = algorithm
    self.digits = digits
  }

  /// Whether all digits are known.
  public var isWhole: Bool { digits.utf8.count == algorithm.digitCount }

  /// Whether a computed digest is this one, as far as it is known.
  public func agrees(with computed: FileDigest) -> Bool {
    !digits.isEmpty && algorithm == computed.algorithm && computed.digits.hasPrefix(digits)
  }

  /// Computes digests of a file, all of them in one pass.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - algorithms: Which digests.
  ///   - progress: Called with the number of bytes that were read since the last call.
  /// - Throws: `unavailable` where libcrypto refuses an algorithm, as MD5 in a FIPS setting.
  public static func computed(
    of file: MappedFile, _ algorithms: Set<DigestAlgorithm>, progress: (Int) -> Void = { _ in }
  ) throws(FileError) -> [FileDigest] {
    guard !algorithms.isEmpty else { return [] }
    var computations: [DigestComputation] = []
    for algorithm in algorithms.sorted() {
      computations.append(try DigestComputation(algorithm, for: file.path))
    }
    file.bytes.withBytes { bytes in
      // Pieces that stay in the cache while every algorithm reads them.
      for start in stride(from: 0, to: bytes.count, by: 1 << 18) {
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + 1 << 18)])
        for computation in computations { computation.add(piece) }
        progress(piece.count)
      }
    }
    return computations.map(\.digest)
  }
}

/// A digest that is being computed by libcrypto.
private final class DigestComputation {
  private let algorithm: DigestAlgorithm
  private let context = EVP_MD_CTX_new()

  init(_ algorithm: DigestAlgorithm, for path: String) throws(FileError) {
    self.algorithm = algorithm
    guard EVP_DigestInit_ex(context, algorithm.implementation, nil) == 1 else {
      throw FileError(
        .unavailable, code: "zoo.digest", file: path,
        "cannot be compared: libcrypto has no \(algorithm.rawValue)")
    }
  }

  deinit { EVP_MD_CTX_free(context) }

  func add(_ bytes: UnsafeRawBufferPointer) {
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  /// The digest of all that was added; to be asked for once.
  var digest: FileDigest {
    let bytes = [UInt8](unsafeUninitializedCapacity: algorithm.digitCount / 2) { buffer, count in
      EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
      count = algorithm.digitCount / 2
    }
    return FileDigest(algorithm, hexadecimalDigits(of: bytes))
  }
}
