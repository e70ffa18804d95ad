internal import VGGConv

extension StatedMean {
  /// Numbers where the text is nothing else; `./104` is a file. Nil where it is neither.
  init?(_ text: String) {
    if let numbers = StatedMean.numbers(text) {
      self = .numbers(numbers)
    } else if text.isEmpty || text.split(separator: ",").allSatisfy({ Double($0) != nil }) {
      return nil
    } else {
      self = .file(text)
    }
  }

  /// One finite number, or three with commas between them.
  static func numbers(_ text: String) -> [Double]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Double($0) }.filter(\.isFinite)
    return numbers.count == parts.count && [1, 3].contains(parts.count) ? numbers : nil
  }
}
