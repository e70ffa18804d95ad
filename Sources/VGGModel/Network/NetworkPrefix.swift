/// The convolutions and poolings of one of the six networks up to some layer: all of them where that is pool5.
///
/// Many people use only the beginning of a VGG, such as that up to pool4 for style transfer or counting.
public struct NetworkPrefix: Equatable, Sendable {
  /// The network that it is the beginning of.
  public let architecture: Architecture
  /// The number of convolutions.
  public let convolutionCount: Int
  /// Whether the last layer is a pooling.
  public let endsInPooling: Bool

  /// Creates the beginning of a network.
  ///
  /// - Returns: nil where the network has not so many convolutions, or no pooling behind the last of them.
  public init?(_ architecture: Architecture, convolutionCount: Int, endsInPooling: Bool) {
    let ends = architecture.blockEnds
    guard (1...architecture.convolutionCount).contains(convolutionCount),
      !endsInPooling || ends.contains(convolutionCount)
    else { return nil }
    self.architecture = architecture
    self.convolutionCount = convolutionCount
    self.endsInPooling = endsInPooling
  }

  /// The whole of a network.
  public init(whole architecture: Architecture) {
    self.architecture = architecture
    convolutionCount = architecture.convolutionCount
    endsInPooling = true
  }

  /// Whether nothing is missing.
  public var isWhole: Bool { endsInPooling && convolutionCount == architecture.convolutionCount }

  /// The number of convolutions in front of each pooling.
  public var poolingPlaces: [Int] {
    architecture.blockEnds.filter { $0 < convolutionCount || ($0 == convolutionCount && endsInPooling) }
  }

  /// The number of convolutions of each block; that of the last one may be smaller than the network's.
  public var blockSizes: [Int] {
    var remaining = convolutionCount
    return architecture.kernelSides.map(\.count).compactMap { size in
      defer { remaining -= min(size, remaining) }
      return remaining > 0 ? min(size, remaining) : nil
    }
  }

  /// The canonical name of the last layer.
  public var lastLayerName: String {
    endsInPooling ? "pool\(blockSizes.count)" : architecture.convolutionNames[convolutionCount - 1]
  }

  /// `VGG-16 (D)`, or `VGG-16 (D) up to pool4`.
  public var title: String { architecture.title + (isWhole ? "" : " up to \(lastLayerName)") }

  /// The networks in the order in which they are preferred where several begin alike.
  static let preference: [Architecture] = [.d, .e, .b, .a, .c, .aLRN]

  /// All beginnings with these kernels, the preferred one first: a whole network, then one that ends in a pooling.
  ///
  /// - Parameters:
  ///   - sides: The sides of the kernels of all convolutions.
  ///   - hasNormalization: Whether there is a local response normalisation, which only A-LRN has.
  package static func candidates(kernelSides sides: [Int], hasNormalization: Bool) -> [NetworkPrefix] {
    let fitting = preference.filter {
      $0.kernelSides.joined().starts(with: sides) && ($0 == .aLRN) == hasNormalization
    }
    let prefixes = [true, false].flatMap { endsInPooling in
      fitting.compactMap {
        NetworkPrefix($0, convolutionCount: sides.count, endsInPooling: endsInPooling)
      }
    }
    return prefixes.filter(\.isWhole) + prefixes.filter { !$0.isWhole }
  }
}

extension Architecture {
  /// The number of convolutions up to the end of each block.
  var blockEnds: [Int] {
    var count = 0
    return kernelSides.map { sides in
      count += sides.count
      return count
    }
  }

  /// What people call it: `VGG-16 (D)`.
  public var title: String { "VGG-\(weightLayerCount) (\(rawValue))" }
}

extension Network {
  /// The name of the last layer of the features where they end before pool5, such as `pool4`; nil for all five blocks.
  public var cut: String? {
    let features = layers.filter {
      switch $0.operation {
      case .convolution, .pooling, .normalization: $0.name != "pool6"
      case .dense, .softmax, .sigmoid: false
      }
    }
    guard let last = features.last?.name, last != "pool5" else { return nil }
    return last
  }

  /// `VGG-16 (D)`, or `VGG-16 (D) up to pool4`.
  public var title: String { architecture.title + (cut.map { " up to \($0)" } ?? "") }
}
