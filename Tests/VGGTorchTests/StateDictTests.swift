import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGEngine
import VGGInterchange
import VGGModel
import VGGSources
import VGGTensors

/// Files of the real torchvision, timm and safetensors: each is read and gives what PyTorch gave.
@Suite struct StateDictTests {
  static func open(_ name: String, _ change: (inout ImportOptions) -> Void = { _ in }) throws -> OpenedModel {
    var options = OpenOptions()
    change(&options.importing)
    return try OpenedModel(fixture("torch/\(name)"), options: options)
  }

  static func record(_ name: String) throws -> [Float] {
    let archive = try NumPyArchive(MappedFile(path: fixture("torch/outputs.npz")))
    return try #require(try archive.array(name)).values()
  }

  /// The files, whose record they must give, and how far they may be from it: half precision is rounded again by the fixtures'
  /// generator, so only summation differs; bfloat16 is computed in float32 by PyTorch too.
  static let files: [(file: String, record: String, architecture: Architecture)] = [
    ("vgg_a.pth", "vgg_a", .a), ("vgg_a_legacy.pth", "vgg_a", .a), ("vgg_a.safetensors", "vgg_a", .a),
    ("vgg_a_checkpoint.pth", "vgg_a", .a), ("vgg_a_channels_last.pth", "vgg_a", .a),
    ("vgg_a_shared.pth", "vgg_a", .a), ("vgg_a_half.pth", "vgg_a", .a),
    ("vgg_a_half.safetensors", "vgg_a", .a),
    ("vgg_a_bfloat16.pth", "vgg_a_bfloat16", .a), ("vgg_a_wide.pth", "vgg_a_wide", .a),
    ("vgg_d.safetensors.index.json", "vgg_d", .d), ("vgg_a_bn.pth", "vgg_a_bn", .a),
    ("vgg_a_timm.safetensors", "vgg_a_timm", .a),
  ]

  @Test(arguments: files)
  func networksGiveWhatPyTorchGave(_ item: (file: String, record: String, architecture: Architecture)) throws
  {
    let model = try Self.open(item.file).model
    #expect(model.network.architecture == item.architecture)
    let values = try Self.record("\(item.record)/input")
    let side = Int((Double(values.count / 3)).squareRoot())
    #expect(model.network.inputExtent == Extent(side: side))
    let input = try FeatureMap(
      count: 1, shape: FeatureShape(extent: Extent(side: side), channels: 3), values: values)
    let expected = try Self.record("\(item.record)/probabilities")
    for kind in EngineKind.allCases {
      let output = try EngineOptions(kind: kind, threadCount: 1).engine(for: model).run(input)
      guard case .classes(_, let probabilities) = output else {
        Issue.record("no classes")
        continue
      }
      #expect(probabilities.values.count == expected.count)
      for (value, wanted) in zip(probabilities.values, expected) {
        let distance: Float = (value - wanted).magnitude
        #expect(distance <= 1e-5, "\(kind)")
      }
    }
  }

  @Test func tensorsAreThoseOfTheFile() throws {
    // The same numbers, whatever the form of the file, and each in the map of the file, but for those in another order.
    let digest = try Self.open("vgg_a.pth").weightsDigest()
    for name in [
      "vgg_a_legacy.pth", "vgg_a.safetensors", "vgg_a_checkpoint.pth", "vgg_a_channels_last.pth",
      "vgg_a_shared.pth", "vgg_a_half.pth", "vgg_a_half.safetensors",
    ] {
      #expect(try Self.open(name).weightsDigest() == digest, "\(name)")
    }
    let model = try Self.open("vgg_a_shared.pth").model
    let file = try bytes(of: fixture("torch/vgg_a_shared.pth"))
    for tensor in model.tensors {
      let source = try #require(tensor.source)
      let offset = try #require(source.fileOffset)
      #expect(source.bytes.withBytes { Array($0) } == Array(file[offset..<offset + source.bytes.count]))
    }
  }

