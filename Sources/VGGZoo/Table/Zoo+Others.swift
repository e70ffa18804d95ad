internal import VGGModel

// Files of other frameworks. No importer reads them; who has one is told what it is.

extension Zoo {
  /// torchvision: the name has the first digits of the SHA-256 in it.
  static let torchvision: [PublishedFile] = [
    torchvision("vgg11-8a719046", .a), torchvision("vgg11-bbd30ac9", .a, 531_456_000),
    torchvision("vgg13-19584684", .b), torchvision("vgg13-c768596a", .b, 532_194_478),
    torchvision(
      "vgg16-397923af", .d, 553_433_881, "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"),
    torchvision(
      "vgg19-dcbb9e9d", .e, 574_673_361, "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"),
    torchvision("vgg11_bn-6002323d", .a), torchvision("vgg13_bn-abd245e5", .b),
    torchvision("vgg16_bn-6c64b313", .d, 553_507_836), torchvision("vgg19_bn-c79401a0", .e, 574_769_405),
  ]

  private static func torchvision(
    _ stem: String, _ architecture: Architecture, _ byteCount: Int? = nil, _ sha256: String? = nil
  ) -> PublishedFile {
    PublishedFile(
      "\(stem).pth", by: "torchvision", format: .pytorch, byteCount: byteCount,
      digests: [FileDigest(.sha256, sha256 ?? String(stem.suffix(8)))], architecture: architecture,
      hasBatchNormalization: stem.contains("_bn"), classCount: 1000, preprocessing: .torchvision,
      addresses: ["https://download.pytorch.org/models/\(stem).pth"])
  }

  /// The ONNX model zoo: exports of Gluon's networks, and of Oxford's by way of Caffe2.
  static let onnxModelZoo: [PublishedFile] = [
    onnx("vgg16-7", .d, 553_437_328, "f20805a3ecccaa88647bbab4ad011ff2412a9838485ea844de0fcbce349820b9"),
    onnx("vgg16-bn-7", .d, 553_512_191, "4fdceabf1ef715c9ed3020fa2eac1cb2a448296c086b03633c80cf47e1c5afce"),
    onnx("vgg16-12", .d, 553_437_752, "722c42f53ca03a5480296bf8f9c85a151de3eed9ec982d7d2302ff6e2900c67b"),
    onnx(
      "vgg16-12-int8", .d, 138_407_238, "0d0a8e1d69f70404421e37dbad4f8bd21d42758e9f426bd5b39e9e4e9e1afa23"),
    onnx("vgg16-12-qdq", .d, 138_424_439, "74ae0fa7e9e5b16782581bf17b5582080d1c06b69ed59410c7b1f190d9328bb1"),
    onnx("vgg19-7", .e, 574_677_321, "692f9f927f1df1b89033787a77a73eac59fd9b3344f9ecdf0b13221e41c2046f"),
    onnx("vgg19-bn-7", .e, 574_774_380, "ce0987dfa6228ad29708013f38b7f73cbc14ca6066a05fc22ee49b35871c63ed"),
    onnx("vgg19-caffe2-3", .e, 574_674_684, "2a7d1645"), onnx("vgg19-caffe2-6", .e, 574_674_798, "088ee597"),
    onnx("vgg19-caffe2-7", .e, 574_674_712, "967f4f58"), onnx("vgg19-caffe2-8", .e, 574_674_712, "639ce289"),
    onnx("vgg19-caffe2-9", .e, 574_674_712, "cfb97260"),
  ]

  private static func onnx(
    _ stem: String, _ architecture: Architecture, _ byteCount: Int, _ sha256: String
  ) -> PublishedFile {
    PublishedFile(
      "\(stem).onnx", by: "ONNX model zoo", format: .onnx, byteCount: byteCount,
      digests: [FileDigest(.sha256, sha256)], architecture: architecture,
      hasBatchNormalization: stem.contains("-bn-"), classCount: 1000,
      preprocessing: stem.contains("caffe2") ? .oxford : .torchvision,
      addresses: ["https://github.com/onnx/models/tree/b1eeaa1/validated/vision/classification/vgg/model"])
  }

  /// MatConvNet, compressed; which channel order its networks expect is not known for certain.
  static let matConvNet: [PublishedFile] = [
    matConvNet("imagenet-vgg-verydeep-16", .d, "f72d927587ca4c97fbd165ec9cb9997f"),
    matConvNet("imagenet-vgg-verydeep-19", .e, "106118b7cf60435e6d8e04f6a6dc3657", byteCount: 534_904_783),
    matConvNet("imagenet-matconvnet-vgg-verydeep-16", .d, "89a117515f66c3d7b0eb9d0516c65141"),
    matConvNet("vgg-face", .d, "3d6cd504bf9c98af4a561aad059565d1", classCount: 2622),
  ]

  private static func matConvNet(
    _ stem: String, _ architecture: Architecture, _ md5: String, byteCount: Int? = nil, classCount: Int = 1000
  ) -> PublishedFile {
    PublishedFile(
      "\(stem).mat", by: "MatConvNet", format: .matlab, byteCount: byteCount,
      digests: [FileDigest(.md5, md5)], architecture: architecture, classCount: classCount,
      addresses: ["https://www.vlfeat.org/matconvnet/models/\(stem).mat"])
  }
}
