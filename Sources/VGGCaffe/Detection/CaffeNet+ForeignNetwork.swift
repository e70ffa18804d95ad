internal import VGGSources

extension CaffeNet {
  /// Types of layers that only certain networks have, most of them built on a VGG.
  private static let tellingTypes = [
    "ROIPooling": "a detector (Fast R-CNN)", "PSROIPooling": "a detector (R-FCN)",
    "PriorBox": "a detector (SSD)", "DetectionOutput": "a detector (SSD)", "Region": "a detector (YOLO)",
    "Deconvolution": "a network for segmentation (FCN)", "DECONVOLUTION": "a network for segmentation (FCN)",
    "Crop": "a network for segmentation (FCN)", "Interp": "a network for segmentation (DeepLab)",
    "LSTM": "a recurrent network", "Recurrent": "a recurrent network",
    "CConvolution": "a network pruned by dynamic network surgery, whose masks are not applied",
    "CInnerProduct": "a network pruned by dynamic network surgery, whose masks are not applied",
    "ConvolutionRistretto": "a network quantised by Ristretto",
    "FcRistretto": "a network quantised by Ristretto",
    "PReLU": "a network with PReLUs, such as one for faces (SphereFace)",
    "BN": "a network with the BN layers of a fork, such as one for segmentation (SegNet)",
    "Upsample": "a network for segmentation (SegNet)", "Unpooling": "a network for segmentation (DeconvNet)",
  ]

  /// Parts of layer names that only certain networks built on a VGG have.
  private static let tellingNames = [
    ("dsn", "a network for edges (HED)"), ("_CPM", "a network for poses (OpenPose)"),
    ("Mconv", "a network for poses (OpenPose)"), ("CAM_", "a network for class activation maps (CAM)"),
    ("mbox", "a detector (SSD)"), ("rpn_", "a detector (Faster R-CNN)"),
  ]

  /// Which known network that is not a VGG has kernels of the shapes that the layers declare, or layers of such types.
  func foreignNetwork(in file: CaffeFile) -> ForeignNetwork? {
    var kernels: [ForeignNetwork.Kernel] = []
    var hasDense = false
    let used = layers.filter(\.isUsedForTesting)
    for layer in used {
      let reader = BlobReader(layer, of: file, snapshot: snapshot, scratchFolder: "")
      guard let shape = try? reader.declaredShape() else { continue }
      if case .innerProduct = layer.operation {
        hasDense = true
      } else if shape.count == 4 {
        kernels.append(
          ForeignNetwork.Kernel(outputs: shape[0], inputs: shape[1], height: shape[2], width: shape[3]))
      } else if shape.count == 2 {
        hasDense = true
      }
    }
    if let known = ForeignNetwork(kernels: kernels, hasDense: hasDense) { return known }
    for (part, name) in CaffeNet.tellingNames {
      if let layer = used.first(where: { $0.name.contains(part) }) {
        return ForeignNetwork(name: name, evidence: "a layer called \(layer.name)")
      }
    }
    if let known = used.lazy.compactMap({ layer in
      CaffeNet.tellingTypes[layer.type].map {
        ForeignNetwork(name: $0, evidence: "layer \(layer.name) of type \(layer.type)")
      }
    }).first {
      return known
    }
    return kernels.first { $0.height != $0.width }.map {
      ForeignNetwork(
        name: "a low-rank version of a VGG, whose kernels were split into rows and columns",
        evidence: "a kernel of \($0.height)x\($0.width)")
    }
  }
}
