internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// What nodes in front of the first convolution do to pictures: `factor * pixel + summand` for each channel, and the channels' order.
struct PicturePreparation {
  /// The nodes, by name.
  private(set) var names: [String] = []
  /// Whether the channels are in the reverse order of the pictures'.
  private(set) var isReversed = false
  private var factors = [1.0]
  private var summands = [0.0]

  /// The most channels that are looked at.
  private static let mostChannels = 4

  /// Whether nothing is done to values.
  var isIdentity: Bool { names.isEmpty }

  /// The rule as `(pixel - mean) * scale`, for a number of channels; nil where it does not fit.
  func rule(channels: Int) -> (mean: [Double], scale: [Double])? {
    func spread(_ values: [Double]) -> [Double]? {
      values.count == channels
        ? values : values.count == 1 ? Array(repeating: values[0], count: channels) : nil
    }
    guard let factors = spread(factors), let summands = spread(summands), factors.allSatisfy({ $0 != 0 })
    else {
      return nil
    }
    return (zip(summands, factors).map { $0 == 0 ? 0 : -$0 / $1 }, factors)
  }

  /// Takes a node; false where it does something else.
  mutating func take(
    _ node: ONNXNode, besides value: String, _ graph: ONNXGraph, isChannelsLast: Bool
  ) throws(FileError) -> Bool {
    switch node.type {
    case "Cast":
      guard node.integer("to", otherwise: 0) == 1 else { return false }
    case "Gather":
      guard node.input(0) == value, node.integer("axis", otherwise: 0) == (isChannelsLast ? 3 : 1),
        let name = node.input(1), try graph.integers(name) == [2, 1, 0]
      else { return false }
      isReversed.toggle()
      (factors, summands) = (factors.reversed(), summands.reversed())
    case "Add", "Sub", "Mul", "Div":
      guard node.inputs.count == 2, let other = node.inputs.first(where: { $0 != value }),
        let constant = try graph.constant(other), constant.steps.isEmpty, constant.scales == nil,
        constant.tensor.count <= Self.mostChannels,
        node.inputs[0] == value || node.type == "Add" || node.type == "Mul"
      else { return false }
      let numbers = try graph.values(of: constant.tensor).map(Double.init)
      // A list has the channels in its only long axis.
      let longAxis = constant.shape.firstIndex { $0 > 1 }.map { $0 - constant.shape.count }
      guard longAxis == nil || longAxis == (isChannelsLast ? -1 : -3), !numbers.isEmpty else { return false }
      guard apply(node.type, numbers) else { return false }
    default: return false
    }
    names.append(node.name)
    return true
  }

  /// Does the same to factors and summands; false where they are of other numbers of channels.
  private mutating func apply(_ type: String, _ numbers: [Double]) -> Bool {
    func combine(_ left: [Double], _ operation: (Double, Double) -> Double) -> [Double] {
      let count = max(left.count, numbers.count)
      return (0..<count).map {
        operation(left[left.count == 1 ? 0 : $0], numbers[numbers.count == 1 ? 0 : $0])
      }
    }
    guard Set([numbers.count, factors.count, summands.count].filter { $0 != 1 }).count < 2 else {
      return false
    }
    switch type {
    case "Add": summands = combine(summands, +)
    case "Sub": summands = combine(summands, -)
    case "Mul": (factors, summands) = (combine(factors, *), combine(summands, *))
    default: (factors, summands) = (combine(factors, /), combine(summands, /))
    }
    return true
  }
}
