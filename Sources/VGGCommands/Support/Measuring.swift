internal import Glibc

/// What the process can find out about itself.
enum Measuring {
  /// Seconds of a clock that only goes forward.
  static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// What a body gives, and the seconds that it takes.
  static func time<Result>(_ body: () throws -> Result) rethrows -> (Result, Double) {
    let start = seconds()
    return (try body(), seconds() - start)
  }

  /// The bytes of a line of `/proc/self/status`, such as `RssAnon`; nil where the system has no such line.
  static func memory(_ name: String) -> Int? {
    guard let file = fopen("/proc/self/status", "r") else { return nil }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0, let line {
      let words = String(cString: line).split(whereSeparator: \.isWhitespace)
      if words.count > 1, words[0] == "\(name):" { return Int(words[1]).map { $0 * 1024 } }
    }
    return nil
  }
}
