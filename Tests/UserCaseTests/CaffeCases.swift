import Foundation
import JSONKit
import TestSupport
import Testing
import VGGBytes
import VGGCaffe
import VGGInterchange
import VGGModel
import VGGNative
import VGGTensors

@testable import CaffeTestSupport

/// What users of Caffe files run into.
@Suite struct CaffeCases {
  private static func caffe(_ name: String) -> String { fixture("caffe/\(name)") }

  private static func made(_ name: String) -> String { fixture("caffe_made/\(name)") }

  /// Writes bytes to a file of a temporary folder.
  private static func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/test.caffemodel"
      try Data(bytes).write(to: URL(filePath: path))
      try body(path)
    }
  }

  /// A prototxt of the fixtures with some text replaced.
  private static func withText(
    _ name: String, replacing old: String, with new: String, _ body: (String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let text = try String(contentsOfFile: caffe(name), encoding: .utf8)
      try #require(text.contains(old))
      try text.replacingOccurrences(of: old, with: new).write(
        toFile: "\(folder)/net.prototxt", atomically: true, encoding: .utf8)
      try body("\(folder)/net.prototxt")
    }
  }

  @Test("case 20: V1 and V0 layers, with types as numbers, are read without an upgrade")
  func case20_oldGenerations() throws {
    let report = try json("inspect", Self.caffe("vgg_d_digits_v1.caffemodel"))
    #expect(report["generation"]?.string == "caffe-v1")
    #expect(try report["weightsDigest"]?.string == digest(Self.caffe("vgg_d_digits.caffemodel")).description)
    let current = try digest(TestNet(.v2).model())
    for generation in [TestNet.Generation.v0, .v1] {
      let old = try TestNet(generation).model()
      #expect(try digest(old) == current)
      #expect(old.provenance.generation == "caffe-\(generation)")
    }
    #expect(
      try verification(Self.made("a_v0.caffemodel"), reference: Self.made("refs/a_caffe.npz")).status == 0)
  }

  @Test("case 21: the official files of 2014 need no upgrade step")
  func case21_noUpgrade() throws {
    try withTemporaryFolder { folder in
      let source = "\(folder)/VGG_ILSVRC_16_layers.caffemodel"
      try FileManager.default.copyItem(atPath: Self.caffe("vgg_d_digits_v1.caffemodel"), toPath: source)
      let before = try Data(contentsOf: URL(filePath: source))
      let process = try succeeding("import", source)
      #expect(process.output.contains("caffe-v1, VGG-16 (D)") && process.output.contains("verified: all"))
      #expect(try Data(contentsOf: URL(filePath: source)) == before)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(files == ["VGG_ILSVRC_16_layers.caffemodel", "VGG_ILSVRC_16_layers.vggw"])
    }
    // Nor does a file that was upgraded: V2 layers with the four-number shapes of V1.
    let upgraded = Self.made("a_v1_upgraded.caffemodel")
    #expect(try verification(upgraded, reference: Self.made("refs/a_caffe.npz")).status == 0)
  }

  @Test("case 22: a file with both layer and layers is refused")
  func case22_mixed() throws {
    // Messages that are written one behind the other are one message.
    for (first, second) in [(TestNet.Generation.v2, TestNet.Generation.v1), (.v1, .v2), (.v0, .v2)] {
      try Self.withFile(TestNet(first).bytes + TestNet(second).bytes) {
        try expectRefusal($0, "mixes two generations")
      }
    }
  }

  @Test("case 23: the input is found in every form: input, input_dim, input_shape, Input, Data, or nothing")
  func case23_inputs() throws {
    func withoutInput(_ change: (inout TestNet) -> Void) -> TestNet {
      var net = TestNet()
      net.layers.removeFirst()
      change(&net)
      return net
    }
    let nets = [
      TestNet(.v2), TestNet(.v1),
      withoutInput {
        $0.extra.text(3, "data")
        $0.extra.message(8, .shape([1, 3, 64, 64]))
      },
      withoutInput { $0.extra.text(3, "data") },
      withoutInput {
        var data = TestLayer(name: "data", kind: .other("Data"), bottom: "", top: "data")
        data.extra.message(100, Message { $0.varint(3, 64) })
        $0.layers.insert(data, at: 0)
      },
      withoutInput { _ in },
    ]
    let expected = try digest(nets[0].model())
    for (index, net) in nets.enumerated() {
      let imported = try net.model()
      #expect(imported.network.inputExtent == Extent(side: 64), "form \(index)")
      #expect(try digest(imported) == expected, "form \(index)")
    }
  }

  @Test("case 24: a file far over protobuf's limits is read from the map, in a small part of its size")
  func case24_hugeMessages() throws {
    // The gradient of the last bias is 2.4 GB of zeros: more than a message may have, and than the process may own.
    let hole = 2_400_000_000
    var net = TestNet()
    net.layers.removeLast()  // the softmax: the large layer is to be the last
    var last = net.layers.removeLast()
    let bias = last.blobs.removeLast()
    let layer = Message {
      $0.text(1, last.name)
      $0.text(2, "InnerProduct")
      $0.text(3, last.bottom)
      $0.text(4, last.top)
      $0.message(117, Message { $0.varint(1, TestNet.denseWidths[2]) })
      $0.message(7, last.blobs[0])
    }
    let file = net.bytes.endingIn(layer, field: 100, blob: bias, field: 7, hole: hole, field: 6)
    try withTemporaryFolder { folder in
      let path = "\(folder)/large.caffemodel"
      try writeSparse(file, byteCount: file.count + hole, to: path)
      let process = try CommandProcess.run(
        "/bin/bash",
        [
          "-c",
          "ulimit -s 1024; ulimit -d 1000000; exec '\(CommandProcess.executable)' inspect '\(path)' --json",
        ])
      try #require(process.status == 0, "\(process.errors)")
      let report = try JSONValue(parsing: Array(process.output.utf8))
      #expect(try report["weightsDigest"]?.string == digest(TestNet().model()).description)
    }
  }

  @Test("case 25: weights are used where they lie in the file: reading them costs no pass over them")
  func case25_noCopies() throws {
    let path = Self.caffe("vgg_d_digits_v1.caffemodel")
    let file = try MappedFile(path: path)
    let imported = try CaffeImporter.model(of: CaffeFile(file))
    for tensor in imported.tensors {
      let source = try #require(tensor.source)
      let offset = try #require(source.fileOffset)
      let inFile = try #require(file.bytes.slice(at: offset, count: source.bytes.count))
      let addresses = (
        source.bytes.withBytes { $0.baseAddress }, inFile.withBytes { $0.baseAddress }
      )
      #expect(addresses.0 == addresses.1 && addresses.0 != nil, "\(tensor.name)")
    }
  }

  @Test("case 26: poolings round up as Caffe's do, or as a fork's switch says; other words are refused")
  func case26_rounding() throws {
    // 100, 50, 25, 13, 7, 4: three of five poolings have a remainder.
    let (source, prototxt) = (Self.caffe("vgg_b_ceil_100.caffemodel"), Self.caffe("vgg_b_ceil_100.prototxt"))
    let reference = fixture("refs/caffe_vgg_b_ceil_100.npz")
    #expect(try verification(source, reference: reference, "--prototxt", prototxt).status == 0)
    for switched in ["ceil_mode: false", "round_mode: FLOOR"] {
      try Self.withText(
        "vgg_a.prototxt", replacing: "pooling_param {", with: "pooling_param { \(switched)"
      ) { text in
        let imported = try model(Self.caffe("vgg_a.caffemodel"), prototxt: text)
        for case .pooling(let pooling) in imported.network.layers.map(\.operation) {
          #expect(pooling.rounding == .floor)
        }
        #expect(imported.decision("pooling-rounding") != nil)
      }
    }
    try Self.withText(
      "vgg_a.prototxt", replacing: "pooling_param {", with: "pooling_param { round_mode: SIDEWAYS"
    ) { text in
      let process = try vggconv("inspect", Self.caffe("vgg_a.caffemodel"), "--prototxt", text)
      #expect(process.status == 65 && process.errors.contains("SIDEWAYS"))
    }
  }

  @Test("case 27: where fc6 does not fit because of the rounding, the message says so")
  func case27_roundingIsNamed() throws {
    try Self.withText(
      "vgg_b_ceil_100.prototxt", replacing: "pooling_param {", with: "pooling_param { ceil_mode: false"
    ) { text in
      try expectRefusal(
        Self.caffe("vgg_b_ceil_100.caffemodel"), "fc6", "256 inputs = 16 pixels", "3x3 pixels",
        "fit if the poolings round", " up", "4x4 pixels",
        options: ["--prototxt", text])
    }
    // And the other way round: weights of a network that rounds down.
    var net = TestNet()
    net.change("data") { $0.kind = .input([1, 3, 100, 100]) }
    net.change("fc6") { $0.blobs[0] = .blob([7, 54], Array(repeating: 0.5, count: 378)) }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.advice?.contains("down") == true, "\(error?.description ?? "")")
  }

  @Test("case 28: all constants of the normalisation are kept: size, alpha, beta, k, region")
  func case28_normalizationConstants() throws {
    let (source, prototxt) = (Self.caffe("vgg_a_lrn_k2.caffemodel"), Self.caffe("vgg_a_lrn_k2.prototxt"))
    let found = try #require(try model(source, prototxt: prototxt).normalization)
    #expect(found.size == 5 && found.beta == 0.75 && found.k == 2)
    #expect((found.scale - 1e-4).magnitude < 1e-11 && found.region == .acrossChannels)
    // With k = 1 the result would differ by up to 191.
    let reference = fixture("refs/caffe_vgg_a_lrn_k2.npz")
    #expect(try verification(source, reference: reference, "--prototxt", prototxt).status == 0)
    var net = TestNet(lrn: .lrn(size: 3, alpha: 0.25, beta: 0.5, k: 1.5))
    net.change("norm1") { $0.extraSettings.varint(4, 1) }
    let within = try #require(try net.model().normalization)
    #expect(within.region == .withinChannel && within.size == 3 && within.beta == 0.5)
  }

  @Test("case 29: whose alpha it was does not matter: the factor of one element is stored")
  func case29_alpha() throws {
    let caffe = try #require(
      try TestNet(lrn: .lrn(size: 5, alpha: 0.0005, beta: 0.75, k: 2)).model().normalization)
    #expect((caffe.scale - LocalResponseNormalization.paper.scale).magnitude < 1e-11)
    try withTemporaryFolder { folder in
      try succeeding(
        "import", fixture("keras/vgg_a_lrn.h5"), "--lrn", "5,0.0005,0.75,2", "-o", "\(folder)/m.vggw")
      #expect(try model("\(folder)/m.vggw").normalization == .paper)
    }
    // The same division in what is computed: Caffe's and Keras's recordings agree with it.
    #expect(
      try verification(
        fixture("keras/vgg_a_lrn.h5"), reference: fixture("refs/keras_vgg_a_lrn.npz"), "--lrn",
        "5,0.0001,0.75,1"
      ).status == 0)
  }

  @Test("case 30: the constants go from source to model as one record, and come back the same")
  func case30_oneRecord() throws {
    let records = [
      TestLayer.Kind.lrn(size: 5, alpha: 0.0005, beta: 0.75, k: 2),
      .lrn(size: 3, alpha: 1, beta: 0.5, k: nil),
      .lrn(size: 9, alpha: 0.1, beta: 1, k: 0.25),
    ]
    for record in records {
      let net = TestNet(lrn: record)
      try Self.withFile(net.bytes) { path in
        try succeeding("import", path)
        let written = try model(path.replacingOccurrences(of: ".caffemodel", with: ".vggw"))
        #expect(try written.normalization == net.model().normalization && written.normalization != nil)
      }
    }
    // A window of an even size has no middle.
    try Self.withFile(TestNet(lrn: .lrn(size: 4, alpha: 1, beta: 1, k: 1)).bytes) {
      try expectRefusal($0, "norm1")
    }
    #expect(try vggconv("import", fixture("keras/vgg_a_lrn.h5"), "--lrn", "4,1,1,1").status == 64)
  }

  @Test("case 31: dense layers that were reduced to dilated convolutions are refused by name")
  func case31_reducedDense() throws {
    var net = TestNet()
    net.change("fc6") {
      $0.kind = .convolution(outputs: 7, kernel: 3, pad: 6)
      $0.extraSettings.varint(18, 6)
      $0.blobs[0] = .blob([7, 6, 3, 3], Array(repeating: 0.5, count: 378))
    }
    try Self.withFile(net.bytes) { try expectRefusal($0, "SSD and DeepLab", "fc6", "dilation 6x6") }
    try expectRefusal(Self.made("d_fc_reduced.caffemodel"), "SSD and DeepLab")
  }

  @Test("case 32: kernels whose rows and columns were exchanged are found out by a recording")
  func case32_columnMajor() throws {
    let source = Self.caffe("vgg_d_digits.caffemodel")
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: source)))
    for tensor in try model(source).tensors where tensor.shape.count == 4 {
      let stored = try #require(tensor.source)
      let offset = try #require(stored.fileOffset)
      let original = bytes
      for kernel in 0..<tensor.count / 9 {
        for (row, column) in (0..<3).flatMap({ row in (0..<3).map { (row, $0) } }) {
          let (from, to) = (kernel * 9 + row * 3 + column, kernel * 9 + column * 3 + row)
          bytes[offset + to * 4..<offset + to * 4 + 4] = original[offset + from * 4..<offset + from * 4 + 4]
        }
      }
    }
    try Self.withFile(bytes) { path in
      let reference = fixture("refs/caffe_vgg_d_digits.npz")
      let (status, report) = try verification(path, reference: reference)
      #expect(status == 1)
      #expect(try #require(report["reasons"]?.array?.first?.string).hasPrefix("conv1_1"))
      #expect(try verification(source, reference: reference).status == 0)
    }
  }

  @Test("case 33: half-precision blobs are read, and an empty one is never taken for zeros")
  func case33_halfBlobs() throws {
    var net = TestNet()
    let values = try #require(net.values["conv1_1/0"])
    let halves = values.map { Float16($0) }
    func raw(_ type: Int, _ bytes: [UInt8]) -> Message {
      Message {
        $0.message(7, .shape([2, 3, 3, 3]))
        $0.varint(10, type)
        $0.bytes(12, bytes)
      }
    }
    net.change("conv1_1") { $0.blobs[0] = raw(2, halves.flatMap(\.littleEndianBytes)) }
    let imported = try #require(try net.model().tensor("conv1_1/weight")?.values.array())
    for (output, input, tap) in [(0, 0, 0), (1, 2, 8), (1, 0, 4), (0, 2, 5)] {
      #expect(imported[(tap * 3 + input) * 2 + output] == Float(halves[(output * 3 + input) * 9 + tap]))
    }
    for blob in [Message.blob([2, 3, 3, 3], []), raw(2, []), raw(7, halves.flatMap(\.littleEndianBytes))] {
      net.change("conv1_1") { $0.blobs[0] = blob }
      try Self.withFile(net.bytes) { try expectRefusal($0, "conv1_1") }
    }
    let half = Self.made("a_nvcaffe_half.caffemodel")
    #expect(try verification(half, reference: Self.made("refs/a_half_caffe.npz")).status == 0)
  }

  @Test("case 34: a network is known by its shapes, not by the names of its layers")
  func case34_names() throws {
    var net = TestNet()
    let expected = try net.model()
    for index in net.layers.indices { net.layers[index].name = "face-\(index * 7919 % 101)" }
    let renamed = try net.model()
    #expect(try digest(renamed) == digest(expected) && renamed.network == expected.network)
    // VGG-Face: 2622 people.
    net.change(net.layers[net.layers.count - 2].name) {
      $0.kind = .innerProduct(outputs: 2622)
      $0.blobs = [
        .blob([2622, 8], Array(repeating: 0.25, count: 2622 * 8)),
        .blob([2622], Array(repeating: 0, count: 2622)),
      ]
    }
    let face = try net.model()
    #expect(face.network.architecture == .a && face.network.classCount == 2622)
    #expect(face.preprocessing?.mean == [93.5940, 104.7624, 129.1863])
    let made = try json("inspect", Self.made("d_face.caffemodel"))
    #expect(made["architecture"]?.string == "D" && made["classCount"]?.integer == 2622)
  }

  @Test("case 35: every element of the source is in the model, and no other")
  func case35_elementCounts() throws {
    for name in [
      "caffe/vgg_c.caffemodel", "caffe/vgg_d_digits_v1.caffemodel", "keras_cases/keras1_th_theano.h5",
    ] {
      for tensor in try model(fixture(name)).tensors {
        let source = try #require(tensor.source)
        #expect(source.shape.reduce(1, *) == tensor.count && tensor.shape.reduce(1, *) == tensor.count)
        let stored = try source.bytes.withBytes { bytes in
          let base = try #require(bytes.baseAddress)
          return (0..<tensor.count).map { source.format.load(base + $0 * source.elementStride) }
        }
        #expect(try stored.sorted() == tensor.values.array().sorted(), "\(tensor.name)")
      }
    }
    // One pixel of four kept of fc6, as [0][0] does.
    var net = TestNet()
    net.change("fc6") { $0.blobs[0] = .blob([7, 6], Array(repeating: 0.5, count: 42)) }
    try Self.withFile(net.bytes) { try expectRefusal($0, "fc6", "6 inputs = 1 pixels") }
  }

  @Test("case 36: the digests of the official Caffe files come with the program")
  func case36_digests() throws {
    let files = try #require(json("zoo", "list")["files"]?.array)
    let expected = [
      ("VGG_ILSVRC_16_layers.caffemodel", 553_432_081, "9363e1f6d65f7dba68c4f27a1e62105cdf6c4e24"),
      ("VGG_ILSVRC_19_layers.caffemodel", 574_671_192, "239785e7862442717d831f682bb824055e51e9ba"),
    ]
    for (name, byteCount, sha1) in expected {
      let file = try #require(files.first { $0["name"]?.string == name })
      #expect(file["bytes"]?.integer == byteCount && file["digests"]?["SHA-1"]?.string == sha1)
    }
    // A file is not believed for its name.
    try withTemporaryFolder { folder in
      let path = "\(folder)/VGG_ILSVRC_16_layers.caffemodel"
      try writeSparse([0x0A], byteCount: 1000, to: path)
      let process = try vggconv("zoo", "identify", path)
      #expect(process.status == 1)
      #expect(process.output.contains("a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197"))
    }
  }
}
