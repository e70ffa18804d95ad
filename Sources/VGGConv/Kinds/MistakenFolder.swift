internal import VGGBytes

/// What to do with the files of TensorFlow.
enum TensorFlowFiles {
  static let saveCheckpoint =
    "build the model in Keras, load the checkpoint with 'model.load_weights(PREFIX)', and save it with 'model.save_weights(\"vgg16.weights.h5\")'"
  static let saveModel =
    "load it with 'tf_keras.models.load_model(FOLDER)' and save it with 'model.save(\"vgg16.h5\")'"
  static let saveOriginal =
    "it holds a computation, not a Keras model: save the model that it was exported from with 'model.save(\"vgg16.keras\")'"
}

extension FileError {
  /// Refuses a folder by what is in it instead of an unpacked `.keras` archive.
  static func mistakenFolder(_ path: String) -> FileError {
    let names = Set((namesInFolder(path) ?? []))
    func refusal(_ problem: String, _ advice: String) -> FileError {
      FileError(.unsupported, code: "import.folder", file: path, problem, advice: advice)
    }
    if !names.isDisjoint(with: ["saved_model.pb", "saved_model.pbtxt"]) {
      // Keras 2 leaves the description of its layers beside what TensorFlow needs.
      return refusal(
        "is a TensorFlow SavedModel",
        names.contains("keras_metadata.pb") ? TensorFlowFiles.saveModel : TensorFlowFiles.saveOriginal)
    }
    if names.contains("checkpoint") || names.contains(where: { $0.hasSuffix(".index") }) {
      return refusal("is a folder with a TensorFlow checkpoint", TensorFlowFiles.saveCheckpoint)
    }
    if names.contains("Manifest.json"), names.contains("Data") {
      return refusal("is a Core ML package (.mlpackage)", FileKind.useTheOriginal)
    }
    if names.contains("coremldata.bin") {
      return refusal("is a compiled Core ML model (.mlmodelc)", FileKind.useTheOriginal)
    }
    if names.contains("model.json") {
      return refusal("is a folder with a TensorFlow.js model", FileKind.useTheOriginal)
    }
    if names.contains("data.pkl") {
      return refusal("is an unpacked PyTorch file", FileKind.useTheOriginal)
    }
    if !names.isDisjoint(with: ["_CHECKPOINT_METADATA", "manifest.ocdbt", "_METADATA"]) {
      return refusal("is a checkpoint of JAX (Orbax)", FileKind.useTheOriginal)
    }
    return FileError(
      .unreadable, code: "keras.folder", file: path, "is a folder, but not an unpacked .keras archive",
      allowed: "config.json and model.weights.h5 in it")
  }
}
