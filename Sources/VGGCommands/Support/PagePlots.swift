internal import CommandLineKit
internal import Glibc
internal import VGGBytes
internal import VGGTensors

/// How the page looks, in light and in dark.
enum PageStyle {
  static let text = """
    :root{color-scheme:light dark;--ink:#1c2330;--dim:#5d6878;--paper:#fbfbfa;--line:#d7dbe0;--mute:#c3c9d1;--good:#13713f;--bad:#b3261e;\
    --c1:#1f66c1;--c2:#b25a00;--c3:#6d3fb0}
    @media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--dim:#a0aab8;--paper:#15181d;--line:#343b46;--mute:#4a5362;--good:#5fd394;\
    --bad:#ff8a80;--c1:#6fb0ff;--c2:#f2a65a;--c3:#c29bff}}
    body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:62rem;margin:2rem auto;padding:0 1rem}
    h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-top:2.2rem}.good{color:var(--good)}.bad{color:var(--bad)}
    code{overflow-wrap:anywhere}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
    th,td{padding:.15rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th:first-child{text-align:left}
    tr.bad td,tr.bad th{color:var(--bad)}.scroll{overflow-x:auto}.facts td{text-align:left;white-space:normal}
    .legend{color:var(--dim)}.key{display:inline-block;width:1.1em;height:.7em;margin:0 .3em 0 .8em}.key.before{background:var(--mute)}\
    .key.after{background:var(--c1)}
    .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:1rem}
    svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--dim)}
    .axis{stroke:var(--line)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.fill{fill:var(--c1)}.before{fill:var(--mute)}
    .line{fill:none;stroke-width:2}.bound{stroke-dasharray:5 4;stroke-width:1.5}
    .p1{fill:var(--c1)}.p2{fill:var(--c2)}.p3{fill:var(--c3)}
    """
}

/// Values of layers on a logarithmic axis; zeros are left out.
struct LogarithmicPlot {
  struct Series {
    var name: String
    var color: Int
    var isBound: Bool
    var values: [Double]

    init(_ name: String, color: Int, isBound: Bool = false, _ values: [Double]) {
      (self.name, self.color, self.isBound, self.values) = (name, color, isBound, values)
    }
  }
  var labels: [String]
  var series: [Series]

  private let left = 58.0
  private let right = 14.0
  private let top = 44.0
  private let height = 260.0
  private let width = 900.0

  var svg: String {
    let shown = series.filter { $0.values.contains { $0 > 0 && $0.isFinite } }
    let values = shown.flatMap(\.values).filter { $0 > 0 && $0.isFinite }
    guard let smallest = values.min(), let largest = values.max(), !labels.isEmpty else {
      return "<p>There is no difference at all: every value is the same, bit for bit.</p>"
    }
    let (low, high) = (
      log10(smallest).rounded(.down), max(log10(largest).rounded(.up), log10(smallest).rounded(.down) + 1)
    )
    func y(_ value: Double) -> Double { top + height * (high - log10(value)) / (high - low) }
    let step = (width - left - right) / Double(labels.count)
    func x(_ index: Int) -> Double { left + step * (Double(index) + 0.5) }
    var parts: [String] = []
    let tickStep = max(1, ((high - low) / 8).rounded(.up))
    for exponent in stride(from: low, through: high, by: tickStep) {
      let line = number(top + height * (high - exponent) / (high - low))
      parts.append(
        "<line class=\"axis\" x1=\"\(number(left))\" x2=\"\(number(width - right))\" y1=\"\(line)\" y2=\"\(line)\"/>"
          + "<text x=\"\(number(left - 8))\" y=\"\(line)\" dy=\"4\" text-anchor=\"end\">1e\(Int(exponent))</text>"
      )
    }
    for (index, label) in labels.enumerated() {
      let place = number(x(index))
      parts.append(
        "<text x=\"\(place)\" y=\"\(number(top + height + 14))\" text-anchor=\"end\" "
          + "transform=\"rotate(-45 \(place) \(number(top + height + 14)))\">\(escaped(label))</text>")
    }
    let colors = shown.map(\.color).reduce(into: [Int]()) { if !$0.contains($1) { $0.append($1) } }
    for series in shown {
      let points = series.values.enumerated().filter { $0.element > 0 && $0.element.isFinite }
        .map { (x($0.offset), y($0.element)) }
      let path = points.map { "\(number($0.0)),\(number($0.1))" }.joined(separator: " ")
      parts.append(
        "<polyline class=\"line c\(series.color)\(series.isBound ? " bound" : "")\" points=\"\(path)\"/>")
      if !series.isBound {
        parts += points.map {
          "<circle class=\"p\(series.color)\" cx=\"\(number($0.0))\" cy=\"\(number($0.1))\" r=\"3\"/>"
        }
      }
      let column = Double(colors.firstIndex(of: series.color) ?? 0)
      let row = series.isBound ? 1.0 : 0
      let (keyX, keyY) = (left + column * 190, 12 + row * 16)
      parts.append(
        "<line class=\"line c\(series.color)\(series.isBound ? " bound" : "")\" x1=\"\(number(keyX))\" x2=\"\(number(keyX + 24))\" "
          + "y1=\"\(number(keyY))\" y2=\"\(number(keyY))\"/><text x=\"\(number(keyX + 30))\" y=\"\(number(keyY + 4))\">\(series.name)</text>"
      )
    }
    return
      "<svg viewBox=\"0 0 \(number(width)) \(number(top + height + 60))\" role=\"img\">\(parts.joined())</svg>"
  }
}

