/// Rows of text in columns: a header, a thin rule, two spaces between columns.
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
    let rule = console.styled(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  "), .dim)
    let headline = padded(header, widths).joined(separator: "  ")
    var lines = [console.styled(headline.withoutTrailingSpaces, .bold), rule]
    for row in rows {
      switch row {
      case .rule: lines.append(rule)
      case .cells(let cells, let style, let column):
        var cells = padded(cells, widths)
        if let style, let column { cells[column] = console.styled(cells[column], style) }
        let text = cells.joined(separator: "  ").withoutTrailingSpaces
        if let style, column == nil { lines.append(console.styled(text, style)) } else { lines.append(text) }
      }
    }
    return lines.joined(separator: "\n")
  }

  private func padded(_ cells: [String], _ widths: [Int]) -> [String] {
    zip(cells, zip(widths, alignments)).map { cell, column in
      let padding = String(repeating: " ", count: column.0 - cell.count)
      return column.1 == .left ? cell + padding : padding + cell
    }
  }
}

extension String {
  fileprivate var withoutTrailingSpaces: String { String(reversed().drop { $0 == " " }.reversed()) }
}
