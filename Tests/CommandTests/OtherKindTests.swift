import Foundation
import TestSupport
import Testing

/// Files and folders of other frameworks, written by these or after their formats, as people give them to every command.
@Suite struct OtherKindTests {
  private static let folder = fixture("field/other-kinds")

  private static let kinds: [(path: String, phrase: String, advice: String)] = [
    ("savedmodel", "is a TensorFlow SavedModel", "tf_keras.models.load_model"),
    ("exported_savedmodel", "is a TensorFlow SavedModel", "save the model that it was exported from"),
    ("saved_model.pb", "is a TensorFlow SavedModel", "convert from"),
    ("savedmodel/keras_metadata.pb", "part of one", "convert from"),
    ("savedmodel/fingerprint.pb", "part of one", "convert from"),
    ("exported_savedmodel/fingerprint.pb", "part of one", "convert from"),
    ("savedmodel/variables", "is a folder with a TensorFlow checkpoint", "load_weights"),
    ("ckpt_tfk", "is a folder with a TensorFlow checkpoint", "load_weights"),
    ("ckpt_tfk/vgg16", "is the prefix of a TensorFlow checkpoint", "load_weights"),
    ("ckpt_tfk/vgg16.index", "is a TensorFlow checkpoint", "load_weights"),
    ("ckpt_tfk/vgg16.data-00000-of-00001", "a TensorFlow checkpoint's data", "load_weights"),
    ("ckpt_tfk/checkpoint", "is a list of TensorFlow's checkpoints", "load_weights"),
    ("vgg16.ckpt.meta", "is a TensorFlow graph", "convert from"),
    ("frozen_graph.pb", "is a TensorFlow graph", "convert from"),
    ("graph.pbtxt", "is a TensorFlow graph as text", "convert from"),
    ("model.json", "is the description of a Keras model, without weights", "give the weight file"),
    ("model.yaml", "is the description of a Keras model (YAML), without weights", "give the weight file"),
    ("tfjs", "is a folder with a TensorFlow.js model", "convert from"),
    ("tfjs/model.json", "is a TensorFlow.js model", "convert from"),
    ("tfjs/group1-shard1of1.bin", "a TensorFlow.js model's weights", "convert from"),
    ("vgg.mlpackage", "is a Core ML package", "convert from"),
    ("vgg.mlpackage/Manifest.json", "Core ML package", "convert from"),
    ("vgg.mlpackage/Data/com.apple.CoreML/model.mlmodel", "is a Core ML model", "convert from"),
    ("vgg16.mlmodel", "is a Core ML model", "convert from"), ("vgg16.mnn", "an MNN model", "convert from"),
    ("real.mnn", "is an MNN model", "convert from"),
    ("vgg16.engine", "is a TensorRT engine", "convert from"), ("vgg16.uff", "a UFF model", "convert from"),
    ("vgg16.onnx", "is not built like a VGG", "allowed one of each"),
    ("init_net.pb", "is a Caffe2 network", "convert from"),
    ("predict_net.pb", "is a Caffe2 network", "convert from"),
    ("vgg16.pdparams", "PaddlePaddle (.pdparams)", "save the weights"),
    ("vgg19.t7", "is a Torch 7", "convert from"),
    ("vgg16-0000.params", "MXNet", "convert from"), ("vgg-16.weights", "is a Darknet", "convert from"),
    ("vgg-16_old.weights", "is a Darknet", "convert from"),
    ("vgg16_weights.npz", "is an archive of NumPy arrays", "convert from"),
    ("plain.npy", "is a NumPy array", "give the weight file"),
    ("vgg16.npy", "is a NumPy file of pickled Python objects", "save the weights"),
    ("ilsvrc_2012_mean.npy", "is a NumPy array", "with --mean"),
    ("imagenet-vgg-verydeep-16.mat", "is a MATLAB", "convert from"),
  ]

  @Test(arguments: kinds) func isNamed(_ path: String, _ phrase: String, _ advice: String) throws {
    for command in [["inspect"], ["quantize", "--to", "int8", "-o", "/nowhere/x.vggw"]] {
      let process = try CommandProcess.run(command + ["\(Self.folder)/\(path)"])
      #expect(process.status == 65 && process.errorLines.count == 1, "\(process.errors)")
      #expect(process.errors.contains(phrase) && process.errors.contains(advice), "\(process.errors)")
      #expect(!process.errors.contains("not a Caffe model"), "\(process.errors)")
    }
  }

