/// What a tensor's name says: the layer, where it stands, and what the tensor does in it.
struct TensorName: Equatable {
  /// What a tensor does in its layer.
  enum Role: String {
    case weight
    case bias
    case mean = "running_mean"
    case variance = "running_var"
    /// How often a batch normalisation was trained.
    case count = "num_batches_tracked"
  }

  /// Where a layer stands among the others.
  struct Place: Hashable, Comparable {
    var isDense: Bool
    /// The block of a convolution, where the name tells.
    var block = 0
    /// The number in its block or list.
    var number: Int

    static func < (left: Place, right: Place) -> Bool {
      (left.isDense ? 1 : 0, left.block, left.number) < (right.isDense ? 1 : 0, right.block, right.number)
    }
  }

  /// Whose names they are.
  enum Family: String {
    /// `features.0`, `classifier.0`: positions in a list that has all layers.
    case torchvision
    /// `features.0`, `pre_logits.fc1`, `head.fc`.
    case timm
    /// `conv1_1`, `fc6`: those of the paper and of Caffe, and the native ones.
    case caffe
    /// `block1_conv1`, `fc1`, `predictions`.
    case keras
  }

  var layer: String
  var role: Role
  var place: Place
  /// nil for `features.N`, which two families have.
  var family: Family?
  /// Whether the name is of the form `layer/weight`, which PyTorch does not use.
  var hasSlash: Bool

  /// Takes a name apart; nil where it is no layer's of a VGG.
  init?(_ name: String) {
    guard let end = name.lastIndex(where: { $0 == "." || $0 == "/" }) else { return nil }
    layer = String(name[..<end])
    hasSlash = name[end] == "/"
    let last = String(name[name.index(after: end)...])
    let blobs: [String: Role] = ["kernel": .weight, "0": .weight, "1": .bias]
    guard let role = Role(rawValue: last) ?? (hasSlash || last == "kernel" ? blobs[last] : nil),
      let (place, family) = TensorName.place(layer)
    else { return nil }
    (self.role, self.place, self.family) = (role, place, family)
  }

  private static func place(_ layer: String) -> (Place, Family?)? {
    switch layer {
    case "pre_logits.fc1": return (Place(isDense: true, number: 0), .timm)
    case "pre_logits.fc2": return (Place(isDense: true, number: 1), .timm)
    case "head.fc": return (Place(isDense: true, number: 2), .timm)
    case "fc6", "fc7", "fc8": return (Place(isDense: true, number: number(layer.dropFirst(2)) ?? 0), .caffe)
    case "fc1", "fc2": return (Place(isDense: true, number: number(layer.dropFirst(2)) ?? 0), .keras)
    case "predictions": return (Place(isDense: true, number: 3), .keras)
    // A head of one layer that is no list.
    case "classifier": return (Place(isDense: true, number: 0), .torchvision)
    default: break
    }
    if layer.hasPrefix("features."), let number = number(layer.dropFirst(9)) {
      return (Place(isDense: false, number: number), nil)
    }
    if layer.hasPrefix("classifier."), let number = number(layer.dropFirst(11)) {
      return (Place(isDense: true, number: number), .torchvision)
    }
    for (prefix, separator, family) in [("conv", "_", Family.caffe), ("block", "_conv", .keras)]
    where layer.hasPrefix(prefix) {
      let parts = layer.dropFirst(prefix.count).split(separator: separator, omittingEmptySubsequences: false)
      guard parts.count == 2, let block = number(parts[0]), let number = number(parts[1]) else { continue }
      return (Place(isDense: false, block: block, number: number), family)
    }
    return nil
  }

  /// A number of a few digits as programs write it.
  private static func number(_ text: Substring) -> Int? {
    guard (1...4).contains(text.count), let number = Int(text), "\(number)" == text else { return nil }
    return number
  }

  /// Names without what programs put in front of all of them, such as `module.` of DataParallel.
  static func withoutPrefix(_ names: [String]) -> [String] {
    var names = names
    // Models that wrap each other more often are not met.
    for _ in 0..<4 {
      guard let first = names.first?.prefix(while: { $0 != "." }), wrappers.contains(String(first)),
        names.allSatisfy({ $0.hasPrefix("\(first).") })
      else { break }
      names = names.map { String($0.dropFirst(first.count + 1)) }
    }
    return names
  }

  /// What models are called that wrap another one.
  private static let wrappers: Set<String> = ["module", "_orig_mod", "model", "net", "backbone", "vgg"]
}
