internal import VGGModel
internal import VGGTensors

extension Model {
  /// What is lost where all weights are written as float32.
  var lossesAsFloat32: [ExportLoss] {
    var losses: [ExportLoss] = []
    if tensors.contains(where: { if case .real = $0.content { false } else { true } }) {
      losses.append(.dequantized)
    }
    for type in [RealType.float16, .bfloat16]
    where tensors.contains(where: { $0.elementType == .real(type) }) {
      losses.append(.widened(type))
    }
    if tensors.contains(where: { $0.storage == .sparse }) { losses.append(.densified) }
    return losses
  }
}
