internal import VGGModel

extension Zoo {
  /// The weights that `keras.applications` downloads: the `tf` files, and the `th` files of Keras 1.
  static let kerasApplications: [PublishedFile] =
    [
      kerasApplication(.d, top: true, 553_467_096, "64373286793e3c8b2b4e3219cbf3544b"),
      kerasApplication(.d, top: false, 58_889_256, "6d6bbae143d832006294945121d1f1fc"),
      kerasApplication(.e, top: true, 574_710_816, "cbe5617147190e668d6c5d5026f83318"),
      kerasApplication(.e, top: false, 80_134_624, "253f8cb515780f3b799900260a226db6"),
    ] + [(.d, true), (.d, false), (.e, true), (.e, false)].map { kerasTheano($0, top: $1) }

  private static func kerasApplication(
    _ architecture: Architecture, top: Bool, _ byteCount: Int, _ md5: String
  ) -> PublishedFile {
    let network = "vgg\(architecture.weightLayerCount)"
    let name = "\(network)_weights_tf_dim_ordering_tf_kernels\(top ? "" : "_notop").h5"
    return PublishedFile(
      name, by: "Keras Applications", format: .keras, generation: "keras-1-weights", byteCount: byteCount,
      digests: [FileDigest(.md5, md5)], architecture: architecture, classCount: top ? 1000 : nil,
      preprocessing: .oxford, licence: attribution,
      addresses: [
        "https://storage.googleapis.com/tensorflow/keras-applications/\(network)/\(name)",
        "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/\(name)",
      ])
  }

  /// Kernels in Theano's order and rotated; neither lengths nor digests are known.
  private static func kerasTheano(_ architecture: Architecture, top: Bool) -> PublishedFile {
    let name =
      "vgg\(architecture.weightLayerCount)_weights_th_dim_ordering_th_kernels\(top ? "" : "_notop").h5"
    return PublishedFile(
      name, by: "Keras Applications", format: .keras, generation: "keras-1-weights",
      architecture: architecture, classCount: top ? 1000 : nil, preprocessing: .oxford, licence: attribution,
      addresses: ["https://github.com/fchollet/deep-learning-models/releases/download/v0.1/\(name)"])
  }

  /// The file of 2015 that many old projects link to.
  static let kerasGist = PublishedFile(
    "vgg16_weights.h5", by: "Lorenzo Baraldi", format: .keras, generation: "keras-0-weights",
    architecture: .d, classCount: 1000, preprocessing: .oxford,
    addresses: ["https://gist.github.com/baraldilorenzo/07d7802847aaad0a35d3"])
}
