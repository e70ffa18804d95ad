internal import Glibc
internal import Synchronization

/// How far long work has come: one line that is rewritten, visible after half a second.
///
/// Any thread may advance it.
public final class Progress: Sendable {
  /// What is counted.
  public enum Unit: Sendable {
    case bytes
    case items(String)
  }

  private struct State {
    var done = 0
    var lastDrawn = 0.0
    var isDrawn = false
  }

  private let label: String
  private let total: Int
  private let unit: Unit
  private let isVisible: Bool
  private let width: Int
  private let clock: @Sendable () -> Double
  private let write: @Sendable (String) -> Void
  private let start: Double
  private let state = Mutex(State())

  init(
    _ label: String, total: Int, unit: Unit, isVisible: Bool, width: Int = 80,
    clock: @escaping @Sendable () -> Double = Progress.monotonicSeconds,
    write: @escaping @Sendable (String) -> Void
  ) {
    self.label = label
    self.total = total
    self.unit = unit
    self.isVisible = isVisible
    self.width = width
    self.clock = clock
    self.write = write
    start = clock()
  }

  /// Goes to the start of the line and removes what stands there.
  static let clearLine = "\r\u{1B}[K"

  /// Counts what has been done since the last call.
  public func advance(by amount: Int) {
    guard isVisible else { return }
    state.withLock { state in
      state.done += amount
      let now = clock()
      guard now - start >= 0.5, now - state.lastDrawn >= 0.1 else { return }
      state.lastDrawn = now
      state.isDrawn = true
      write(Self.clearLine + line(done: state.done, seconds: now - start))
    }
  }

  /// Removes the line.
  public func finish() {
    state.withLock { state in
      if state.isDrawn { write(Self.clearLine) }
      state.isDrawn = false
    }
  }

  /// `importing  [######------]  52 %  1.1 GB/s  2 s left`, in one line less than the terminal is wide: a line that wraps cannot be
  /// rewritten. The bar gives way first.
  private func line(done: Int, seconds: Double) -> String {
    let rate = Double(done) / seconds
    let speed =
      switch unit {
      case .bytes: "\(Format.bytes(Int(min(rate, 1e18))))/s"
      case .items(let name): "\(Format.fixed(rate, 1)) \(name)/s"
      }
    guard total > 0 else { return String("\(label)  \(speed)".prefix(width - 1)) }
    let part = min(1, max(0, Double(done) / Double(total)))
    let left = rate > 0 ? (max(0, Double(total) - Double(done)) / rate).rounded(.up) : 0
    let timeLeft = left < 60 ? "\(Int(left)) s" : Format.duration(left)
    let percent = String(Int(part * 100))
    let padding = String(repeating: " ", count: 3 - percent.count)
    let text = "\(padding)\(percent) %  \(speed)  \(timeLeft) left"
    let barWidth = min(24, width - 1 - label.count - text.count - 6)
    guard barWidth >= 5 else { return String("\(label)  \(text)".prefix(width - 1)) }
    let filled = Int(part * Double(barWidth))
    let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: barWidth - filled)
    return "\(label)  [\(bar)]  \(text)"
  }

  private static func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
