internal import CommandLineKit
internal import JSONKit
internal import VGGModel

extension Model {
  /// A table of what the codes of the maps stand for.
  func mapTable(_ console: Console) -> String {
    var table = TextTable([("map", .left), ("scale", .right), ("zero point", .right), ("values", .right)])
    for (name, codes) in integerArithmetic?.maps(of: network) ?? [] {
      let values = [-128, 127].map { Format.significant(Double(codes.value(of: $0)), 4) }
      table.add([
        name, "\(codes.scale)", "\(codes.zeroPoint)", values.joined(separator: " to "),
      ])
    }
    return table.rendered(for: console)
  }

  /// The rounding and what the codes of the maps stand for; null for a model that computes with reals.
  var integerArithmeticJSON: JSONValue {
    guard let integerArithmetic else { return .null }
    return [
      "rounding": .string(integerArithmetic.rounding.rawValue),
      "maps": .array(
        integerArithmetic.maps(of: network).map { name, codes in
          [
            "name": .string(name), "scale": .number(Double(codes.scale)),
            "zeroPoint": .integer(Int64(codes.zeroPoint)),
          ]
        }),
    ]
  }
}
