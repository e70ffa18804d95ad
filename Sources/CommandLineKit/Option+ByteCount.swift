extension Option where Value == Int {
  /// Declares an option whose value is a number of bytes: `30000000`, `30M`, `1.5G`, `64Mi`.
  ///
  /// `K`, `M` and `G` are thousands, as ``Format/bytes(_:)`` prints them; `Ki`, `Mi` and `Gi` are multiples of 1024. A `B` may follow.
  /// Parts of a byte are dropped.
  ///
  /// - Parameters:
  ///   - name: The long name without dashes.
  ///   - valueName: What the help calls the value.
  ///   - help: What the option does, one sentence without a full stop.
  public init(byteCount name: String, valueName: String = "BYTES", help: String) {
    self.init(
      name, valueName: valueName, help: help, allowed: "a number of bytes such as 30000000, 30M or 64Mi",
      parse: Self.byteCount)
  }

  @Sendable private static func byteCount(_ text: String) -> Int? {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    var unit = text[number.endIndex...].lowercased()
    if unit.hasSuffix("b") { unit.removeLast() }
    let base = unit.hasSuffix("i") ? 1024 : 1000
    if unit.hasSuffix("i") { unit.removeLast() }
    let exponents = base == 1000 ? ["": 0, "k": 1, "m": 2, "g": 3] : ["k": 1, "m": 2, "g": 3]
    guard let exponent = exponents[unit], number.first != "." else { return nil }
    let factor = (0..<exponent).reduce(1) { product, _ in product * base }
    if let whole = Int(number) {
      let (count, overflow) = whole.multipliedReportingOverflow(by: factor)
      return overflow ? nil : count
    }
    guard exponent > 0, let value = Double(number) else { return nil }
    return Int(exactly: (value * Double(factor)).rounded(.down))
  }
}
