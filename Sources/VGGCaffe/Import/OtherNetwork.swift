internal import VGGModel

extension CaffeNet {
  /// Types of layers that only certain networks have, most of them built on a VGG.
  private static let tellingTypes = [
    "ROIPooling": "a detector (Fast R-CNN)", "PSROIPooling": "a detector (R-FCN)",
    "PriorBox": "a detector (SSD)", "DetectionOutput": "a detector (SSD)", "Region": "a detector (YOLO)",
    "Deconvolution": "a network for segmentation (FCN)", "DECONVOLUTION": "a network for segmentation (FCN)",
    "Crop": "a network for segmentation (FCN)", "Interp": "a network for segmentation (DeepLab)",
    "LSTM": "a recurrent network", "Recurrent": "a recurrent network",
  ]

  /// Which known network that is no VGG has kernels of the shapes that the layers declare, or layers of such types.
  func knownNetwork(in file: CaffeFile) -> KnownNetwork? {
    var kernels: [KnownNetwork.Kernel] = []
    var hasDense = false
    let used = layers.filter(\.isUsedForTesting)
    for layer in used {
      let reader = BlobReader(layer, of: file, snapshot: snapshot, scratchFolder: "")
      guard let shape = try? reader.declaredShape() else { continue }
      if case .innerProduct = layer.operation {
        hasDense = true
      } else if shape.count == 4 {
        kernels.append(
          KnownNetwork.Kernel(outputs: shape[0], inputs: shape[1], height: shape[2], width: shape[3]))
      } else if shape.count == 2 {
        hasDense = true
      }
    }
    if let known = KnownNetwork(kernels: kernels, hasDense: hasDense) { return known }
    return used.lazy.compactMap { layer in
      CaffeNet.tellingTypes[layer.type].map {
        KnownNetwork(name: $0, evidence: "layer \(layer.name) of type \(layer.type)")
      }
    }.first
  }
}
