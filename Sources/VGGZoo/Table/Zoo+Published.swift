internal import VGGModel

extension Zoo {
  /// The published VGG files that are known.
  public static let published = Zoo(
    kerasApplications + [kerasGist] + oxford + torchvision + onnxModelZoo + matConvNet)
}

extension Preprocessing {
  /// The rule of the released Caffe models and of everything that was copied from them number by number.
  static let oxford = Preprocessing.released(for: nil)

  /// VGG-Face: the mean colour of its own pictures.
  static let face = Preprocessing(
    channelOrder: .bgr, mean: [93.5940, 104.7624, 129.1863], resize: oxford.resize)

  /// torchvision and Gluon: pixels of 0 to 1, less a mean, divided by a deviation. Here for pixels of 0 to 255.
  static let torchvision = Preprocessing(
    channelOrder: .rgb, mean: [0.485, 0.456, 0.406].map { $0 * 255 },
    scale: [0.229, 0.224, 0.225].map { 1 / (255 * $0) }, resize: .shorterSide(256))
}

/// What Oxford says of its models, and those who converted them say of theirs.
let attribution = "Creative Commons Attribution"
