public import VGGBytes
internal import VGGModel

/// A network that is not a VGG, known by the shapes of its convolutions in their order.
///
/// For errors: who gives the wrong file is told which one it is.
public struct ForeignNetwork: Equatable, Sendable {
  /// What people call it, such as `AlexNet (CaffeNet)`.
  public var name: String
  /// What it was known by, such as `a first kernel of 96x3x11x11 and 5 convolutions`.
  public var evidence: String

  /// The shape of a kernel.
  public struct Kernel: Equatable, Sendable {
    /// The channels that the layer gives.
    public var outputs: Int
    /// The channels that one output reads: those of a group where there are several.
    public var inputs: Int
    /// Rows of the kernel.
    public var height: Int
    /// Columns of the kernel.
    public var width: Int

    /// Creates a shape.
    public init(outputs: Int, inputs: Int, height: Int, width: Int) {
      (self.outputs, self.inputs, self.height, self.width) = (outputs, inputs, height, width)
    }

    fileprivate var text: String { "\(outputs)x\(inputs)x\(height)x\(width)" }

    fileprivate func has(side: Int, outputs: Int? = nil) -> Bool {
      height == side && width == side && (outputs == nil || outputs == self.outputs)
    }
  }

  /// Names a network that was known by something else.
  public init(name: String, evidence: String) { (self.name, self.evidence) = (name, evidence) }

  /// Looks for a network with these convolutions; nil where none is known.
  ///
  /// - Parameters:
  ///   - kernels: The kernels in the order of the file.
  ///   - hasDense: Whether dense layers follow.
  public init?(kernels: [Kernel], hasDense: Bool) {
    guard let first = kernels.first,
      let known = ForeignNetwork.table.first(where: { $0.fits(kernels, hasDense) })
    else { return nil }
    name = known.name
    evidence = "a first kernel of \(first.text)"
    if kernels.count > 1 { evidence += ", a second of \(kernels[1].text)" }
    evidence += ", \(kernels.count) convolutions"
  }

  private struct Entry {
    var name: String
    var fits: @Sendable (_ kernels: [Kernel], _ hasDense: Bool) -> Bool
  }

  /// The first one that fits counts, so the special ones stand before the general ones.
  private static let table: [Entry] = [
    Entry(name: "the reduced VGG of SSD and DeepLab, whose fc6 is a dilated convolution") {
      kernels, hasDense in
      guard !hasDense, kernels.count >= 10, let end = kernels.firstIndex(where: { $0.has(side: 1) }), end >= 8
      else { return false }
      return kernels[..<end].allSatisfy { $0.has(side: 3) }
        && kernels[end - 1].outputs > kernels[end - 2].outputs
        && kernels[end].inputs == kernels[end - 1].outputs && kernels[end].outputs == kernels[end].inputs
    },
    Entry(name: "LeNet") { kernels, _ in
      kernels.count == 2 && kernels.allSatisfy { $0.has(side: 5) } && kernels[0].inputs == 1
    },
    Entry(name: "Caffe's CIFAR-10 example") { kernels, _ in
      kernels.count == 3 && kernels.allSatisfy { $0.has(side: 5) } && kernels[0].has(side: 5, outputs: 32)
    },
    Entry(name: "Network in Network") { kernels, _ in
      kernels.count >= 9 && [5, 11].contains(kernels[0].height) && kernels[1].has(side: 1)
        && kernels[2].has(side: 1)
        && kernels[1].outputs == kernels[0].outputs
    },
    Entry(name: "VGG-CNN-F") { kernels, _ in
      kernels.count == 5 && kernels[0].has(side: 11, outputs: 64) && kernels[1].has(side: 5, outputs: 256)
    },
    Entry(name: "AlexNet (CaffeNet)") { kernels, _ in kernels.count == 5 && kernels[0].has(side: 11) },
    Entry(name: "VGG-CNN-M or VGG-CNN-S") { kernels, _ in
      kernels.count == 5 && kernels[0].has(side: 7) && kernels[1].has(side: 5) && kernels[2].outputs == 512
    },
    Entry(name: "ZFNet") { kernels, _ in
      kernels.count == 5 && kernels[0].has(side: 7) && kernels[1].has(side: 5)
    },
    Entry(name: "SqueezeNet") { kernels, _ in
      kernels.count == 26 && kernels[1].has(side: 1, outputs: 16) && kernels[2].has(side: 1, outputs: 64)
        && kernels[3].has(side: 3, outputs: 64)
    },
    Entry(name: "MobileNet") { kernels, _ in
      kernels.count > 10 && kernels[0].has(side: 3)
        && kernels.filter { $0.inputs == 1 && $0.height > 1 }.count >= 10
    },
    Entry(name: "GoogLeNet (Inception)") { kernels, _ in
      kernels.count >= 50 && kernels.contains { $0.has(side: 5) || $0.height != $0.width }
    },
    Entry(name: "DenseNet") { kernels, _ in
      let threes = kernels.dropFirst().filter { $0.has(side: 3) }
      return kernels.count >= 100 && kernels[0].has(side: 7) && Set(threes.map(\.outputs)).count == 1
    },
    Entry(name: "ResNet-18") { kernels, _ in isResidual(kernels, 20) },
    Entry(name: "ResNet-34") { kernels, _ in isResidual(kernels, 36) },
    Entry(name: "ResNet-50") { kernels, _ in isResidual(kernels, 53) },
    Entry(name: "ResNet-101") { kernels, _ in isResidual(kernels, 104) },
    Entry(name: "ResNet-152") { kernels, _ in isResidual(kernels, 155) },
    Entry(name: "a residual network (ResNet)") { kernels, _ in
      kernels.count > 16 && isResidual(kernels, kernels.count)
    },
  ]

  /// A first kernel of 7x7, and none but 3x3 and 1x1 behind it.
  @Sendable private static func isResidual(_ kernels: [Kernel], _ count: Int) -> Bool {
    kernels.count == count && kernels[0].has(side: 7)
      && kernels.dropFirst().allSatisfy { $0.has(side: 3) || $0.has(side: 1) }
  }
}

extension FileError {
  /// The same error where nothing else is known; otherwise that the file is another network, and which.
  public func naming(_ known: ForeignNetwork?) -> FileError {
    guard let known else { return self }
    var error = self
    error.kind = .unsupported
    error.code = "model.known"
    error.problem = "is not a VGG; it looks like \(known.name)"
    error.seen = known.evidence
    error.allowed = "the networks \(Architecture.allCases.map(\.rawValue).joined(separator: ", "))"
    error.advice = nil
    return error
  }
}
