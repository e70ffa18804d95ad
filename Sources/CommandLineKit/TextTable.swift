/// Rows of text in columns: a header, a thin rule, two spaces between columns. What is wider than the terminal goes on
/// below, behind the first column again.
public struct TextTable: Sendable {
  /// To which side a column's text is aligned.
  public enum Alignment: Sendable {
    case left
    case right
  }

  private let header: [String]
  private let alignments: [Alignment]
  private var rows: [Row] = []

  private enum Row: Sendable {
    /// A style is that of one column, or of the row where the column is nil.
    case cells([String], Console.Style?, column: Int?)
    case rule
  }

  /// Creates a table of columns.
  public init(_ columns: [(title: String, alignment: Alignment)]) {
    header = columns.map(\.title)
    alignments = columns.map(\.alignment)
  }

  /// Adds a row; cells that are missing at its end are empty.
  ///
  /// - Parameters:
  ///   - cells: The texts, at most one for each column. Control characters are spelled out.
  ///   - style: How the row looks.
  ///   - column: The index of the only column that looks like that, nil for the whole row.
  public mutating func add(_ cells: [String], style: Console.Style? = nil, column: Int? = nil) {
    rows.append(.cells(cells.map(Format.visible), style, column: column))
  }

  /// Adds a rule, as in front of totals.
  public mutating func addRule() { rows.append(.rule) }

  /// The lines of the table.
  public func rendered(for console: Console) -> String {
    var widths = header.map(\.count)
    for case .cells(let cells, _, _) in rows {
      for (index, cell) in cells.enumerated() { widths[index] = max(widths[index], cell.count) }
    }
    return columnGroups(widths, fitting: console.width).map { rendered(for: console, $0, widths) }
      .joined(separator: "\n\n")
  }

  /// The columns that stand beside each other; the first one is in each group.
  private func columnGroups(_ widths: [Int], fitting width: Int) -> [[Int]] {
    var groups: [[Int]] = []
    var taken = Int.max
    for column in widths.indices.dropFirst() {
      if taken == .max || taken + 2 + widths[column] > width {
        groups.append([0])
        taken = widths[0]
      }
      groups[groups.count - 1].append(column)
      taken += 2 + widths[column]
    }
    return groups.isEmpty ? [[0]] : groups
  }

  private func rendered(for console: Console, _ columns: [Int], _ allWidths: [Int]) -> String {
    let widths = columns.map { allWidths[$0] }
    let rule = console.styled(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  "), .dim)
    let headline = padded(header, columns, widths).joined(separator: "  ")
    var lines = [console.styled(headline.withoutTrailingSpaces, .bold), rule]
    for row in rows {
      switch row {
      case .rule: lines.append(rule)
      case .cells(let cells, let style, let column):
        var cells = padded(cells, columns, widths)
        if let style, let column = column.flatMap(columns.firstIndex(of:)) {
          cells[column] = console.styled(cells[column], style)
        }
        let text = cells.joined(separator: "  ").withoutTrailingSpaces
        if let style, column == nil { lines.append(console.styled(text, style)) } else { lines.append(text) }
      }
    }
    return lines.joined(separator: "\n")
  }

  private func padded(_ cells: [String], _ columns: [Int], _ widths: [Int]) -> [String] {
    zip(columns, widths).map { column, width in
      let cell = column < cells.count ? cells[column] : ""
      let padding = String(repeating: " ", count: width - cell.count)
      return alignments[column] == .left ? cell + padding : padding + cell
    }
  }
}

extension String {
  fileprivate var withoutTrailingSpaces: String { String(reversed().drop { $0 == " " }.reversed()) }
}
