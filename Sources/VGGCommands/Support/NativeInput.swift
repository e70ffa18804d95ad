internal import VGGBytes
internal import VGGModel
internal import VGGNative

extension OpenedModel {
  /// Opens a native model for a command that takes no other.
  ///
  /// - Throws: Where it is a source, what to do; where it is something else, what it is.
  static func openNative(_ path: String) throws(FileError) -> NativeFile {
    let opened = try OpenedModel(path)
    guard let native = opened.native else {
      let name = opened.model.provenance.format == "caffe" ? "Caffe" : "Keras"
      throw FileError(
        .unsupported, code: "model.source", file: path, "is a \(name) weight file, not a vggconv model",
        advice: "import it first: vggconv import \(path)")
    }
    return native
  }
}
