import Glibc
import Testing

@testable import CommandLineKit

/// Results and progress on one terminal, which here is a pseudo-terminal.
@Suite struct TerminalTests {
  @Test func resultsReplaceTheProgressBar() throws {
    let terminal = try Pseudoterminal()
    let console = Console(
      tool: "sample", environment: .init(), output: TextStream(terminal.user),
      errors: TextStream(terminal.user))
    console.print("a result")
    #expect(terminal.written() == Progress.clearLine + "a result\r\n")
  }

  @Test func resultsInAFileLeaveItAlone() throws {
    let terminal = try Pseudoterminal()
    let file = open("/dev/null", O_WRONLY)
    defer { close(file) }
    let console = Console(
      tool: "sample", environment: .init(), output: TextStream(file), errors: TextStream(terminal.user))
    console.print("a result")
    #expect(terminal.written() == "")
  }
}

/// Both ends of a pseudo-terminal.
private final class Pseudoterminal {
  private let master: Int32
  let user: Int32

  init() throws {
    // TIOCSPTLCK and TIOCGPTN of Linux, which are macros that Swift does not see.
    let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
    var (lock, number): (Int32, Int32) = (0, -1)
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    try #require(master >= 0 && ioctl(master, setLock, &lock) == 0 && ioctl(master, getNumber, &number) == 0)
    user = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(user >= 0)
  }

  deinit {
    close(user)
    close(master)
  }

  /// What has been written by the user's side so far, which may arrive in pieces.
  func written() -> String {
    var waiting = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1000)
    while poll(&waiting, 1, 100) > 0 {
      let count = read(master, &piece, piece.count)
      guard count > 0 else { break }
      bytes += piece.prefix(count)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
