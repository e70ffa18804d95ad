import Foundation
public import Glibc

/// Looks at a process and its descendants until they end: what private memory they take, and that they do end.
///
/// Private is what only the process has (`RssAnon`), not pages of mapped files, which the system takes back when it needs them.
/// It looks every millisecond, so what is taken for a shorter time may go unseen.
public struct MemoryWatch: Sendable {
  /// The most private memory that all of them had at one time, in bytes.
  public private(set) var peakPrivateBytes = 0
  /// The processes that were seen, without the first one.
  public private(set) var descendants: Set<pid_t> = []
  /// Whether the process was ended because it took longer than anything can.
  public private(set) var isHung = false

  /// Runs the built command and watches it.
  ///
  /// - Parameters:
  ///   - arguments: The arguments.
  ///   - folder: The working folder.
  ///   - patience: When to give up, in seconds: no measure of speed, but an end for a test that would have none.
  public static func run(
    _ arguments: [String], in folder: String = packageRoot, patience: Double = 300
  ) throws -> (process: CommandProcess, memory: MemoryWatch) {
    var watch = MemoryWatch()
    let process = try CommandProcess.run(CommandProcess.executable, arguments, in: folder) { process in
      let end = ContinuousClock.now + .seconds(patience)
      while process.isRunning {
        watch.look(at: process.processIdentifier)
        if ContinuousClock.now > end {
          watch.isHung = true
          kill(process.processIdentifier, SIGKILL)
        }
        usleep(1000)
      }
    }
    return (process, watch)
  }

  /// The descendants that are still there, dead or alive.
  public var remaining: [pid_t] { descendants.filter { kill($0, 0) == 0 } }

  private mutating func look(at process: pid_t) {
    var family = [process]
    var next = 0
    while next < family.count {
      family += MemoryWatch.children(of: family[next])
      next += 1
    }
    descendants.formUnion(family.dropFirst())
    peakPrivateBytes = max(peakPrivateBytes, family.reduce(0) { $0 + MemoryWatch.privateBytes(of: $1) })
  }

  private static func children(of process: pid_t) -> [pid_t] {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
    return tasks.flatMap { task in
      text("/proc/\(process)/task/\(task)/children").split(separator: " ").compactMap { pid_t($0) }
    }
  }

  private static func privateBytes(of process: pid_t) -> Int {
    let line = text("/proc/\(process)/status").split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
    return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }

  /// A small file of the kernel's, empty where there is none (any more).
  private static func text(_ path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
