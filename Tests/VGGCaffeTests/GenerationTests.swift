import Testing
import VGGBytes
import VGGCaffe
import VGGModel
import VGGSources
import VGGTensors

@testable import CaffeTestSupport

/// The generations of the format, and the forms that one and the same blob can have.
@Suite struct GenerationTests {
  static func values(_ model: Model) throws -> [String: [Float]] {
    var values: [String: [Float]] = [:]
    for tensor in model.tensors { values[tensor.name] = try tensor.values.array() }
    return values
  }

  @Test(arguments: TestNet.Generation.allCases)
  func allGenerationsGiveTheSameModel(_ generation: TestNet.Generation) throws {
    let model = try TestNet(generation).model()
    let reference = try TestNet(.v2).model()
    #expect(model.network == reference.network)
    #expect(model.network.architecture == .a)
    #expect(try Self.values(model) == Self.values(reference))
    #expect(model.provenance.generation == "caffe-v\(generation.rawValue)")
    #expect(model.provenance.format == "caffe")
    #expect(model.provenance.sourceName == "test.caffemodel")
    #expect(model.provenance.dropped.isEmpty)
  }

  /// OIHW to HWIO and (out, in) in C,H,W order to [in, out] in H,W,C order, spelled out.
  @Test(arguments: TestNet.Generation.allCases)
  func valuesAreWhereTheyBelong(_ generation: TestNet.Generation) throws {
    let net = TestNet(generation)
    let values = try Self.values(net.model())
    let kernel = try #require(net.values["conv2_1/0"])  // [3, 2, 3, 3]
    let canonical = try #require(values["conv2_1/weight"])
    for (row, column, input, output) in [(0, 0, 0, 0), (2, 1, 1, 2), (0, 2, 1, 0)] {
      #expect(
        canonical[((row * 3 + column) * 2 + input) * 3 + output]
          == kernel[((output * 2 + input) * 3 + row) * 3 + column])
    }
    let matrix = try #require(net.values["fc6/0"])  // [7, 6 * 2 * 2]
    let dense = try #require(values["fc6/weight"])
    for (channel, row, column, output) in [(0, 0, 0, 0), (5, 1, 0, 6), (3, 0, 1, 2)] {
      #expect(
        dense[((row * 2 + column) * 6 + channel) * 7 + output]
          == matrix[output * 24 + (channel * 2 + row) * 2 + column])
    }
    #expect(values["fc8/bias"] == net.values["fc8/1"])
  }

  @Test(arguments: TestNet.Generation.allCases)
  func normalizationHasItsConstants(_ generation: TestNet.Generation) throws {
    for k in [Float?.some(2), nil] {
      let net = TestNet(generation, lrn: .lrn(size: 3, alpha: 0.75, beta: 0.5, k: k))
      let model = try net.model()
      #expect(model.network.architecture == .aLRN)
      #expect(
        model.network.layers[1].operation
          == .normalization(
            LocalResponseNormalization(size: 3, scale: 0.25, beta: 0.5, k: Double(k ?? 1))))
    }
  }

  @Test func paddingLayersOfV0BelongToTheLayerBehindThem() throws {
    var net = TestNet(.v0)
    let index = try #require(net.layers.firstIndex { $0.name == "conv2_1" })
    net.layers[index].kind = .convolution(outputs: 3, kernel: 3, pad: 0)
    net.layers[index].bottom = "pad2_1"
    var padding = TestLayer(name: "pad2_1", kind: .other("padding"), bottom: "pool1", top: "pad2_1")
    padding.extraSettings.varint(7, 1)
    net.layers.insert(padding, at: index)
    let padded = try net.model()
    #expect(try padded.network == TestNet(.v0).model().network)
    net.layers[index].extraSettings = Message { $0.varint(7, 2) }
    #expect(throws: FileError.self) { try net.model() }
  }

  /// The same values in all the ways in which a BlobProto can hold them.
  @Test(arguments: [
    "old shape", "unpacked", "pieces", "pieces and unpacked", "shape behind", "split shape", "doubles",
    "unpacked doubles", "doubles win", "raw floats", "raw doubles", "unknown fields", "differences",
    "wrong kinds", "non-minimal",
  ])
  func blobsInAllForms(_ form: String) throws {
    var net = TestNet()
    let shape = [4, 3, 3, 3]
    let values = try #require(net.values["conv3_1/0"])
    let packed = values.flatMap(\.littleEndianBytes)
    let doubles = values.map(Double.init)
    let reference = try Self.values(net.model())
    let blob = Message { blob in
      switch form {
      case "old shape": blob.bytes += Message.oldBlob(shape, values).bytes
      case "unpacked":
        values.forEach { blob.float(5, $0) }
        blob.message(7, .shape(shape))
      case "pieces":
        blob.bytes(5, Array(packed[..<40]))
        blob.message(7, .shape(shape))
        blob.bytes(5, [])
        blob.bytes(5, Array(packed[40...]))
      case "pieces and unpacked":
        blob.message(7, .shape(shape))
        values[..<9].forEach { blob.float(5, $0) }
        blob.bytes(5, Array(packed[36..<80]))
        values[20...].forEach { blob.float(5, $0) }
      case "shape behind":
        blob.bytes(5, packed)
        blob.message(7, .shape(shape))
      case "split shape":  // two shape messages are joined, and axes may be unpacked
        blob.message(7, Message { $0.varint(1, 4) })
        blob.bytes(5, packed)
        blob.message(
          7,
          Message {
            $0.bytes(1, [3, 3])
            $0.varint(1, 3)
          })
      case "doubles":
        blob.message(7, .shape(shape))
        blob.bytes(8, doubles.flatMap(\.littleEndianBytes))
      case "unpacked doubles":
        doubles.forEach { blob.double(8, $0) }
        blob.message(7, .shape(shape))
      case "doubles win":
        blob.bytes(5, Array(repeating: 0x3F, count: packed.count))
        blob.bytes(8, doubles.flatMap(\.littleEndianBytes))
        blob.message(7, .shape(shape))
      case "raw floats":
        blob.message(7, .shape(shape))
        blob.varint(10, 1)
        blob.bytes(12, packed)
      case "raw doubles":
        blob.message(7, .shape(shape))
        blob.bytes(12, doubles.flatMap(\.littleEndianBytes))
      case "unknown fields":
        blob.group(77, Message { $0.group(78, Message { $0.varint(3, 5) }) })
        blob.bytes(5, packed)
        blob.text(99, "whatever")
        blob.double(536_870_911, 1)
        blob.message(7, .shape(shape))
      case "differences":
        blob.bytes(5, packed)
        blob.bytes(6, packed)
        blob.bytes(9, packed + packed)
        blob.message(7, .shape(shape))
      case "wrong kinds":  // a known field of another wire type is an unknown one
        blob.varint(7, 5)
        blob.float(1, 1)
        blob.bytes(2, [1])
        blob.varint(5, 3)
        blob.double(5, 3)
        blob.bytes(5, packed)
        blob.message(7, .shape(shape))
      case "non-minimal":
        blob.bytes += [0x80 | 5 << 3 | 2, 0x80, 0x00]
        blob.bytes += [0x80 | UInt8(packed.count & 0x7F), 0x80 | UInt8(packed.count >> 7), 0x80, 0x00]
        blob.bytes += packed
        blob.message(7, .shape(shape))
      default: Issue.record("no such form")
      }
    }
    net.change("conv3_1") { $0.blobs[0] = blob }
    let model = try net.model()
    #expect(try Self.values(model) == reference)
    #expect(model.provenance.dropped.map(\.name) == (form == "differences" ? ["conv3_1/0/diff"] : []))
  }

  @Test func halfPrecisionIsWidened() throws {
    var net = TestNet()
    let halves: [UInt16] = [0x3C00, 0xC000, 0x0001, 0x7BFF]  // 1, -2, 2^-24, 65504
    net.change("conv3_1") {
      $0.blobs[1] = Message {
        $0.bytes(12, halves.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
        $0.varint(10, 2)
        $0.message(7, .shape([4]))
      }
    }
    #expect(try Self.values(net.model())["conv3_1/bias"] == [1, -2, 0x1p-24, 65504])
  }

  @Test(arguments: [[7, 24], [1, 1, 7, 24], [7, 24, 1, 1], [7, 6, 2, 2]])
  func denseWeightsInAllShapes(_ shape: [Int]) throws {
    var net = TestNet()
    let reference = try Self.values(net.model())
    let values = try #require(net.values["fc6/0"])
    net.change("fc6") { $0.blobs[0] = .blob(shape, values) }
    #expect(try Self.values(net.model()) == reference)
  }

  @Test func transposedDenseWeights() throws {
    var net = TestNet()
    let reference = try Self.values(net.model())
    let values = try #require(net.values["fc7/0"])  // [8, 7]
    let transposed = (0..<56).map { values[$0 % 8 * 7 + $0 / 8] }
    net.change("fc7") {
      $0.blobs[0] = .blob([7, 8], transposed)
      $0.extraSettings.varint(6, 1)
    }
    #expect(try Self.values(net.model()) == reference)
  }

  @Test func biasesWithAnyAxesOfOne() throws {
    var net = TestNet()
    let reference = try Self.values(net.model())
    let values = try #require(net.values["conv1_1/1"])
    for shape in [[2], [1, 1, 1, 2], [2, 1, 1, 1], [1, 2]] {
      net.change("conv1_1") { $0.blobs[1] = .blob(shape, values) }
      #expect(try Self.values(net.model()) == reference)
    }
  }

  @Test func layersWithoutBias() throws {
    var net = TestNet()
    net.change("conv2_1") {
      $0.blobs.removeLast()
      $0.extraSettings.varint(2, 0)
    }
    let model = try net.model()
    #expect(model.tensor("conv2_1/bias") == nil)
    #expect(model.tensors.count == 21)
  }

  @Test(arguments: ["", "-conv", "_conv"])
  func denseLayersAsConvolutions(_ suffix: String) throws {
    var net = TestNet()
    let reference = try Self.values(net.model())
    for (name, shape) in [("fc6", [7, 6, 2, 2]), ("fc7", [8, 7, 1, 1]), ("fc8", [9, 8, 1, 1])] {
      let values = try #require(net.values["\(name)/0"])
      net.change(name) {
        $0.kind = .convolution(outputs: shape[0], kernel: shape[2], pad: 0)
        $0.blobs[0] = .blob(shape, values)
        $0.name += suffix
      }
    }
    net.change("data") { $0.kind = .input([1, 3, 256, 256]) }
    let model = try net.model()
    #expect(try Self.values(model) == reference)
    #expect(model.network.inputExtent == Extent(side: 64))
    #expect(model.provenance.decisions.contains { $0.subject == "dense-layers" })
  }

  @Test func reducedDenseLayersAreRefused() throws {
    var net = TestNet()
    net.change("fc6") {
      $0.kind = .convolution(outputs: 7, kernel: 3, pad: 6)
      $0.extraSettings.varint(18, 6)
    }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.code == "caffe.fc_reduced")
  }

  /// What a file that was saved in training holds besides.
  @Test func trainingLayersAreLeftOut() throws {
    var net = TestNet()
    let reference = try Self.values(net.model())
    net.layers.removeFirst()
    net.layers.removeLast()
    for (phase, mean) in [(0, Float(1)), (1, 100)] {
      var data = TestLayer(name: "data", kind: .other("Data"), bottom: "", top: "data")
      data.extra.text(4, "label")
      data.extra.message(8, Message { $0.varint(1, phase) })
      data.extra.message(
        100,
        Message {
          for channel in 0..<3 { $0.float(5, mean + Float(channel)) }
          $0.varint(3, 64)
          $0.float(1, 0.5)
        })
      net.layers.insert(data, at: phase)
    }
    var loss = TestLayer(name: "loss", kind: .other("SoftmaxWithLoss"), bottom: "fc8", top: "loss")
    loss.extra.text(3, "label")
    net.layers.append(loss)
    net.layers.append(TestLayer(name: "accuracy", kind: .other("Accuracy"), bottom: "fc8", top: "accuracy"))
    let model = try net.model()
    #expect(try Self.values(model) == reference)
    #expect(model.network.inputExtent == Extent(side: 64))
    #expect(model.preprocessing?.mean == [100, 101, 102])
    #expect(model.preprocessing?.scale == [0.5, 0.5, 0.5])
    let decision = model.provenance.decisions.first { $0.subject == "training-layers" }
    #expect(decision?.choice == "left out: data, loss, accuracy")
  }

  /// These layers give numbers, of whatever pictures, so they say nothing of what is done to pictures.
  @Test(arguments: ["HDF5Data", "DummyData"])
  func numbersThatAreNoPicturesSayNothing(_ type: String) throws {
    var net = TestNet()
    net.layers[0] = TestLayer(name: "data", kind: .other(type), bottom: "", top: "data")
    #expect(try net.model().preprocessing == .released(for: Extent(side: 64)))
  }

  @Test func splitsAreFollowed() throws {
    var net = TestNet()
    let index = try #require(net.layers.firstIndex { $0.name == "pool3" })
    var split = TestLayer(name: "split", kind: .other("Split"), bottom: "pool3", top: "pool3_split_0")
    split.extra.text(4, "pool3_split_1")
    net.layers.insert(split, at: index + 1)
    net.change("conv4_1") { $0.bottom = "pool3_split_1" }
    #expect(try net.model().network == TestNet().model().network)
  }

  @Test func filesWithOnlyWeights() throws {
    var net = TestNet()
    let reference = try net.model()
    net.layers.removeAll { $0.blobs.isEmpty }
    for index in net.layers.indices { net.layers[index].lacksSettings = true }
    let model = try net.model()
    #expect(try Self.values(model) == Self.values(reference))
    #expect(model.network == reference.network)
    #expect(model.provenance.decisions.contains { $0.subject == "structure" })
  }

  @Test func aHeadCanBeMissing() throws {
    var net = TestNet()
    net.layers.removeLast(net.layers.count - (net.layers.firstIndex { $0.name == "fc6" } ?? 0))
    let model = try net.model()
    #expect(!model.network.hasTop)
    #expect(model.network.inputExtent == Extent(side: 64))
  }

  @Test func optionsOverrideTheEvidence() throws {
    var options = ImportOptions()
    options.kernelsAreRotated = true
    options.flattenOrder = .hwc
    options.channelOrder = .rgb
    let net = TestNet()
    let model = try net.model(options: options)
    let values = try Self.values(model)
    let kernel = try #require(net.values["conv1_1/0"])  // [2, 3, 3, 3]
    #expect(values["conv1_1/weight"]?[0] == kernel[8])
    let matrix = try #require(net.values["fc6/0"])
    #expect(values["fc6/weight"]?[7] == matrix[1])
    #expect(model.preprocessing?.channelOrder == .rgb)
    #expect(model.preprocessing?.mean == [123.68, 116.779, 103.939])
  }

  @Test func otherChannelCountsHaveNoKnownMean() throws {
    var net = TestNet()
    let values = try #require(net.values["conv1_1/0"])
    net.change("data") { $0.kind = .input([1, 1, 64, 64]) }
    net.change("conv1_1") { $0.blobs[0] = .blob([2, 1, 3, 3], Array(values[..<18])) }
    let model = try net.model()
    #expect(model.preprocessing == nil)
    #expect(model.network.inputChannels == 1)
  }
}
