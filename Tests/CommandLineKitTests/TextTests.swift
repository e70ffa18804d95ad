import Synchronization
import Testing

@testable import CommandLineKit

@Suite struct TextTests {
  @Test(arguments: [
    (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1536, "1.5 kB"), (99_949, "99.9 kB"), (99_951, "100 kB"),
    (999_499, "999 kB"), (999_500, "1.0 MB"), (553_432_081, "553 MB"), (2_300_000_000, "2.3 GB"),
    (-1500, "-1.5 kB"), (Int.max, "9223372037 GB"),
  ])
  func bytes(_ count: Int, _ text: String) { #expect(Format.bytes(count) == text) }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1,000"), (138_357_544, "138,357,544"), (-1234, "-1,234"),
    (Int.min, "-9,223,372,036,854,775,808"),
  ])
  func grouped(_ number: Int, _ text: String) { #expect(Format.grouped(number) == text) }

  @Test func numbers() {
    #expect(Format.fixed(3.14159, 2) == "3.14")
    #expect(Format.scientific(1.234e-7) == "1.23e-07")
    #expect(Format.scientific(0) == "0")
    #expect(Format.scientific(.nan) == "nan")
    #expect(Format.fixed(-.infinity, 2) == "-inf")
    #expect(Format.significant(0.012345, 3) == "0.0123" && Format.significant(1.2e-9, 2) == "1.2e-09")
    #expect(Format.percent(358.0 / 360) == "99.44 %")
  }

  @Test(arguments: [
    (0, "0 ms"), (0.00123, "1.2 ms"), (0.25, "250 ms"), (0.9999, "1.0 s"), (3.21, "3.2 s"), (9.96, "10 s"),
    (59.7, "1 min 0 s"),
    (125, "2 min 5 s"), (3599.6, "1 h 0 min"), (4200, "1 h 10 min"), (.infinity, "inf s"),
  ])
  func durations(_ seconds: Double, _ text: String) { #expect(Format.duration(seconds) == text) }

  @Test(arguments: [
    ("conv1_1 größe 畳", "conv1_1 größe 畳"), ("a\nb\u{1B}[2J", "a\\nb\\u{1B}[2J"),
    ("a\u{9B}\u{2028}", "a\\u{009B}\\u{2028}"),
  ])
  func controlCharactersAreSpelledOut(_ text: String, _ visible: String) {
    #expect(Format.visible(text) == visible)
  }

  @Test func tablesAlignTheirColumns() throws {
    var table = TextTable([("name", .left), ("count", .right)])
    table.add(["a", "1"])
    table.add(["longer", "1000"])
    table.addRule()
    table.add(["all"])
    #expect(
      table.rendered(for: try console()) == """
        name    count
        ──────  ─────
        a           1
        longer   1000
        ──────  ─────
        all
        """)
  }

  @Test func stylesDoNotMoveColumns() throws {
    var table = TextTable([("name", .left), ("error", .right), ("verdict", .left)])
    table.add(["a\tb", "0", "ok"], style: .green, column: 2)
    table.add(["c", "10.25", "bad"], style: .red)
    let lines = table.rendered(for: try console("--color=always")).split(separator: "\n")
    #expect(lines[0] == "\u{1B}[1mname  error  verdict\u{1B}[0m")
    #expect(lines[2] == "a\\tb      0  \u{1B}[32mok     \u{1B}[0m")
    #expect(lines[3] == "\u{1B}[31mc     10.25  bad\u{1B}[0m")
  }

  @Test func whatIsTooWideGoesOnBelow() throws {
    var table = TextTable((0..<9).map { ("column \($0)", .left) })
    table.add((0..<9).map { "value \($0), longer" }, style: .green, column: 7)
    let text = table.rendered(for: try console())
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
    let parts = text.split(separator: "\n\n")
    #expect(
      parts.count == 3 && parts.allSatisfy { $0.hasPrefix("column 0") && $0.contains("\nvalue 0, longer  ") })
    for column in 1..<9 { #expect(parts.count { $0.contains("value \(column), longer") } == 1) }
    let coloured = table.rendered(for: try console("--color=always"))
    #expect(coloured.contains("\u{1B}[32mvalue 7, longer\u{1B}[0m"))
    var narrow = TextTable([("a", .left)])
    narrow.add([String(repeating: "x", count: 99)])
    #expect(narrow.rendered(for: try console()).split(separator: "\n").count == 3)
  }

  /// A console whose output is no terminal.
  private func console(_ words: String...) throws -> Console {
    let command = Command("", abstract: "", examples: [], positionals: [], options: []) { _, _ in .success }
    return Console(
      try Arguments(words, of: command), tool: "tool", environment: Console.Environment(),
      output: TextStream(-1), errors: TextStream(-1))
  }

  @Test func progressAppearsAfterHalfASecondAndGoesAway() {
    let time = Mutex(0.0)
    let written = Mutex<[String]>([])
    let progress = Progress(
      "reading", total: 1000, unit: .bytes, isVisible: true, clock: { time.withLock { $0 } },
      write: { text in written.withLock { $0.append(text) } })
    time.withLock { $0 = 0.4 }
    progress.advance(by: 100)
    #expect(written.withLock { $0.isEmpty })
    time.withLock { $0 = 1 }
    progress.advance(by: 400)
    time.withLock { $0 = 1.05 }
    progress.advance(by: 1)  // Too soon to draw again.
    #expect(
      written.withLock { $0 } == ["\r\u{1B}[Kreading  [############------------]   50 %  500 B/s  1 s left"])
    progress.finish()
    #expect(written.withLock { $0.last } == "\r\u{1B}[K")
  }

  @Test(
    arguments: [
      (80, "reading  [############------------]   50 %  500 B/s  1 s left"),
      (50, "reading  [######------]   50 %  500 B/s  1 s left"),
      (40, "reading   50 %  500 B/s  1 s left"), (20, "reading   50 %  500"),
    ])
  func progressFitsTheLine(_ width: Int, _ line: String) {
    let time = Mutex(0.0)
    let written = Mutex("")
    let progress = Progress(
      "reading", total: 1000, unit: .bytes, isVisible: true, width: width, clock: { time.withLock { $0 } },
      write: { text in written.withLock { $0 += text } })
    time.withLock { $0 = 1 }
    progress.advance(by: 500)
    #expect(written.withLock { $0 } == "\r\u{1B}[K" + line)
    #expect(line.count < width)
  }

  @Test(arguments: [(0, 3), (10, 30), (Int.max, 1)])
  func oddTotalsDoNoHarm(_ total: Int, _ done: Int) {
    let time = Mutex(0.0)
    let written = Mutex("")
    let progress = Progress(
      "running", total: total, unit: .items("inputs"), isVisible: true, clock: { time.withLock { $0 } },
      write: { text in written.withLock { $0 += text } })
    time.withLock { $0 = 2 }
    progress.advance(by: done)
    #expect(written.withLock { $0.contains("inputs/s") && !$0.contains("-1") })
  }

  @Test func invisibleProgressWritesNothing() {
    let progress = Progress("reading", total: 1, unit: .bytes, isVisible: false, clock: { 9 }) { text in
      Issue.record("wrote \(text)")
    }
    progress.advance(by: 1)
    progress.finish()
  }
}