  /// The content decides where it tells something: a name only where nothing else is known.
  @Test func contentCountsMoreThanTheName() throws {
    try withTemporaryFolder { folder in
      for (source, name) in [("bad/control_ok.h5", "vgg16.mnn"), ("caffe/vgg_b.caffemodel", "vgg16.engine")] {
        try FileManager.default.copyItem(atPath: fixture(source), toPath: "\(folder)/\(name)")
        let process = try CommandProcess.run(["inspect", "\(folder)/\(name)"])
        #expect(process.status == 0, "\(process.errors)")
      }
      try Data(repeating: 0xF7, count: 500).write(to: URL(filePath: "\(folder)/vgg16.h5"))
      let damaged = try CommandProcess.run(["inspect", "\(folder)/vgg16.h5"])
      #expect(damaged.status == 65 && damaged.errors.contains("its content is not known; fetch it again"))
    }
  }

  @Test(arguments: ["bad/control_ok.h5", "caffe/vgg_b.caffemodel"])
  func sourcesAreToBeImportedFirst(_ source: String) throws {
    let path = fixture(source)
    for command in [["quantize", path, "--to", "int8"], ["prune", path, "--fc", "0.5"]] {
      let process = try CommandProcess.run(command + ["-o", "/nowhere/x.vggw"])
      #expect(process.status == 65)
      let framework = source.hasSuffix("h5") ? "Keras" : "Caffe"
      #expect(
        process.errors == """
          vggconv: \(path): is a \(framework) weight file, not a vggconv model; import it first: vggconv import \(path)

          """)
    }
  }

  /// What can happen to the first bytes of a file.
  enum Damage: CaseIterable {
    case zeros, oneBit, oneByteMore, lineEndsShorter, lineEndsLonger, zerosAndCutOff, zerosUpToTheFeatures

    func applied(to file: Data) -> Data {
      switch self {
      case .zeros: Data(repeating: 0, count: 8) + file.dropFirst(8)
      case .oneBit: Data([0x13]) + file.dropFirst()
      case .oneByteMore: Data([0x20]) + file
      case .lineEndsShorter: Data(file.split(separator: 0x0D, omittingEmptySubsequences: false).joined())
      case .lineEndsLonger: Data(file.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] })
      case .zerosAndCutOff: Data(repeating: 0, count: 8) + file.dropFirst(8).dropLast(100)
      case .zerosUpToTheFeatures: Data(repeating: 0, count: 16) + file.dropFirst(16)
      }
    }
  }

  /// A vggconv model by all but its first bytes, in every command.
  @Test(arguments: Damage.allCases) func aDamagedSignatureIsNamed(_ damage: Damage) throws {
    try withTemporaryFolder { folder in
      let model = "\(folder)/model"
      let source = fixture("bad/control_ok.h5")
      try #require(try CommandProcess.run(["import", source, "-o", model]).status == 0)
      try damage.applied(to: Data(contentsOf: URL(filePath: model))).write(to: URL(filePath: model))
      try "\(try CommandProcess.run("/usr/bin/sha256sum", ["model"], in: folder).output)".write(
        toFile: "\(folder)/SUMS", atomically: true, encoding: .utf8)
      for command in [
        ["inspect", model], ["checksum", model], ["summary", model], ["run", model, model], ["bench", model],
        ["verify", source, model], ["export", model, "--to", "npz", "-o", "\(folder)/x"],
        ["quantize", model, "--to", "int8", "-o", "\(folder)/x"],
        ["prune", model, "--fc", "0.5", "-o", "\(folder)/x"], ["import", model, "-o", "\(folder)/x"],
        ["zoo", "identify", model],
      ] {
        let process = try CommandProcess.run(command)
        #expect(process.status == 65 && process.errors.contains("first bytes are damaged"), "\(command)")
      }
      // Even where the sum is that of the damaged file.
      let checked = try CommandProcess.run(["checksum", "--check", "SUMS"], in: folder)
      #expect(checked.status == 1 && checked.output.contains("first bytes are damaged"))
    }
  }
}
