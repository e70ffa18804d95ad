internal import Glibc
public import VGGBytes

extension FileError {
  /// Refuses a file that only its name, or a file beside it, tells; nil where they do not either.
  ///
  /// To be asked only where the content does not tell, as of a checkpoint's data, which have no signature, or where
  /// there is no such file.
  public static func mistakenName(_ path: String, isMissing: Bool = false) -> FileError? {
    func refusal(_ problem: String, _ advice: String = FileKind.useTheOriginal) -> FileError {
      FileError(.unsupported, code: "import.name", file: path, problem, advice: advice)
    }
    if access("\(path).index", F_OK) == 0 {
      return refusal("is the prefix of a TensorFlow checkpoint", TensorFlowFiles.saveCheckpoint)
    }
    guard !isMissing else { return nil }
    let name = path.split(separator: "/").last.map(String.init) ?? path
    if isNumbered(name, between: ".data-", "-of-") {
      return refusal(
        "has the name of a TensorFlow checkpoint's data", TensorFlowFiles.saveCheckpoint)
    }
    if isNumbered(name, between: "-shard", "of"), name.hasSuffix(".bin") {
      return refusal("has the name of a TensorFlow.js model's weights")
    }
    guard let kind = namesOfKinds.first(where: { name.lowercased().hasSuffix($0.ending) }) else { return nil }
    return refusal(
      "has the name of \(kind.name), but its content is not known",
      kind.isRead ? "fetch it again" : FileKind.useTheOriginal)
  }

  /// What files with such names are, and whether an importer reads them where they are sound.
  private static let namesOfKinds: [(ending: String, name: String, isRead: Bool)] = [
    (".caffemodel", "a Caffe model", true), (".h5", "an HDF5 file", true), (".hdf5", "an HDF5 file", true),
    (".keras", "a Keras archive", true), (".vggw", "a vggconv model", true),
    (".mnn", "an MNN model", false), (".engine", "a TensorRT engine", false),
    (".trt", "a TensorRT engine", false), (".plan", "a TensorRT engine", false),
    (".uff", "a UFF model", false),
    (".meta", "the graph of a TensorFlow checkpoint", false), (".pb", "a TensorFlow graph", false),
    (".ckpt", "a TensorFlow checkpoint", false), (".bin", "the weights of another tool", false),
    (".param", "an ncnn network", false), (".pdmodel", "a PaddlePaddle network", false),
    (".pdiparams", "PaddlePaddle's parameters", false), (".params", "MXNet's parameters", false),
    (".weights", "a Darknet weight file", false), (".t7", "a Torch 7 file", false),
    (".pth", "a PyTorch file", true), (".pt", "a PyTorch file", true),
    (".safetensors", "a safetensors file", true), (".onnx", "an ONNX model", true),
    (".mlmodel", "a Core ML model", false), (".tflite", "a TensorFlow Lite model", false),
    (".mat", "a MATLAB file", false), (".om", "an Ascend model", false),
    (".msgpack", "a checkpoint of JAX (Flax)", false),
  ]

  /// Whether a name ends like `.data-00000-of-00001`.
  private static func isNumbered(_ name: String, between first: String, _ second: String) -> Bool {
    guard let start = name.ranges(of: first).last?.upperBound else { return false }
    let parts = name[start...].split(separator: second, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return false }
    let last = parts[1].split(separator: ".").first ?? ""
    return [parts[0], last].allSatisfy { !$0.isEmpty && $0.allSatisfy { ("0"..."9").contains($0) } }
  }
}
