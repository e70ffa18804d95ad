internal import CVGGManifest
internal import VGGBytes
internal import VGGTensors

extension CodeParameters {
  /// Reads and checks what a manifest says of scales and zero points; nil for elements that are no codes.
  init?(
    _ message: Vggw__Tensor, of type: ElementType, in shape: [Int], _ reader: MessageReader
  ) throws(FileError) {
    let isGrouped = message.grouping == VGGW__GROUPING__GROUPING_INPUT_GROUPS
    let length = try reader.number(
      message.group_length, isGrouped ? 1...1 << 36 : 0...0, "group_length")
    guard isGrouped || message.has_group_zero_points == 0 else {
      throw reader.failure("has_group_zero_points", "has zero points of groups without groups")
    }
    let scales = Array(UnsafeBufferPointer(start: message.scales, count: message.n_scales))
    let zeroPoints = UnsafeBufferPointer(start: message.zero_points, count: message.n_zero_points)
    func requireCount(_ count: Int, _ allowed: Set<Int>, _ field: String, _ name: String) throws(FileError) {
      guard allowed.contains(count) else {
        throw reader.failure(
          field, "has a wrong number of \(name)", seen: "\(count)",
          allowed: allowed.sorted().map(String.init).joined(separator: " or "))
      }
    }
    if type == .biasCode {
      try requireCount(scales.count, [shape.reduce(1, *)], "scales", "scales")
      try requireCount(zeroPoints.count, [0], "zero_points", "zero points")
      self.init(Quantization(scales: scales))
      return
    }
    guard case .code(let codeType) = type else {
      try requireCount(scales.count, [0], "scales", "scales")
      try requireCount(zeroPoints.count, [0], "zero_points", "zero points")
      guard message.grouping == VGGW__GROUPING__GROUPING_OUTPUT_CHANNEL else {
        throw reader.failure("grouping", "has groups of elements that are no codes", seen: type.name)
      }
      return nil
    }
    let grouping: Quantization.Grouping
    switch message.grouping {
    case VGGW__GROUPING__GROUPING_OUTPUT_CHANNEL: grouping = .outputChannel
    case VGGW__GROUPING__GROUPING_TENSOR: grouping = .tensor
    case VGGW__GROUPING__GROUPING_INPUT_GROUPS: grouping = .inputGroups(length: length)
    default:
      throw reader.failure(
        "grouping", "has an unknown value", seen: "\(message.grouping.rawValue)", allowed: "0 to 2")
    }
    let expected = isGrouped ? 0 : grouping.count(in: shape)
    try requireCount(scales.count, [expected], "scales", "scales")
    try requireCount(zeroPoints.count, [0, expected], "zero_points", "zero points")
    if isGrouped {
      self.init(groupsOf: length, in: shape, hasZeroPoints: message.has_group_zero_points != 0)
      return
    }
    if let wrong = scales.firstIndex(where: { !$0.isPossibleScale }) {
      throw reader.failure(
        "scales", "has an impossible scale for \(grouping == .tensor ? "the tensor" : "channel \(wrong)")",
        seen: "\(scales[wrong])", allowed: "finite, not negative")
    }
    let checked = try zeroPoints.map { zeroPoint throws(FileError) in
      try reader.number(
        zeroPoint, Int(codeType.codes.lowerBound)...Int(codeType.codes.upperBound), "zero_points")
    }
    self.init(Quantization(codeType, by: grouping, scales: scales, zeroPoints: checked.map { Int8($0) }))
  }
}
