internal import CHDF5
internal import Glibc
internal import VGGBytes

/// Has the library work on a file, and says in the package's terms what came of it.
struct HDF5Reader: Sendable {
  /// Whether the library runs in a child process; tests also run it in their own.
  var isIsolated = true
  /// The processor time for a list of contents; decoding gets a second more for every 4 MiB.
  var seconds: UInt32 = 10

  /// The memory for a list of contents, and for small chunks: libhdf5's own, its caches included.
  private static let baseMemory = 64 << 20
  /// The most memory, however large a file's chunks are.
  private static let mostMemory = 1 << 30

  /// The stack that is enough for what the library does with any file: an eighth of what systems give.
  private static let leastStack: rlim_t = 1 << 20

  /// Whether the memory that the library may take cannot be had: then its complaints say nothing of the file.
  private static var memoryIsShort: Bool {
    let memory = mmap(nil, baseMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { return true }
    munmap(memory, baseMemory)
    // The library's functions call each other deeply; with a small stack they fail on any file.
    var stack = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_STACK.rawValue), &stack) == 0, stack.rlim_cur < leastStack {
      return true
    }
    return false
  }

  /// Lists what is in a file.
  func list(_ file: ByteRegion, named name: String) throws(FileError) -> HDF5Group {
    var start: UnsafeMutablePointer<UInt8>?
    var count = 0
    let outcome = file.withBytes { bytes in
      chdf5_list(
        bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count,
        terms(seconds, memory: HDF5Reader.baseMemory), &start, &count)
    }
    let catalogue = CatalogueMemory(start)
    try check(outcome, of: file, name: name, place: nil)
    var decoder = CatalogueDecoder(
      ByteRegion(owner: catalogue, bytes: UnsafeRawBufferPointer(start: start, count: count)), file: name)
    return try decoder.root()
  }

  /// Decodes a data set into memory of its size that is shared between processes.
  func decode(
    _ dataset: HDF5Dataset, of file: ByteRegion, named name: String,
    into output: UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    let limit = seconds &+ UInt32(clamping: output.count >> 22)
    // A chunk is there as it is stored, as it was before each filter, and while it grows.
    let chunk = min(dataset.chunkByteCount ?? .max, HDF5Reader.mostMemory)
    let memory = min(HDF5Reader.baseMemory + 4 * chunk, HDF5Reader.mostMemory)
    let outcome = file.withBytes { bytes in
      chdf5_decode(
        bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, dataset.address,
        terms(limit, memory: memory),
        output.bindMemory(to: UInt8.self).baseAddress, output.count)
    }
    try check(outcome, of: file, name: name, place: dataset.path)
  }

  private func terms(_ seconds: UInt32, memory: Int) -> chdf5_terms {
    chdf5_terms(isolated: isIsolated, seconds: seconds, memory: memory)
  }

  private func check(
    _ outcome: chdf5_outcome, of file: ByteRegion, name: String, place: String?
  ) throws(FileError) {
    if outcome.status != CHDF5_DONE, file.isCutOff {
      throw MappedFile.shortened(name)
    }
    if outcome.status != CHDF5_DONE, HDF5Reader.memoryIsShort {
      throw FileError(
        .unavailable, code: "hdf5.memory", file: name,
        "needs up to \(HDF5Reader.baseMemory >> 20) MiB of memory to be read, which this process cannot have",
        advice: "allow more with 'ulimit -d' or 'ulimit -v'")
    }
    let message = text(outcome.message)
    let found = text(outcome.place)
    func failure(
      _ kind: FileError.Kind, _ code: String, _ problem: String, seen: String? = nil, advice: String? = nil
    ) -> FileError {
      FileError(
        kind, code: "hdf5.\(code)", file: name, problem, place: place ?? (found.isEmpty ? nil : found),
        seen: seen,
        advice: advice)
    }
    switch outcome.status {
    case CHDF5_DONE: return
    case CHDF5_UNAVAILABLE:
      throw failure(
        .unavailable, "library", "is an HDF5 file, and the library that reads these is not installed",
        advice: "install it with 'apt-get install libhdf5-103-1'")
    case CHDF5_MALFORMED where message.hasPrefix("bad version number"):
      throw failure(
        .unsupported, "version",
        "is damaged, or written in a form that the HDF5 library is too old for: \(message)",
        advice: "if it is sound, rewrite it with 'h5repack --low=0 --high=2'")
    case CHDF5_MALFORMED:
      throw failure(.malformed, "malformed", "is not a well-formed HDF5 file: \(message)")
    case CHDF5_EXCESSIVE:
      throw failure(.malformed, "excessive", "holds more than any model does: \(message)")
    case CHDF5_CRASHED:
      throw failure(
        .malformed, "crash", "makes the HDF5 library fail, so it is damaged or made to do harm",
        seen: outcome.detail == 0 ? nil : "signal \(outcome.detail)")
    case CHDF5_TIMED_OUT:
      throw failure(
        .malformed, "time", "keeps the HDF5 library busy without end, so it is damaged or made to do harm")
    default:
      throw failure(
        .inputOutput, "process", "cannot be read in a process of its own: \(systemMessage(outcome.detail))")
    }
  }

  /// A terminated text in a C array, which Swift sees as a tuple.
  private func text<Characters>(_ characters: Characters) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}

/// Keeps a catalogue in memory.
private final class CatalogueMemory: Sendable {
  private nonisolated(unsafe) let start: UnsafeMutablePointer<UInt8>?

  init(_ start: UnsafeMutablePointer<UInt8>?) { self.start = start }

  deinit { chdf5_release(start) }
}
