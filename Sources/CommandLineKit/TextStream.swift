internal import Glibc
internal import Synchronization

/// A file descriptor that text is written to. The first failure is kept, since those who print cannot do anything about it.
final class TextStream: Sendable {
  let descriptor: Int32
  private let errorNumber = Mutex<Int32>(0)

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  var isTerminal: Bool { isatty(descriptor) == 1 }

  /// The number of columns, nil where it is no terminal.
  var columns: Int? {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
  }

  /// Why not everything could be written, nil where it could. A reader that has gone away is no failure: it has read what it wanted.
  var failure: String? {
    let number = errorNumber.withLock { $0 }
    return number == 0 || number == EPIPE ? nil : String(cString: strerror(number))
  }

  /// Writes all of a text.
  func write(_ text: String) {
    var text = text
    errorNumber.withLock { errorNumber in
      guard errorNumber == 0 else { return }
      text.withUTF8 { bytes in
        var rest = UnsafeRawBufferPointer(bytes)
        while let start = rest.baseAddress, rest.count > 0 {
          let written = Glibc.write(descriptor, start, rest.count)
          if written >= 0 {
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
          } else if errno != EINTR {
            errorNumber = errno
            return
          }
        }
      }
    }
  }
}
