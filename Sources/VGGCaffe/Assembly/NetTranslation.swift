internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Puts the layers of a net into the terms of the grammar, those that no answer depends on left out.
///
/// The order is that of the file; the blobs' names (bottom, top) are followed only to see that it is a chain.
struct NetTranslation {
  /// What becomes of a layer of the net.
  enum Step {
    /// It is the element of this index.
    case element(Int)
    /// It is left out.
    case drop(CaffeLayer, reason: String)
  }

  /// The layers of the chain, and losses that read what one of them gives.
  private(set) var elements: [(layer: CaffeLayer, neutral: NeutralLayer)] = []
  /// All layers of the net, in order.
  private(set) var steps: [Step] = []
  /// Layers that were left out because no answer depends on them.
  private(set) var trainingLayers: [String] = []
  /// What is done to pictures in front of the first convolution.
  private(set) var inputScaling: InputScaling?

  private let net: CaffeNet
  let file: CaffeFile
  /// The names of the last layer's output; empty: not known.
  private var currentBlobs: Set<String>

  init(_ net: CaffeNet, file: CaffeFile) {
    self.net = net
    self.file = file
    currentBlobs = Set(net.inputNames)
    for layer in net.layers { add(layer) }
  }

  private mutating func add(_ layer: CaffeLayer) {
    if case .training(let activation?) = layer.operation, layer.bottoms.contains(where: currentBlobs.contains)
    {
      elements.append((layer, NeutralLayer(name: layer.name, operation: .loss(activation))))
    }
    guard layer.isUsedForTesting, !layer.operation.isTraining else {
      trainingLayers.append(layer.name)
      steps.append(.drop(layer, reason: "the layer is there only for training"))
      return
    }
    switch layer.operation {
    case .input, .data:
      currentBlobs.formUnion(layer.tops)
      steps.append(.drop(layer, reason: "an input has no weights"))
    case .split:
      if layer.bottoms.contains(where: currentBlobs.contains) { currentBlobs.formUnion(layer.tops) }
      steps.append(.drop(layer, reason: "a Split has no weights"))
    default:
      var operation: NeutralLayer.Operation
      do throws(FileError) {
        try requireConnection(layer)
        operation = try self.operation(of: layer)
      } catch {
        operation = .refused(error)
      }
      steps.append(.element(elements.count))
      elements.append((layer, NeutralLayer(name: layer.name, operation: operation)))
      currentBlobs = Set(layer.tops)
    }
  }

  private mutating func operation(of layer: CaffeLayer) throws(FileError) -> NeutralLayer.Operation {
    switch layer.operation {
    case .convolution(let settings): return .convolution(try window(settings, of: layer))
    case .innerProduct: return .dense
    case .batchNormalization: return .batchNormalization
    case .scale: return .scale
    case .power(let settings):
      inputScaling = inputScaling ?? InputScaling()
      inputScaling?.append(layer.name, settings)
      return .inputTransformation
    case .relu: return .activation(.relu)
    case .softmax(let axis):
      guard axis == 1 || isVector else {
        throw deviation(layer, seen: "a softmax over the columns, axis \(axis)", allowed: "axis 1")
      }
      return .activation(.softmax)
    case .sigmoid: return .activation(.sigmoid)
    case .pooling(let pooling): return .pooling(pooling)
    case .normalization: return .localResponseNormalization
    case .flatten: return .flatten
    case .dropout: return .identity  // nothing happens in a test: Caffe scales while it trains
    case .refused(let error): return .refused(error)
    case .input, .data, .training, .split, .padding, .undescribed:
      preconditionFailure("these are not part of the chain")
    }
  }

  /// Whether the last layer gives a vector, whose last axis is its only one besides that of the pictures.
  private var isVector: Bool {
    for (_, neutral) in elements.reversed() {
      switch neutral.operation {
      case .dense, .flatten: return true
      case .convolution, .pooling: return false
      default: continue
      }
    }
    return false
  }

  /// The window of a convolution, of which without settings only the kernel's own shape tells something.
  private func window(
    _ settings: ConvolutionSettings?, of layer: CaffeLayer
  ) throws(FileError) -> NeutralLayer.Window {
    guard let settings else {
      let shape = try BlobReader(layer, of: file, snapshot: net.snapshot, scratchFolder: "").declaredShape()
      let kernel = shape.flatMap { $0.count == 4 ? Extent(height: $0[2], width: $0[3]) : nil }
      return NeutralLayer.Window(kernel: kernel)
    }
    var window = NeutralLayer.Window(kernel: settings.kernel, padding: settings.padding)
    (window.stride, window.dilation) = (settings.stride, settings.dilation)
    window.groups = settings.groups
    return window
  }

  /// Each layer reads what the one before it wrote, where the file says what it reads.
  private func requireConnection(_ layer: CaffeLayer) throws(FileError) {
    if net.hasStructure, !currentBlobs.isEmpty, !layer.bottoms.isEmpty,
      layer.bottoms.count > 1 || !currentBlobs.contains(layer.bottoms[0])
    {
      throw deviation(
        layer, seen: "input \(layer.bottoms.joined(separator: ", "))",
        allowed: "\(currentBlobs.sorted().joined(separator: " or ")), which the layer before it gives")
    }
  }
}
