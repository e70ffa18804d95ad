internal import VGGModel

extension Zoo {
  /// The models of the Visual Geometry Group itself.
  static let oxford: [PublishedFile] = [
    ilsvrc(
      .d, 553_432_081,
      [
        FileDigest(.sha1, "9363e1f6d65f7dba68c4f27a1e62105cdf6c4e24"),
        FileDigest(.sha256, "a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197"),
      ], gist: "211839e770f7b538e2d8"),
    ilsvrc(
      .e, 574_671_192,
      [
        FileDigest(.md5, "b5c644beabd7cf06bdd9065cfd674c97"),
        FileDigest(.sha1, "239785e7862442717d831f682bb824055e51e9ba"),
      ], gist: "3785162f95cd2d5fee77"),
    PublishedFile(
      "vgg_face_caffe.tar.gz", by: "Oxford VGG", format: .archive,
      digests: [FileDigest(.md5, "ee707ac6e890bc148cb155adeaad12be")], architecture: .d, classCount: 2622,
      preprocessing: .face, addresses: []),
    PublishedFile(
      "VGG_FACE.caffemodel", by: "Oxford VGG", format: .caffe, architecture: .d, classCount: 2622,
      preprocessing: .face, addresses: []),
  ]

  /// The generation is what the lengths fit: `layers` with four axes for every blob.
  private static func ilsvrc(
    _ architecture: Architecture, _ byteCount: Int, _ digests: [FileDigest], gist: String
  ) -> PublishedFile {
    let name = "VGG_ILSVRC_\(architecture.weightLayerCount)_layers.caffemodel"
    return PublishedFile(
      name, by: "Oxford VGG", format: .caffe, generation: "caffe-v1", byteCount: byteCount, digests: digests,
      architecture: architecture, classCount: 1000, preprocessing: .oxford, licence: attribution,
      addresses: [
        "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/\(name)",
        "https://gist.github.com/ksimonyan/\(gist)",
      ])
  }
}
