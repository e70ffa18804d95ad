import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGInterchange

/// What people have of VGG's family in Caffe: what is one is read right, what is not is called what it is.
@Suite struct FieldCaffeTests {
  private static let folder = "caffe-nets"

  private static func expected(_ name: String) throws -> [Float] {
    try NumericArray(
      npy: MappedFile(path: fixture("field/\(folder)/\(name)")).bytes, file: name
    ).values()
  }

  @Test(arguments: [
    ("vgg_normalised.caffemodel", "vgg_normalised_expected_pool5.npy", "pool5"),
    ("dex_fc8-101.caffemodel", "dex_expected_prob.npy", "prob"),
    ("fullconv.caffemodel", "fullconv_expected_prob.npy", "prob"),
    ("channel_pruned.caffemodel", "channel_pruned_expected_prob.npy", "prob"),
  ])
  func valuesAreRight(_ file: String, _ expected: String, _ array: String) throws {
    let found = try fieldActivations(Self.folder, file, input: "input64.npy", array: array)
    let wanted = try Self.expected(expected)
    let largest = wanted.reduce(0) { max($0, abs($1)) }
    #expect(found.count == wanted.count)
    #expect(zip(found, wanted).allSatisfy { abs($0 - $1) <= 1e-4 * largest })
  }

  /// The mean of each channel of pool5, a dense layer behind it, a softmax.
  @Test func globalPoolingIsRead() throws {
    try withModel("field/caffe-nets/gap.caffemodel") { model, folder in
      let saved = "\(folder)/a.npz"
      let run = try CommandProcess.run([
        "run", model, fixture("field/caffe-nets/input64.npy"), "--save-activations", saved,
      ])
      try #require(run.status == 0, "\(run.errors)")
      let archive = try NumPyArchive(MappedFile(path: saved))
      let map = try #require(try archive.array("pool5")).values()
      let means = try #require(try archive.array("pool6")).values()
      let logits = try #require(try archive.array("logits")).values()
      #expect(map.count == 4 * 8 && means.count == 8 && logits.count == 5)
      for channel in 0..<8 {
        let mean = (0..<4).reduce(Float(0)) { $0 + map[$1 * 8 + channel] } / 4
        #expect(abs(means[channel] - mean) <= 1e-6 * max(1, abs(mean)))
      }
    }
  }

  @Test(arguments: [
    ("cam", "class activation maps (CAM)"), ("dns", "dynamic network surgery"),
    ("fast_rcnn", "a detector (Fast R-CNN)"), ("fcn32s", "segmentation (FCN)"), ("hed", "edges (HED)"),
    ("lowrank", "low-rank version of a VGG"), ("openpose", "poses (OpenPose)"), ("prelu", "PReLUs"),
    ("ristretto", "Ristretto"), ("segnet_bn", "(SegNet)"),
  ])
  func othersAreCalledWhatTheyAre(_ name: String, _ words: String) throws {
    let message = try fieldRefusal(Self.folder, "\(name).caffemodel")
    #expect(message.contains("is not a VGG; it looks like a "), "\(message)")
    #expect(message.contains(words), "\(message)")
  }

  @Test func masksAndCutFilesAreRefused() throws {
    #expect(try fieldRefusal(Self.folder, "masks_as_blobs.caffemodel").contains("masks of pruned weights"))
    #expect(try fieldRefusal(Self.folder, "truncated.caffemodel").contains("is cut short"))
  }

  @Test(arguments: [
    ("vgg19_to_conv5_1", "VGG-19 (E) up to conv5_1"), ("vgg_normalised", "VGG-19 (E), no top"),
  ])
  func partsAreNamed(_ name: String, _ title: String) throws {
    try withModel("field/caffe-nets/\(name).caffemodel") { model, _ in
      let output = try CommandProcess.run(["inspect", model]).output
      #expect(output.contains(title.split(separator: ",")[0]), "\(output)")
    }
  }

  /// Line ends, byte-order marks and comments of a prototxt make no difference.
  @Test(arguments: [
    "crlf-text/dex_bom", "crlf-text/dex_comment", "crlf-text/dex_comments_crlf", "crlf-text/dex_crlf",
    "caffe-nets/dex", "caffe-nets/dex_batch10",
  ])
  func prototxtsFit(_ name: String) throws {
    let found = try fieldActivations(
      Self.folder, "dex_fc8-101.caffemodel", ["--prototxt", fixture("field/\(name).prototxt")],
      input: "input64.npy")
    #expect(zip(found, try Self.expected("dex_expected_prob.npy")).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test(arguments: [
    ("dex_pad0", "seen padding 1x1, allowed padding 0x0, as "), ("dex_96", "seen an input of [1, 3, 64, 64]"),
  ])
  func contradictionsAreToldInWords(_ name: String, _ words: String) throws {
    let message = try fieldRefusal(
      Self.folder, "dex_fc8-101.caffemodel", ["--prototxt", fixture("field/caffe-nets/\(name).prototxt")])
    #expect(message.contains(words), "\(message)")
  }
}