/// Bars of a size before and after.
struct BarPlot {
  struct Row {
    var label: String
    var before: Double
    var after: Double
    var text: String
  }
  var rows: [Row]

  var svg: String {
    let (left, length, step) = (120.0, 560.0, 20.0)
    let largest = max(1, rows.map { max($0.before, $0.after) }.max() ?? 1)
    let parts = rows.enumerated().map { index, row in
      let y = Double(index) * step
      let before = max(1, row.before / largest * length)
      let after = max(1, row.after / largest * length)
      return
        "<text x=\"\(number(left - 8))\" y=\"\(number(y + 13))\" text-anchor=\"end\">\(escaped(row.label))</text>"
        + "<rect class=\"before\" x=\"\(number(left))\" y=\"\(number(y + 2))\" width=\"\(number(before))\" height=\"14\"/>"
        + "<rect class=\"fill\" x=\"\(number(left))\" y=\"\(number(y + 5))\" width=\"\(number(after))\" height=\"8\"/>"
        + "<text x=\"\(number(left + max(before, after) + 8))\" y=\"\(number(y + 13))\">\(row.text)</text>"
    }
    return
      "<svg viewBox=\"0 0 900 \(number(Double(rows.count) * step + 4))\" role=\"img\">\(parts.joined())</svg>"
  }
}

/// How often values fall in ranges of equal width, and how often those of the source do.
struct Histogram {
  private let range: ClosedRange<Float>
  private let counts: [Int]
  private static let binCount = 48

  /// Draws the values of a model in front of those of its source, where there are any, over the range of both.
  static func svg(_ values: any TensorValues, before: (any TensorValues)?, title: String) throws(FileError)
    -> String
  {
    var range = try extremes(of: values)
    if let before {
      let other = try extremes(of: before)
      range = min(range.lowerBound, other.lowerBound)...max(range.upperBound, other.upperBound)
    }
    let front = try Histogram(of: values, over: range)
    let back = try before.map { (values) throws(FileError) in try Histogram(of: values, over: range) }
    return front.svg(before: back, title: title)
  }

  /// The smallest and the largest finite value.
  private static func extremes(of values: any TensorValues) throws(FileError) -> ClosedRange<Float> {
    let range = try values.reducePieces(rowLength: 1, into: (Float.infinity, -Float.infinity)) { _, piece in
      var (low, high) = (Float.infinity, -Float.infinity)
      for value in piece where value.isFinite {
        low = min(low, value)
        high = max(high, value)
      }
      return (low, high)
    } combine: { total, part in
      total = (min(total.0, part.0), max(total.1, part.1))
    }
    return range.0 <= range.1 ? range.0...range.1 : 0...0
  }

  /// Counts values; a value that is not a finite number is left out.
  private init(of values: any TensorValues, over range: ClosedRange<Float>) throws(FileError) {
    let (low, high) = (range.lowerBound, range.upperBound)
    let scale = high > low ? Float(Histogram.binCount) / (high - low) : 0
    self.range = range
    counts = try values.reducePieces(
      rowLength: 1, into: Array(repeating: 0, count: Histogram.binCount)
    ) { _, piece in
      var counts = [Int](repeating: 0, count: Histogram.binCount)
      for value in piece where value.isFinite {
        counts[min(Histogram.binCount - 1, Int((value - low) * scale))] += 1
      }
      return counts
    } combine: { total, part in
      for index in total.indices { total[index] += part[index] }
    }
  }

  /// Bars whose heights are logarithms of the counts, so that rare values show.
  private func svg(before: Histogram?, title: String) -> String {
    let largest = log2(Double(1 + max(counts.max() ?? 0, before?.counts.max() ?? 0)))
    let width = 240.0 / Double(counts.count)
    func bars(_ counts: [Int], _ style: String, _ part: Double) -> String {
      counts.enumerated().map { index, count -> String in
        guard count > 0, largest > 0 else { return "" }
        let height = max(1, log2(Double(1 + count)) / largest * 70)
        return
          "<rect class=\"\(style)\" x=\"\(number(Double(index) * width))\" y=\"\(number(90 - height))\" "
          + "width=\"\(number(width * part))\" height=\"\(number(height))\"/>"
      }.joined()
    }
    return
      "<svg viewBox=\"0 0 240 108\" role=\"img\"><text x=\"0\" y=\"12\">\(escaped(title))</text>"
      + (before.map { bars($0.counts, "before", 0.95) } ?? "")
      + bars(counts, "fill", before == nil ? 0.85 : 0.5)
      + "<line class=\"axis\" x1=\"0\" x2=\"240\" y1=\"90\" y2=\"90\"/>"
      + "<text x=\"0\" y=\"104\">\(Format.significant(Double(range.lowerBound), 3))</text>"
      + "<text x=\"240\" y=\"104\" text-anchor=\"end\">\(Format.significant(Double(range.upperBound), 3))</text></svg>"
  }
}

private func number(_ value: Double) -> String { Format.fixed(value, 1) }
