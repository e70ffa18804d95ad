/// One of the six networks of Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
/// Recognition" (2014, arXiv 1409.1556), table 1.
public enum Architecture: String, CaseIterable, Sendable {
  /// 11 weight layers.
  case a = "A"
  /// 11 weight layers and one local response normalisation.
  case aLRN = "A-LRN"
  /// 13 weight layers.
  case b = "B"
  /// 16 weight layers, three of them 1 x 1 convolutions.
  case c = "C"
  /// 16 weight layers: VGG-16.
  case d = "D"
  /// 19 weight layers: VGG-19.
  case e = "E"

  /// The sides of the square kernels, block by block; a pooling layer ends each of the five blocks.
  public var kernelSides: [[Int]] {
    switch self {
    case .a, .aLRN: [[3], [3], [3, 3], [3, 3], [3, 3]]
    case .b: [[3, 3], [3, 3], [3, 3], [3, 3], [3, 3]]
    case .c: [[3, 3], [3, 3], [3, 3, 1], [3, 3, 1], [3, 3, 1]]
    case .d: [[3, 3], [3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]]
    case .e: [[3, 3], [3, 3], [3, 3, 3, 3], [3, 3, 3, 3], [3, 3, 3, 3]]
    }
  }

  /// The number of convolutions.
  public var convolutionCount: Int { kernelSides.reduce(0) { $0 + $1.count } }

  /// The output channels of each block in the paper.
  public static let paperWidths = [64, 128, 256, 512, 512]

  /// The outputs of fc6, fc7 and fc8 in the paper.
  public static let paperDenseWidths = [4096, 4096, 1000]

  /// The canonical names of the convolutions, `conv1_1` first.
  public var convolutionNames: [String] {
    kernelSides.enumerated().flatMap { block, sides in sides.indices.map { "conv\(block + 1)_\($0 + 1)" } }
  }

  /// The number of weight layers of the whole network, as in "VGG-16".
  public var weightLayerCount: Int { convolutionCount + 3 }
}
