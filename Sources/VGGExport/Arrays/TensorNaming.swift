internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Whose names tensors are written under, and in whose layouts.
public enum TensorNaming: String, CaseIterable, Sendable {
  /// `conv1_1/weight`: the native names and layouts, and the only ones under which codes stay codes.
  case canonical
  /// `features.0.weight`, `classifier.6.bias`: the state dict of torchvision's `vgg*`.
  case torchvision
  /// `features.0.weight`, `pre_logits.fc1.weight`, `head.fc.bias`: that of timm, whose dense layers are convolutions.
  case timm
  /// `block1_conv1/kernel`, `predictions/bias`: Keras applications.
  case keras
  /// `conv1_1/0`, `fc8/1`: the layer and the number of its blob, as in Caffe's HDF5 snapshots.
  case caffe
}

/// What a layer's tensors are called.
struct TensorNames {
  var weight: String
  var bias: String
}

extension TensorNaming {
  /// The order of axes that goes with the names.
  var layout: WeightLayout {
    switch self {
    case .canonical, .keras: .outputsLast
    case .torchvision, .timm, .caffe: .channelsFirst
    }
  }

  /// Whether programs that know the names are PyTorch's.
  var isOfTorch: Bool { self == .torchvision || self == .timm }

  /// What the tensors of each layer with weights are called.
  ///
  /// - Returns: The names by the index of the layer.
  /// - Throws: `unsupported` where the program whose names they are has no such network.
  func names(in network: Network) throws(FileError) -> [Int: TensorNames] {
    if isOfTorch { try requireTorchNetwork(network) }
    let denseCount = network.layers.count(where: \.isDense)
    var names: [Int: TensorNames] = [:]
    // The lists of PyTorch count ReLUs and poolings, and that of the head dropouts too.
    var (place, dense) = (0, 0)
    for (index, layer) in network.layers.enumerated() {
      switch layer.operation {
      case .convolution:
        names[index] = self.names(layer.name, of: "features.\(place)")
        place += 2
      case .pooling: place += 1
      case .dense:
        let timm = ["pre_logits.fc1", "pre_logits.fc2", "head.fc"]
        names[index] = self.names(
          layer.name, of: self == .timm ? timm[min(dense, 2)] : "classifier.\(3 * dense)")
        dense += 1
      case .normalization, .softmax, .sigmoid: break
      }
    }
    if self == .timm, ![0, 3].contains(denseCount), !(denseCount == 2 && network.head?.activation == .relu) {
      throw refusal(
        "a head of \(denseCount) dense \(denseCount == 1 ? "layer" : "layers")",
        allowed: "three, or the first two as features, or none")
    }
    return names
  }

  /// What a file of tensors under these names does not say.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - dequantizes: Whether codes are written as values under canonical names too.
  func losses(of model: Model, dequantizes: Bool) -> [ExportLoss] {
    var losses: [ExportLoss] = []
    let hasCodes = model.tensors.contains {
      if case .real = $0.elementType { false } else { true }
    }
    if hasCodes, dequantizes || self != .canonical { losses.append(.dequantized) }
    if model.tensors.contains(where: { $0.storage == .sparse }) { losses.append(.densified) }
    guard self != .canonical else { return losses }
    let unusual = model.network.layers.filter { layer in
      switch layer.operation {
      case .pooling(let pooling): pooling != Pooling(rounding: self == .caffe ? .ceiling : .floor)
      case .normalization: self != .caffe
      case .convolution, .dense, .softmax, .sigmoid: false
      }
    }
    if !unusual.isEmpty {
      losses.append(
        .other(
          "has no tensors of \(unusual.map(\.name).joined(separator: ", ")), which \(rawValue)'s own networks "
            + "do not have like this: build the network with \(unusual.count == 1 ? "it" : "them")"))
    }
    return losses
  }

  private func names(_ layer: String, of module: String) -> TensorNames {
    switch self {
    case .canonical: return TensorNames(weight: "\(layer)/weight", bias: "\(layer)/bias")
    case .torchvision, .timm: return TensorNames(weight: "\(module).weight", bias: "\(module).bias")
    case .caffe: return TensorNames(weight: "\(layer)/0", bias: "\(layer)/1")
    case .keras:
      let dense = ["fc6": "fc1", "fc7": "fc2", "fc8": "predictions"]
      let name = dense[layer] ?? "block" + layer.dropFirst(4).replacing("_", with: "_conv")
      return TensorNames(weight: "\(name)/kernel", bias: "\(name)/bias")
    }
  }

  /// Both count layers that have no weights: what they do not have would shift the names behind it.
  private func requireTorchNetwork(_ network: Network) throws(FileError) {
    for (index, layer) in network.layers.enumerated() {
      switch layer.operation {
      case .normalization: throw refusal("the local response normalisation \(layer.name)")
      case .dense(let dense)
      where dense.activation == .none && network.layers[(index + 1)...].contains(where: \.isDense):
        throw refusal("no ReLU behind \(layer.name)")
      default: break
      }
    }
  }

  private func refusal(_ what: String, allowed: String? = nil) -> FileError {
    FileError(
      .unsupported, code: "export.names", file: "--names \(rawValue)",
      "has no names for a network with \(what)",
      allowed: allowed, advice: "--names canonical or caffe")
  }
}
