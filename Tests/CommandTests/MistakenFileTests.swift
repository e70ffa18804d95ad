import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGConv

/// What people give by mistake, with the bytes that such files begin (or end) with: one line that says what it is and what
/// to do.
@Suite struct MistakenFileTests {
  struct Mistake: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    /// Part of the line.
    var phrase: String
    var advice: String

    init(_ name: String, _ bytes: [UInt8], _ phrase: String, _ advice: String = "convert from") {
      (testDescription, self.bytes, self.phrase, self.advice) = (name, bytes, phrase, advice)
    }

    init(_ name: String, _ text: String, _ phrase: String, _ advice: String = "convert from") {
      self.init(name, Array(text.utf8), phrase, advice)
    }
  }

  static let rest = Array(repeating: UInt8(0x55), count: 600)
  static let pickle = "reading one can run any code, so this is never done"

  static func field(_ number: Int, _ content: [UInt8]) -> [UInt8] {
    let tag = number << 3 | 2
    return (tag < 128 ? [UInt8(tag)] : [UInt8(tag & 127 | 128), UInt8(tag >> 7)]) + [UInt8(content.count)]
      + content
  }

  static func text(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

  static let mistakes: [Mistake] = [
    Mistake("nothing", [], "is empty", ""),
    Mistake(
      "Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 553432081\n",
      "is a Git LFS pointer", "git lfs pull"),
    Mistake("HTML", "\n <!DOCTYPE html><html>", "is a web page", "download the file itself"),
    Mistake("HTML without type", "<html><body>", "is a web page", "download the file itself"),
    Mistake("S3 error", "<?xml version=\"1.0\"?><Error><Code>NoSuchKey", "is a web page", "download"),
    Mistake("OpenVINO", "<?xml version=\"1.0\"?>\n<net name=\"vgg16\" version=\"11\">", "OpenVINO"),
    Mistake("gzip", [0x1F, 0x8B, 8, 0] + rest, "is compressed with gzip", "gunzip"),
    Mistake("bzip2", Array("BZh91AY&SY".utf8) + rest, "is compressed with bzip2", "bunzip2"),
    Mistake("xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0] + rest, "is compressed with xz", "unxz"),
    Mistake("zstd", [0x28, 0xB5, 0x2F, 0xFD] + rest, "is compressed with Zstandard", "unzstd"),
    Mistake("LZ4", [0x04, 0x22, 0x4D, 0x18] + rest, "is compressed with LZ4", "unlz4"),
    Mistake("7-Zip", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C] + rest, "is a 7-Zip archive", "7z x"),
    Mistake("RAR", Array("Rar!\u{1A}\u{07}\u{01}".utf8) + rest, "is a RAR archive", "unrar x"),
    Mistake(
      "tar", Array("VGG_FACE.caffemodel".utf8) + Array(repeating: 0, count: 238) + Array("ustar\0".utf8),
      "is a tar archive", "tar xf"),
    Mistake(
      "PyTorch before 1.6, cut off",
      [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E],
      "ends within its pickle", ""),
    Mistake(
      "pickle 2 (Lasagne)", [0x80, 2] + Array("}q\u{01}(U\u{0C}param values".utf8), pickle, "save the weights"
    ),
    Mistake("pickle 3", [0x80, 3] + rest, pickle, "save the weights"),
    Mistake("pickle 4", [0x80, 4, 0x95] + rest, pickle, "save the weights"),
    Mistake("pickle 5", [0x80, 5, 0x95] + rest, pickle, "save the weights"),
    Mistake("pickle 1", "}q\u{01}U\u{0C}param valuesq\u{02}]q\u{03}s.", pickle, "save the weights"),
    Mistake("pickle 0", "(dp1\nS'param values'\np2\n(lp3\ns.", pickle, "save the weights"),
    Mistake("pickle 0 of NumPy", "cnumpy.core.multiarray\n_reconstruct\np1\n.", pickle, "save the weights"),
    Mistake(
      "Torch 7",
      [4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0] + Array("V 1".utf8) + [13, 0, 0, 0] + Array("nn.Sequential".utf8),
      "is a Torch 7 file"),
    Mistake("Torch 7, a table", [3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0] + rest, "is a Torch 7 file"),
    Mistake("Torch 7 as text", "4\n1\n3\nV 1\n13\nnn.Sequential\n", "is a Torch 7 file"),
    Mistake(
      "ONNX", [0x08, 0x08] + text(2, "pytorch") + field(7, text(2, "graph")) + field(8, [0x10, 13]),
      "is an ONNX model"),
    Mistake(
      "frozen TensorFlow graph",
      field(1, text(1, "input") + text(2, "Placeholder")) + field(1, text(1, "conv1_1/W") + text(2, "Const"))
        + field(4, [0x08, 22]), "is a TensorFlow graph"),
    Mistake("SavedModel", [0x08, 0x01] + field(2, field(1, text(4, "serve"))), "is a TensorFlow SavedModel"),
    Mistake(
      "TensorFlow checkpoint", rest + [0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB],
      "is a TensorFlow checkpoint", "load_weights"),
    Mistake(
      "checkpoint list", "model_checkpoint_path: \"vgg_16.ckpt\"\n", "is a list of TensorFlow's checkpoints",
      "load_weights"),
    Mistake(
      "Core ML",
      [0x08, 0x01] + field(2, field(1, text(1, "image"))) + field(403, field(1, text(1, "conv1_1"))),
      "is a Core ML model"),
    Mistake(
      "Caffe2",
      text(1, "init") + field(2, text(2, "w") + text(4, "GivenTensorFill") + field(5, text(1, "shape"))),
      "is a Caffe2 network"),
    Mistake(
      "MetaGraphDef beside a checkpoint",
      field(1, field(2, field(1, text(1, "Const"))) + text(5, "1.15.0"))
        + field(2, field(1, text(1, "input"))),
      "is a TensorFlow graph"),
    Mistake("UFF", [0x08, 0x01, 0x10, 0x01] + field(3, text(1, "tensorflow")), "is a UFF model"),
    Mistake(
      "PaddlePaddle network",
      field(1, [0x08, 0x00, 0x10, 0x01] + field(3, text(1, "image"))) + field(4, [0x08, 0x00]),
      "is a PaddlePaddle network"),
    Mistake(
      "PaddlePaddle parameters",
      Array(repeating: 0, count: 16) + [6, 0, 0, 0, 0x08, 0x05, 0x10, 0x40, 0x10, 0x03] + rest,
      "is a file of PaddlePaddle's parameters"),
    Mistake("TensorRT", Array("ftrt".utf8) + rest, "is a TensorRT engine"),
    Mistake("older TensorRT", Array("ptrt".utf8) + rest, "is a TensorRT engine"),
    Mistake(
      "ONNX Runtime", [0x10, 0, 0, 0] + Array("ORTM".utf8) + rest, "is a model in ONNX Runtime's own format"),
    Mistake("ExecuTorch", [0x10, 0, 0, 0] + Array("ET12".utf8) + rest, "is an ExecuTorch program"),
    Mistake(
      "oldest Darknet",
      [0x6F, 0x12, 0x83, 0x3A, 0x66, 0x66, 0x66, 0x3F, 0x6F, 0x12, 0x03, 0x3A, 0, 0, 0, 0] + rest,
      "is a Darknet weight file of the oldest kind"),
    Mistake(
      "Darknet network", "[net]\nbatch=1\n[convolutional]\nfilters=64\n",
      "the description of a Darknet network"),
    Mistake(
      "graph as text", "node {\n  name: \"x\"\n  op: \"Placeholder\"\n}\n", "is a TensorFlow graph as text"),
    Mistake(
      "Caffe2 as text",
      "name: \"vgg19\"\nop {\n  input: \"data\"\n  output: \"conv1_1\"\n  type: \"Conv\"\n}\n",
      "is a Caffe2 network as text"),
    Mistake("ONNX as text", "ir_version: 8\nproducer_name: \"x\"\ngraph {\n}\n", "is an ONNX model as text"),
    Mistake(
      "SavedModel as text", "saved_model_schema_version: 1\nmeta_graphs {\n}\n",
      "is a TensorFlow SavedModel as text",
      "load_model"),
    Mistake(
      "Keras YAML", "class_name: Sequential\nconfig:\n- class_name: Conv2D\n",
      "description of a Keras model (YAML)",
      "give the weight file"),
    Mistake("text", "import keras\nmodel = keras.applications.VGG16()\n", "is a text file, not a model", ""),
    Mistake(
      "Keras JSON",
      "{\"class_name\": \"Functional\", \"config\": {\"name\": \"vgg16\"}, \"keras_version\": \"2.11.0\"}",
      "is the description of a Keras model, without weights", "give the weight file"),
    Mistake(
      "TF.js layers", "{\"format\": \"layers-model\", \"modelTopology\": {}, \"weightsManifest\": []}",
      "is a TensorFlow.js model"),
    Mistake("TF.js graph", "{\"format\": \"graph-model\", \"signature\": {}}", "is a TensorFlow.js model"),
    Mistake("MXNet network", "{\"nodes\": [], \"arg_nodes\": [], \"heads\": []}", "is an MXNet network"),
    Mistake(
      "PyTorch index",
      "{\"metadata\": {}, \"weight_map\": {\"fc.weight\": \"pytorch_model-00001-of-00002.bin\"}}",
      "is the index of a PyTorch model"),
    Mistake(
      "NumPy objects",
      [0x93] + Array("NUMPY\u{01}\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (), }\n".utf8) + rest,
      "is a NumPy file of pickled Python objects", "save the weights"),
    Mistake(
      "WebP", Array("RIFF".utf8) + [4, 1, 0, 0] + Array("WEBPVP8L".utf8) + rest, "is a WebP picture", ""),
    Mistake("GIF", "GIF89a\u{01}\0\u{01}\0", "is a GIF picture", ""),
    Mistake("GGUF", Array("GGUF".utf8) + [3, 0, 0, 0] + rest, "is a GGUF model"),
    Mistake(
      "safetensors, cut off", [0x40, 0, 0, 0, 0, 0, 0, 0] + Array("{\"conv1\":".utf8),
      "has a header that is longer than the file", ""),
    Mistake("MATLAB 5", Array("MATLAB 5.0 MAT-file, Platform: GLNXA64".utf8) + rest, "is a MATLAB file"),
    Mistake(
      "MATLAB 7.3",
      Array("MATLAB 7.3 MAT-file, Platform: GLNXA64".utf8) + Array(repeating: 0x20, count: 474)
        + [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "is a MATLAB file (version 7.3"),
    Mistake("NumPy", [0x93] + Array("NUMPY\u{01}\0".utf8) + rest, "is a NumPy array", ""),
    Mistake("picture", [0x89] + Array("PNG\r\n\u{1A}\n".utf8) + rest, "is a picture", ""),
    Mistake(
      "Darknet", [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x7D, 0, 0] + rest, "is a Darknet weight file"),
    Mistake("ncnn, text", "7767517\n38 38\nInput data 0 1 data\n", "is an ncnn network"),
    Mistake("ncnn, binary", [0xDD, 0x85, 0x76, 0] + rest, "is an ncnn network"),
    Mistake("ncnn, weights", [0, 0, 0, 0, 0xEA, 0x41, 0xFB, 0x3A] + rest, "ncnn's weights"),
    Mistake("ncnn, half", [0x47, 0x6B, 0x30, 0x01] + rest, "ncnn's weights"),
    Mistake(
      "nothing but zeros", Array(repeating: 0, count: 4096), "an unfinished download", "download it again"),
    Mistake("MXNet", [0x12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + rest, "MXNet's parameters"),
    Mistake(
      "prototxt", "name: \"VGG\"\ninput: \"data\"\nlayers {\n  name: \"conv1_1\"\n}\n", "description as text",
      "give the .caffemodel, and this file with --prototxt"),
    Mistake("solver", "net: \"x.prototxt\"\nbase_lr: 0.1\n", "a solver's settings", "give the .caffemodel"),
    Mistake(
      "mean", [8, 1, 16, 3, 24, 1, 32, 1] + field(5, Array(repeating: 0, count: 12)), "is a mean picture",
      "give the .caffemodel, and this file with --mean"),
    Mistake(
      "solver state", [8, 100] + text(2, "vgg_iter_100.caffemodel"), "is a solver's state",
      "give the .caffemodel"),
    Mistake("noise", [0xFF, 0x07, 0x13, 0x80] + rest, "is not a file of a kind that vggconv knows", ""),
  ]

  @Test(arguments: mistakes)
  func isNamed(_ mistake: Mistake) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/weights"
      try Data(mistake.bytes).write(to: URL(filePath: path))
      let process = try CommandProcess.run(["import", path])
      #expect(process.status == 65)
      #expect(process.errorLines.count == 1 && process.output.isEmpty, "\(process.errors)")
      #expect(
        process.errors.contains("\(path): ") && process.errors.contains(mistake.phrase), "\(process.errors)")
      #expect(mistake.advice.isEmpty || process.errors.contains(mistake.advice), "\(process.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["weights"])
    }
  }

  @Test(arguments: [
    ("keras_cases/bad_pytorch.pth", "holds no state dict"), ("keras_cases/bad_arrays.npz", "NumPy arrays"),
    ("keras_cases/bad_text.zip", "is a zip archive"), ("bad/truncated.h5", "is cut off: 66 % of it is there"),
    ("bad/truncated.caffemodel", "is cut short: at most 85 % of it is there"),
    ("caffe_cases/mean.binaryproto", "give the .caffemodel, and this file with --mean"),
    ("caffe_cases/bad_solverstate.h5", "is a solver's state"),
    ("caffe/vgg_a.prototxt", "give the .caffemodel, and this file with --prototxt"),
  ])
  func filesAreNamed(_ file: String, phrase: String) throws {
    let process = try CommandProcess.run(["inspect", fixture(file)])
    #expect(process.status == 65 && process.errorLines.count == 1)
    #expect(process.errors.contains(phrase), "\(process.errors)")
  }

  /// No real weight file is taken for something else.
  @Test func noWeightFileIsMistaken() throws {
    for folder in ["caffe", "keras", "caffe_cases"] {
      for name in try FileManager.default.contentsOfDirectory(atPath: fixture(folder)) {
        let kind = FileKind(of: try MappedFile(path: fixture("\(folder)/\(name)")).bytes)
        if case .mistaken(let problem, _) = kind { Issue.record("\(folder)/\(name) \(problem)") }
      }
    }
  }

  @Test func aPrototxtBelongsToCaffe() throws {
    let process = try CommandProcess.run([
      "inspect", fixture("bad/control_ok.h5"), "--prototxt", fixture("caffe_cases/control.prototxt"),
    ])
    #expect(process.status == 65 && process.errors.contains("is not a Caffe model"))
    let native = try CommandProcess.run([
      "import", fixture("caffe_cases/snapshot.caffemodel.h5"), "--mean",
      fixture("caffe_cases/mean.binaryproto"),
      "--prototxt", fixture("caffe_cases/control.prototxt"), "-o", "/dev/null/x",
    ])
    #expect(native.status == 73)
  }

  /// A snapshot with all that belongs to it, through the whole tool; both files are kept by name and digest.
  @Test func companionsAreKeptWithTheirDigests() throws {
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      let beside = [
        "--prototxt", fixture("caffe_cases/bn.prototxt"), "--mean", fixture("caffe_cases/mean.binaryproto"),
      ]
      let source = fixture("caffe_cases/bn.caffemodel.h5")
      let imported = try CommandProcess.run(["import", source, "-o", model, "--json"] + beside)
      try #require(imported.status == 0, "\(imported.errors)")
      for name in ["bn.prototxt", "mean.binaryproto"] {
        let sum = try CommandProcess.run("/usr/bin/sha256sum", [fixture("caffe_cases/\(name)")])
        #expect(imported.output.contains("\"\(name)\""))
        #expect(imported.output.contains(sum.output.prefix(64)))
      }
      let verified = try CommandProcess.run(["verify", source, model] + beside)
      #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
    }
  }
}