  @Test func nothingIsDroppedInSilence() throws {
    let dropped = try Self.open("vgg_a_bn.pth").model.provenance.dropped
    #expect(dropped.count == 8 && dropped.allSatisfy { $0.name.hasSuffix("num_batches_tracked") })
    #expect(try Self.open("vgg_a_bn.pth").model.provenance.folded.count == 8 * 6)
    #expect(try Self.open("vgg_a_checkpoint.pth").model.provenance.dropped.map(\.name) == ["epoch", "best"])
    let decisions = try Self.open("vgg_a_bn.pth").model.provenance.decisions
    for subject in [
      "structure", "poolings", "adaptive-pooling", "normalization-epsilon", "head-activation",
      "preprocessing",
    ] {
      let decision = try #require(decisions.first { $0.subject == subject }, "\(subject)")
      #expect(
        decision.evidence.contains("assumed") || subject == "preprocessing" || subject == "adaptive-pooling")
    }
  }

  @Test func picturesArePreparedAsForTorchvisionUnlessTheUserSaysOtherwise() throws {
    let rule = try #require(try Self.open("vgg_a.pth").model.preprocessing)
    #expect(rule.channelOrder == .rgb)
    // A pixel of 255 in red becomes (1 - 0.485) / 0.229.
    let red: Double = (255 - rule.mean[0]) * rule.scale[0] - (1 - 0.485) / 0.229
    #expect(red.magnitude < 1e-9)
    let asked = try #require(try Self.open("vgg_a.pth") { $0.channelOrder = .bgr }.model.preprocessing)
    #expect(
      asked.channelOrder == .bgr && asked.mean == Preprocessing.imageNetMeanBGR && asked.scale == [1, 1, 1])
  }

  @Test(arguments: [
    ("bad_module.pth", "torch.nn.modules.container.Sequential", "torch.save(model.state_dict()"),
    ("bad_code.pth", "posix.system", "would run code, which is never done"),
    ("bad_code_legacy.pth", "posix.system", "would run code, which is never done"),
    ("bad_script.pt", "is a TorchScript program", "torch.jit.load(path).state_dict()"),
    ("bad_resnet.pth", "is not a VGG; it looks like", "ResNet"),
  ])
  func otherFilesAreRefusedByName(_ name: String, problem: String, advice: String) throws {
    let error = try #require(throws: FileError.self) { try Self.open(name) }
    #expect(error.kind == .unsupported)
    #expect(error.description.contains(problem) && error.description.contains(advice), "\(error)")
  }

  @Test func shapesThatAreNoFilesAreRefused() throws {
    let huge = 1 << 40
    let cases: [(name: String, shape: [Int])] = [
      ("features.0.weight", [0, huge, huge, 3]), ("classifier.0.weight", [huge, 0, huge, huge]),
      ("features.0.weight", [0]), ("\(String(repeating: "module.", count: 40_000))features.0.weight", [0]),
    ]
    for (name, shape) in cases {
      let header = Array("{\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(shape),\"data_offsets\":[0,0]}}".utf8)
      let file = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
      try withTemporaryFolder { folder in
        try Data(file).write(to: URL(filePath: "\(folder)/x"))
        let error = try #require(throws: FileError.self) { try OpenedModel("\(folder)/x") }
        #expect(error.kind == .unsupported, "\(error)")
      }
    }
  }

  @Test func damagedFilesAreRefusedWherever() throws {
    // Each byte of the pickle and each length in front of a storage; numbers themselves may be anything.
    for name in ["vgg_a_legacy.pth", "vgg_a.safetensors"] {
      let whole = try bytes(of: fixture("torch/\(name)"))
      try withTemporaryFolder { folder in
        for length in stride(from: 1, to: whole.count, by: 97) {
          try Data(whole.prefix(length)).write(to: URL(filePath: "\(folder)/cut"))
          let error = try #require(throws: FileError.self) { try OpenedModel("\(folder)/cut") }
          #expect([.malformed, .unsupported].contains(error.kind), "\(error)")
        }
        for place in stride(from: 0, to: min(whole.count, 3600), by: 13) {
          var changed = whole
          changed[place] ^= 0x21
          try Data(changed).write(to: URL(filePath: "\(folder)/changed"))
          do { _ = try OpenedModel("\(folder)/changed").model } catch let error as FileError {
            #expect([.malformed, .unsupported].contains(error.kind), "\(error)")
          }
        }
      }
    }
  }
}
