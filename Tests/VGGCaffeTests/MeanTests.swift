import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

@testable import CaffeTestSupport
@testable import VGGCaffe

/// Mean pictures (`binaryproto`), of which a model keeps the mean colour.
@Suite struct MeanTests {
  /// A picture whose channels are 10, 20 and 30 on the left, and higher by 1, 2 and 3 on the right.
  static func picture(side: Int = 64) -> [Float] {
    (0..<3).flatMap { channel in
      (0..<side * side).map { Float(channel + 1) * ($0 % side < side / 2 ? 10 : 11) }
    }
  }

  static func model(_ mean: Message, options: ImportOptions = ImportOptions(), net: TestNet = TestNet())
    throws
    -> Model
  {
    var options = options
    options.mean = try CaffeImporter.meanColour(
      of: CaffeFile(path: "folder/mean.binaryproto", bytes: ByteRegion(copying: mean.bytes)))
    return try CaffeImporter.model(
      of: CaffeFile(path: "test.caffemodel", bytes: ByteRegion(copying: net.bytes)), options: options)
  }

  @Test(arguments: ["old", "new", "three axes", "unpacked", "doubles", "raw"])
  func allFormsGiveTheMeanColour(_ form: String) throws {
    let values = Self.picture()
    let packed = values.flatMap(\.littleEndianBytes)
    let mean = Message { mean in
      switch form {
      case "old": mean.bytes = Message.oldBlob([1, 3, 64, 64], values).bytes
      case "new": mean.bytes = Message.blob([1, 3, 64, 64], values).bytes
      case "three axes": mean.bytes = Message.blob([3, 64, 64], values).bytes
      case "unpacked":
        for (index, length) in [1, 3, 64, 64].enumerated() { mean.varint(index + 1, length) }
        values.forEach { mean.float(5, $0) }
      case "doubles":
        mean.message(7, .shape([1, 3, 64, 64]))
        mean.bytes(8, values.map(Double.init).flatMap(\.littleEndianBytes))
      default:
        mean.bytes(5, [])
        mean.message(7, .shape([1, 3, 64, 64]))
        mean.varint(10, 1)
        mean.bytes(12, packed)
      }
    }
    let model = try Self.model(mean)
    #expect(model.preprocessing?.mean == [10.5, 21, 31.5])
    #expect(model.preprocessing?.channelOrder == .bgr)
    let decision = try #require(model.provenance.decisions.first { $0.subject == "preprocessing" })
    #expect(decision.choice == "bgr less [10.5, 21.0, 31.5], times 1.0")
    #expect(decision.evidence.contains("mean.binaryproto, a picture of 64x64"))
    #expect(decision.evidence.contains("differ from it by up to 1.5"))
    #expect(
      model.provenance.companions == [
        Provenance.SourceFile("mean.binaryproto", byteCount: mean.bytes.count)
      ])
  }

  @Test func aLargerMeanIsThatOfACrop() throws {
    #expect(
      try Self.model(
        .oldBlob(
          [1, 3, 96, 80],
          Self.picture(side: 1).flatMap {
            Array(repeating: $0, count: 96 * 80)
          })
      ).preprocessing?.mean == [11, 22, 33])
  }

  @Test func aColourFitsEveryInput() throws {
    var options = ImportOptions()
    options.channelOrder = .rgb
    let model = try Self.model(.blob([1, 3, 1, 1], [1, 2, 3]), options: options)
    #expect(model.preprocessing?.mean == [3, 2, 1])
  }

  @Test(
    arguments: [
      ("too small", "mean.fit", Message.oldBlob([1, 3, 32, 32], picture(side: 32))),
      ("one channel", "mean.fit", .oldBlob([1, 1, 64, 64], Array(picture()[..<4096]))),
      ("two pictures", "caffe.mean.shape", .oldBlob([2, 3, 32, 64], picture())),
      ("no picture", "caffe.mean.shape", .blob([12288], picture())),
      ("not all there", "caffe.blob.count", .oldBlob([1, 3, 64, 65], picture())),
      ("NaN", "mean.nonfinite", .blob([1, 3, 1, 1], [1, .nan, 2])),
      ("a network", "caffe.kind.mean", Message { $0.bytes = TestNet().bytes }),
      ("text", "caffe.kind.mean", Message { $0.bytes = Array("layer { name: 'x' }".utf8) }),
      ("nothing", "caffe.kind.mean", Message()),
    ] as [(String, String, Message)])
  func isRefused(_ name: String, code: String, mean: Message) {
    let error = #expect(throws: FileError.self) { try Self.model(mean) }
    #expect(error?.code == code)
    let isAboutWeights = code == "mean.fit"
    #expect(error?.file == (isAboutWeights ? "test.caffemodel" : "folder/mean.binaryproto"))
  }

  /// What a data layer says besides is said to the user, not mixed in.
  @Test func aDataLayerNamesItsMean() throws {
    for (settings, evidence) in [
      (Message { $0.text(4, "data/vgg_mean.binaryproto") }, "a data layer names data/vgg_mean.binaryproto"),
      (Message { $0.float(5, 7) }, "a data layer says [7.0, 7.0, 7.0], times 0.5"),
    ] {
      var net = TestNet()
      var data = TestLayer(name: "data", kind: .other("Data"), bottom: "", top: "data")
      data.extra.message(
        100,
        Message {
          $0.float(1, 0.5)
          $0.varint(3, 64)
          $0.bytes += settings.bytes
        })
      net.layers[0] = data
      let model = try Self.model(.blob([3, 64, 64], Self.picture()), net: net)
      #expect(
        model.preprocessing?.mean == [10.5, 21, 31.5] && model.preprocessing?.scale == [0.5, 0.5, 0.5])
      let decision = try #require(model.provenance.decisions.first { $0.subject == "preprocessing" })
      #expect(decision.evidence.hasSuffix(evidence))
      let without = try net.model().provenance.decisions.first { $0.subject == "preprocessing" }
      #expect(without?.evidence.contains("--mean") == settings.bytes.contains(UInt8(ascii: "v")))
    }
  }

  @Test(arguments: ["mean", "mean_double", "mean_colour"])
  func meansOfTheFixtures(_ name: String) throws {
    var options = ImportOptions()
    options.mean = try CaffeImporter.meanColour(
      of: CaffeFile(MappedFile(path: fixture("caffe_cases/\(name).binaryproto"))))
    let model = try CaffeImporter.model(
      of: CaffeFile(MappedFile(path: fixture("bad/control_ok.caffemodel"))), options: options)
    let mean = try #require(model.preprocessing?.mean)
    #expect(name == "mean_colour" ? mean == [104, 117, 123] : mean.allSatisfy { (109...111).contains($0) })
  }

  /// A mean that Caffe's own tool computed; NumPy's means of its channels.
  @Test func aMeanByCaffe() throws {
    let mean = try CaffeImporter.meanColour(
      of: CaffeFile(MappedFile(path: fixture("caffe_made/mean.binaryproto"))))
    #expect(mean.picture?.extent == Extent(side: 16))
    for (channel, expected) in [90.73762, 109.25818, 126.029915].enumerated() {
      #expect(abs(mean.channels[channel] - expected) < 1e-4)
    }
  }

  /// A Power in front of the first convolution is exact preprocessing; behind an Input that is given a mean it comes second.
  @Test(arguments: [Message(), Message { $0.float(5, 128) }])
  func aPowerAtTheInputScales(_ settings: Message) throws {
    var net = TestNet()
    net.layers[0].extra.message(100, settings)
    var power = TestLayer(name: "scaling", kind: .other("Power"), bottom: "data", top: "scaled")
    power.extra.message(
      122,
      Message {
        $0.float(2, 0.5)
        $0.float(3, -32)
      })
    net.layers.insert(power, at: 1)
    net.change("conv1_1") { $0.bottom = "scaled" }
    let model = try net.model()
    #expect(model.preprocessing?.mean == Array(repeating: settings.bytes.isEmpty ? 64 : 192, count: 3))
    #expect(model.preprocessing?.scale == [0.5, 0.5, 0.5])
    let decision = try #require(model.provenance.decisions.first { $0.subject == "preprocessing" })
    #expect(decision.evidence.hasPrefix("as scaling in the network"))
    var options = ImportOptions()
    options.mean = MeanColour([1])
    let error = #expect(throws: FileError.self) { try net.model(options: options) }
    #expect(error?.code == "mean.contradiction")
    options.mean = MeanColour(model.preprocessing?.mean ?? [])
    #expect(try net.model(options: options).preprocessing == model.preprocessing)
  }

  /// What is no scale and shift in front of everything is refused.
  @Test(arguments: [("squares", "conv1_1", 2), ("nothing", "conv1_1", 0), ("late", "conv2_1", 1)])
  func otherPowersAreRefused(_ name: String, _ next: String, _ exponent: Int) throws {
    var net = TestNet()
    let index = try #require(net.layers.firstIndex { $0.name == next })
    var power = TestLayer(
      name: "power", kind: .other("Power"), bottom: net.layers[index].bottom, top: "power")
    power.extra.message(
      122,
      Message {
        $0.float(1, exponent == 2 ? 2 : 1)
        $0.float(2, exponent == 0 ? 0 : 0.5)
      })
    net.layers.insert(power, at: index)
    net.change(next) { $0.bottom = "power" }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.kind == .unsupported && error?.place == "layer power", "\(name): \(error as Any)")
  }

  /// VGG-Face: 2622 classes, and so another mean.
  @Test func vggFaceIsKnownByItsClasses() throws {
    var net = TestNet()
    net.change("fc8") {
      $0.kind = .innerProduct(outputs: 2622)
      $0.blobs = [
        .blob([2622, 8], Array(repeating: 0.5, count: 2622 * 8)),
        .blob([2622], Array(repeating: 1, count: 2622)),
      ]
    }
    let model = try net.model()
    #expect(model.network.classCount == 2622)
    #expect(model.preprocessing?.mean == [93.5940, 104.7624, 129.1863])
    let decision = try #require(model.provenance.decisions.first { $0.subject == "preprocessing" })
    #expect(decision.evidence.contains("2622 classes, as VGG-Face has"))
  }
}
