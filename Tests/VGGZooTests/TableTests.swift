import Testing
import VGGBytes
import VGGModel
import VGGZoo

/// The table of published files: nothing in it contradicts itself.
@Suite struct TableTests {
  static let files = Zoo.published.files

  @Test func namesAreUnique() {
    #expect(Set(Self.files.map(\.name)).count == Self.files.count)
    #expect(Self.files.count > 30)
  }

  @Test(arguments: files)
  func digestsAreWholeOrEightDigits(_ file: PublishedFile) {
    #expect(Set(file.digests.map(\.algorithm)).count == file.digests.count)
    for digest in file.digests {
      #expect(digest.digits.allSatisfy { $0.isHexDigit && !$0.isUppercase })
      let isPrefix = digest.algorithm == .sha256 && digest.digits.count == 8
      #expect(digest.isWhole || isPrefix)
      // torchvision writes these digits into the name.
      if file.format == .pytorch { #expect(file.name.contains("-\(digest.digits.prefix(8)).")) }
    }
  }

  /// Float32 files are as long as their parameters and some text. Compressed and quantised ones are shorter.
  @Test(arguments: files)
  func lengthsFitTheParameters(_ file: PublishedFile) throws {
    guard let byteCount = file.byteCount else { return }
    let network = try Network(
      file.architecture, denseWidths: file.classCount.map { [4096, 4096, $0] } ?? [])
    let channels = network.layers.reduce(0) { sum, layer in
      if case .convolution(let convolution) = layer.operation {
        sum + convolution.outputChannels
      } else {
        sum
      }
    }
    let parameters = network.parameterCount + (file.hasBatchNormalization ? 4 * channels : 0)
    switch (file.format, file.name) {
    case (.matlab, _): #expect((3 * parameters..<4 * parameters).contains(byteCount))
    case (.onnx, "vgg16-12-int8.onnx"), (.onnx, "vgg16-12-qdq.onnx"):
      #expect((parameters..<parameters + 200_000).contains(byteCount))
    default: #expect((4 * parameters..<4 * parameters + 50_000).contains(byteCount))
    }
  }

  @Test func onlyWhatIsReadHasAGeneration() {
    for file in Self.files where !file.isReadByImport { #expect(file.generation == nil, "\(file.name)") }
    #expect(Self.files.filter(\.isReadByImport).count == 12)
  }

  @Test func theNumbersThatUsersAskFor() throws {
    func file(_ name: String) throws -> PublishedFile {
      try #require(Self.files.first { $0.name == name })
    }
    let keras = try file("vgg16_weights_tf_dim_ordering_tf_kernels.h5")
    #expect(keras.byteCount == 553_467_096)
    #expect(keras.digest == FileDigest(.md5, "64373286793e3c8b2b4e3219cbf3544b"))
    #expect(keras.addresses.count == 2)
    let caffe = try file("VGG_ILSVRC_16_layers.caffemodel")
    #expect(caffe.digest?.algorithm == .sha256 && caffe.digests.count == 2)
    #expect(caffe.preprocessing?.mean == [103.939, 116.779, 123.68])
    let face = try file("VGG_FACE.caffemodel")
    #expect(face.classCount == 2622 && face.preprocessing?.mean.first == 93.594)
    let notop = try file("vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5")
    #expect(notop.classCount == nil && notop.architecture == .e)
    #expect(try file("vgg16_weights_th_dim_ordering_th_kernels.h5").byteCount == nil)
  }
}
