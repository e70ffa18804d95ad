internal import JSONKit
internal import VGGNative
internal import VGGTensors

extension CodeParameters {
  /// How many scales there are and what shares one: `64 by channel`, `4608 by groups of 32, zero points`.
  var text: String {
    let unit =
      switch grouping {
      case .tensor: "by tensor"
      case .outputChannel: "by channel"
      case .inputGroups(let length): "by groups of \(length)"
      }
    return "\(scaleCount) \(unit)" + (zeroPointCount > 0 ? ", zero points" : "")
  }

  /// The same as an object.
  var json: JSONValue {
    let kind: String
    var length: JSONValue = .null
    switch grouping {
    case .tensor: kind = "tensor"
    case .outputChannel: kind = "output-channel"
    case .inputGroups(let groupLength): (kind, length) = ("input-groups", .integer(Int64(groupLength)))
    }
    return [
      "grouping": .string(kind), "groupLength": length, "count": .integer(Int64(scaleCount)),
      "zeroPoints": .integer(Int64(zeroPointCount)),
    ]
  }
}
