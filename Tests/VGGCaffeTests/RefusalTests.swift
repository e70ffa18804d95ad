import Testing
import VGGBytes
import VGGCaffe
import VGGModel
import VGGSources

@testable import CaffeTestSupport

/// What is refused, and by which name.
@Suite struct RefusalTests {
  struct Change: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var code: String
    var place: String?
    var apply: @Sendable (inout TestNet) -> Void

    init(
      _ name: String, _ code: String, at place: String? = nil,
      _ apply: @escaping @Sendable (inout TestNet) -> Void
    ) {
      testDescription = name
      self.code = code.hasPrefix("model.") ? code : "caffe.\(code)"
      self.place = place
      self.apply = apply
    }
  }

  static let zeros = Array(repeating: Float(0), count: 108)

  static let changes: [Change] = [
    Change("mixed generations", "mixed", at: "NetParameter") {
      $0.extra.message(2, Message { $0.text(4, "old") })
    },
    Change("zero axis", "blob.dims", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0] = .blob([4, 0, 3, 3], []) }
    },
    Change("negative axis", "blob.dims", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0] = .oldBlob([-4, -3, 3, 3], zeros) }
    },
    Change("overflow", "blob.dims", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0] = .blob([1 << 40, 1 << 40, 3, 3], zeros) }
    },
    Change("old shape wins even if it is empty", "blob.dims", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0].varint(1, 0) }
    },
    Change("too many axes", "blob.dims", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0].message(7, .shape(Array(repeating: 1, count: 40))) }
    },
    Change("too few values", "blob.count", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0] = .blob([4, 3, 3, 3], Array(zeros[1...])) }
    },
    Change("too many values", "blob.count", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0].float(5, 1) }
    },
    Change("no shape", "blob.count", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0] = Message { $0.bytes(5, zeros.flatMap(\.littleEndianBytes)) } }
    },
    Change("other outputs than declared", "blob.shape", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.kind = .convolution(outputs: 5, kernel: 3, pad: 1) }
    },
    Change("other kernel than declared", "blob.shape", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0] = .blob([4, 3, 1, 9], zeros) }
    },
    Change("other dense outputs than declared", "blob.shape", at: "layer fc7, blob 0") {
      $0.change("fc7") { $0.kind = .innerProduct(outputs: 7) }
    },
    Change("bias of another length", "blob.shape", at: "layer conv3_1, blob 1") {
      $0.change("conv3_1") { $0.blobs[1] = .blob([3], [1, 2, 3]) }
    },
    Change("weights stripped", "stripped", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0] = .blob([4, 3, 3, 3], []) }
    },
    Change("no blobs", "noweights", at: "layer conv1_1") {
      for index in $0.layers.indices { $0.layers[index].blobs = [] }
    },
    Change("missing bias", "blobs", at: "layer conv3_1") { $0.change("conv3_1") { $0.blobs.removeLast() } },
    Change("superfluous bias", "blobs", at: "layer conv3_1") {
      $0.change("conv3_1") { $0.extraSettings.varint(2, 0) }
    },
    Change("part of a float", "wire.packed", at: "layer conv3_1, blob 0") {
      $0.change("conv3_1") { $0.blobs[0].bytes(5, [1, 2, 3]) }
    },
    Change("raw integers", "blob.raw", at: "layer conv3_1, blob 1") {
      $0.change("conv3_1") {
        $0.blobs[1] = Message {
          $0.message(7, .shape([4]))
          $0.varint(10, 3)
          $0.bytes(12, [0, 1, 2, 3])
        }
      }
    },
    Change("group without end in a blob", "wire.group", at: "layer conv3_1, blob 1") {
      $0.change("conv3_1") { $0.blobs[1].tag(9, 4) }
    },
    Change("unknown type", "layer.type", at: "layer relu3_1") {
      $0.change("relu3_1") { $0.kind = .other("ELU") }
    },
    Change("batch normalisation without blobs", "noweights", at: "layer bn3_1") {
      let index = $0.layers.firstIndex { $0.name == "relu3_1" } ?? 0
      let layer = TestLayer(name: "bn3_1", kind: .other("BatchNorm"), bottom: "conv3_1", top: "conv3_1")
      $0.layers.insert(layer, at: index)
    },
    Change("batch normalisation in the place of a ReLU", "structure", at: "layer conv3_1") {
      $0.change("relu3_1") { $0.kind = .other("BatchNorm") }
    },
    Change("leaky ReLU", "layer.settings", at: "layer relu3_1") {
      $0.change("relu3_1") { $0.extra.message(123, Message { $0.float(1, 0.1) }) }
    },
    Change("groups", "layer.settings", at: "layer conv3_1") {
      $0.change("conv3_1") { $0.extraSettings.varint(5, 2) }
    },
    Change("stride", "structure", at: "layer conv3_1") {
      $0.change("conv3_1") { $0.extraSettings.varint(6, 2) }
    },
    Change("no padding", "structure", at: "layer conv3_1") {
      $0.change("conv3_1") { $0.kind = .convolution(outputs: 4, kernel: 3, pad: 0) }
    },
    Change("dilation", "structure", at: "layer conv3_1") {
      $0.change("conv3_1") { $0.extraSettings.varint(18, 2) }
    },
    Change("kernel in two ways", "layer.settings", at: "layer conv3_1") {
      $0.change("conv3_1") { $0.extraSettings.varint(11, 3) }
    },
    Change("pooling of no size", "layer.settings", at: "layer pool2") {
      $0.change("pool2") { $0.lacksSettings = true }
    },
    Change("pooling of stride 0", "layer.settings", at: "layer pool2") {
      $0.change("pool2") { $0.extraSettings.varint(3, 0) }
    },
    Change("a global pooling too early", "structure", at: "layer conv3_1") {
      $0.change("pool2") { $0.extraSettings.varint(12, 1) }
    },
    Change("stochastic pooling", "layer.settings", at: "layer pool2") {
      $0.change("pool2") { $0.extraSettings.varint(1, 2) }
    },
    Change("pooling too early", "model.poolings") {
      let pool = $0.layers.firstIndex { $0.name == "pool3" } ?? 0
      let moved = $0.layers.remove(at: pool)
      $0.layers.insert(moved, at: pool - 2)
      for index in $0.layers.indices where $0.layers[index].bottom != "data" {
        $0.layers[index].bottom = ""
      }
    },
    Change("a pooling missing", "model.poolings") {
      $0.layers.removeAll { $0.name == "pool4" }
      for index in $0.layers.indices where $0.layers[index].bottom != "data" {
        $0.layers[index].bottom = ""
      }
    },
    Change("a sixth pooling that the dense layers do not fit", "model.flatten", at: "layer fc6") {
      let index = $0.layers.firstIndex { $0.name == "fc6" } ?? 0
      $0.layers.insert(TestLayer(name: "pool6", kind: .pooling, bottom: "pool5", top: "pool5"), at: index)
    },
    Change("a ReLU missing", "structure", at: "layer conv3_1") {
      $0.layers.removeAll { $0.name == "relu3_1" }
    },
    Change("a ReLU missing in the head", "structure", at: "layer fc6") {
      $0.layers.removeAll { $0.name == "relu6" }
    },
    Change("a ReLU too many", "structure", at: "layer relu6b") {
      let index = $0.layers.firstIndex { $0.name == "drop6" } ?? 0
      $0.layers.insert(TestLayer(name: "relu6b", kind: .relu, bottom: "fc6", top: "fc6"), at: index)
    },
    Change("a ReLU in front of the softmax", "structure", at: "layer prob") {
      $0.layers.insert(
        TestLayer(name: "relu8", kind: .relu, bottom: "fc8", top: "fc8"), at: $0.layers.count - 1)
    },
    Change("normalisation elsewhere", "structure", at: "layer norm2") {
      let index = $0.layers.firstIndex { $0.name == "pool2" } ?? 0
      $0.layers.insert(
        TestLayer(
          name: "norm2", kind: .lrn(size: 5, alpha: 1, beta: 1, k: 1), bottom: "conv2_1", top: "conv2_1"),
        at: index)
    },
    Change("even normalisation", "layer.settings", at: "layer norm1") {
      $0 = TestNet(lrn: .lrn(size: 4, alpha: 1, beta: 1, k: 1))
    },
    Change("normalisation by NaN", "layer.settings", at: "layer norm1") {
      $0 = TestNet(lrn: .lrn(size: 5, alpha: .nan, beta: 1, k: 1))
    },
    Change("no chain", "structure", at: "layer conv4_1") { $0.change("conv4_1") { $0.bottom = "pool2" } },
    Change("two inputs", "structure", at: "layer conv4_1") {
      $0.change("conv4_1") { $0.extra.text(3, "pool3") }
    },
    Change("one name twice", "duplicate", at: "layer fc7") { $0.change("fc8") { $0.name = "fc7" } },
    Change("layers behind the softmax", "structure", at: "layer relu9") {
      $0.layers.append(TestLayer(name: "relu9", kind: .relu, bottom: "prob", top: "prob"))
    },
    Change("another number of input channels", "input") {
      $0.change("data") { $0.kind = .input([1, 4, 64, 64]) }
    },
    Change("an input that is no picture", "input") { $0.change("data") { $0.kind = .input([1, 3]) } },
    Change("an input of negative size", "input") {
      $0.change("data") { $0.kind = .input([1, 3, -64, -64]) }
    },
    Change("a huge input", "input") { $0.change("data") { $0.kind = .input([1, 3, 1 << 62, 64]) } },
    Change("inputs without shapes", "input", at: "NetParameter") {
      $0.extra.text(3, "data")
      $0.extra.varint(4, 1)
    },
    Change("too many settings in a layer", "limit.bytes", at: "layer number 2") {
      $0.change("conv1_1") { $0.extra.text(1, String(repeating: "x", count: 300_000)) }
    },
    Change("too many settings in all", "limit.bytes") {
      $0.change("relu1_1") { $0.extra.text(1, String(repeating: "x", count: 200_000)) }
      $0.layers += Array(repeating: $0.layers[2], count: 30)
    },
    Change("too many small settings", "limit.bytes", at: "layer number 2") {
      $0.change("conv1_1") { for _ in 0..<200_000 { $0.extra.text(3, "") } }
    },
    Change("too many layers", "limit.count", at: "NetParameter") {
      for _ in 0..<5000 { $0.extra.message(100, Message()) }
    },
    Change("too many blobs", "limit.count", at: "layer number 2") {
      $0.change("conv1_1") { $0.blobs += Array(repeating: Message(), count: 100) }
    },
  ]

  @Test(arguments: changes)
  func isRefused(_ change: Change) throws {
    var net = TestNet()
    change.apply(&net)
    let error = try #require(#expect(throws: FileError.self) { try net.model() })
    #expect(error.code == change.code)
    #expect(error.place == change.place || change.place == nil)
    #expect(error.kind == .malformed || error.kind == .unsupported)
    #expect(error.file == "folder/test.caffemodel")
  }

  @Test func numberedTypesOfV1AreNamed() throws {
    for (number, name) in [(3, "CONCAT"), (34, "MVN"), (99, "number 99"), (0, "NONE")] {
      var net = TestNet(.v1)
      net.change("relu3_1") { $0.kind = .other("", number: number) }
      let error = #expect(throws: FileError.self) { try net.model() }
      #expect(error?.seen == name)
    }
  }

  struct Foreign: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var code: String
    var bytes: [UInt8]
  }

  static let foreign: [Foreign] = [
    Foreign(
      testDescription: "mean", code: "caffe.kind.mean",
      bytes: Message.oldBlob([1, 3, 2, 2], Array(zeros[..<12])).bytes),
    Foreign(
      testDescription: "new mean", code: "caffe.kind.mean",
      bytes: Message.blob([1, 3, 2, 2], Array(zeros[..<12])).bytes),
    Foreign(
      testDescription: "solver state", code: "caffe.kind.solverstate",
      bytes: Message {
        $0.varint(1, 1000)
        $0.text(2, "vgg_iter_1000.caffemodel")
        $0.message(3, .blob([2], [1, 2]))
      }.bytes),
    Foreign(
      testDescription: "ONNX", code: "caffe.kind.onnx",
      bytes: Message {
        $0.varint(1, 8)
        $0.text(2, "pytorch")
        $0.message(7, Message { $0.text(2, "graph") })
        $0.message(8, Message { $0.varint(2, 13) })
      }.bytes),
    Foreign(
      testDescription: "prototxt", code: "caffe.kind.prototxt",
      bytes: Array("name: \"VGG\"\nlayer {\n  name: \"conv1_1\"\n}\n".utf8)),
    Foreign(
      testDescription: "solver", code: "caffe.kind.solver",
      bytes: Array("net: \"train_val.prototxt\"\nbase_lr: 0.01\n".utf8)),
    Foreign(
      testDescription: "frozen TensorFlow graph", code: "caffe.kind.foreign",
      bytes: Message {
        $0.message(
          1,
          Message {
            $0.text(1, "input")
            $0.text(2, "Placeholder")
          })
        $0.message(4, Message { $0.varint(1, 22) })
      }.bytes),
    Foreign(
      testDescription: "Core ML", code: "caffe.kind.foreign",
      bytes: Message {
        $0.varint(1, 1)
        $0.message(2, Message { $0.message(1, Message { $0.text(1, "image") }) })
        $0.message(403, Message { $0.message(1, Message { $0.text(1, "conv1_1") }) })
      }.bytes),
    Foreign(
      testDescription: "Caffe2", code: "caffe.kind.foreign",
      bytes: Message {
        $0.text(1, "init")
        $0.message(
          2,
          Message {
            $0.text(2, "conv1_1_w")
            $0.text(4, "GivenTensorFill")
            $0.message(5, Message { $0.text(1, "shape") })
          })
      }.bytes),
    Foreign(
      testDescription: "saved TensorFlow model", code: "caffe.kind.foreign",
      bytes: Message {
        $0.varint(1, 1)
        $0.message(2, Message { $0.message(1, Message { $0.text(4, "serve") }) })
      }.bytes),
    Foreign(testDescription: "nothing", code: "caffe.kind.unknown", bytes: []),
    Foreign(
      testDescription: "noise", code: "caffe.kind.unknown", bytes: [0xFF, 0x07, 0x13, 0x80]),
    Foreign(
      testDescription: "text", code: "caffe.kind.unknown", bytes: Array("hello world".utf8)),
    Foreign(
      testDescription: "a name only", code: "caffe.noweights",
      bytes: Message { $0.text(1, "VGG") }.bytes),
  ]

  @Test(arguments: foreign)
  func otherFilesAreNamed(_ foreign: Foreign) {
    let bytes = ByteRegion(copying: foreign.bytes)
    #expect(CaffeImporter.recognizes(bytes) == (foreign.code != "caffe.kind.unknown"))
    let error = #expect(throws: FileError.self) {
      try CaffeImporter.model(of: CaffeFile(path: "f", bytes: bytes))
    }
    #expect(error?.code == foreign.code)
  }

  @Test(arguments: TestNet.Generation.allCases)
  func networksAreDetected(_ generation: TestNet.Generation) {
    #expect(CaffeImporter.recognizes(ByteRegion(copying: TestNet(generation).bytes)))
  }

  /// What cannot be a serialised message, in front of a whole network.
  @Test(
    arguments: [
      ("wire.tag", [0x00, 0x00]), ("wire.tag", [0x07, 0x00]),
      ("wire.tag", [0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00]), ("wire.wiretype", [0x4E]),
      ("wire.wiretype", [0x4F]), ("wire.varint", [0x48] + Array(repeating: 0xFF, count: 10) + [0x01]),
      ("wire.length", [0x4A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),
      ("wire.group", [0x4C]), ("wire.group", [0x4B, 0x54]), ("wire.length", [0x4B]),
      ("wire.depth", Array(repeating: 0x4B, count: 101)), ("wire.length", [0x4D, 0x00]),
      ("wire.length", [0x49, 0x00, 0x00, 0x00]),
    ] as [(String, [UInt8])])
  func whatIsNoMessageIsRefused(_ code: String, bytes: [UInt8]) {
    let net = TestNet().bytes
    let file = ByteRegion(copying: net + bytes)
    let error = #expect(throws: FileError.self) {
      try CaffeImporter.model(of: CaffeFile(path: "f", bytes: file))
    }
    #expect(error?.code == "caffe.\(code)")
    #expect((error?.offset ?? 0) >= net.count)
  }

  @Test func unknownFieldsAreSkippedEverywhere() throws {
    var net = TestNet()
    let unknown = Message {
      $0.varint(77, -1)
      $0.double(78, 1)
      $0.float(79, 1)
      $0.text(2000, "unknown")
      var group = Message()
      for _ in 0..<99 {
        let inner = group
        group = Message { $0.group(9, inner) }
      }
      $0.group(9, group)
      $0.group(106)  // known, but never a group
      $0.varint(8, 1)
    }
    let reference = try net.model()
    net.extra = unknown
    for index in net.layers.indices {
      net.layers[index].extra.bytes += unknown.bytes
      net.layers[index].extraSettings.group(3, Message { $0.text(1, "x") })
    }
    #expect(try net.model().network == reference.network)
  }

  @Test func settingsInPiecesAreJoined() throws {
    var net = TestNet()
    net.change("conv3_1") {
      $0.lacksSettings = true
      $0.extra.message(106, Message { $0.varint(1, 9) })
      $0.extra.message(106, Message { $0.bytes(3, [1]) })
      $0.extra.message(
        106,
        Message {
          $0.varint(1, 4)  // the last one holds
          $0.varint(4, 3)
        })
    }
    #expect(try net.model().network == TestNet().model().network)
  }

  @Test func nonFiniteValuesAreRefusedUnlessAskedFor() throws {
    var net = TestNet()
    net.change("conv3_1") { $0.blobs[1] = .blob([4], [0, .infinity, 0, 0]) }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.code == "model.nonfinite")
    #expect(error?.place == "tensor conv3_1/1, element 1")
    var options = ImportOptions()
    options.allowsNonFinite = true
    #expect(try net.model(options: options).network.architecture == .a)
  }
}
