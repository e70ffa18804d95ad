public import VGGBytes
internal import VGGInterchange
internal import VGGModel

extension OpenedModel {
  /// The model with the names of its classes from a file: one a line, Keras' `class_index.json` or Caffe's
  /// `synset_words.txt`.
  public func labelled(by path: String) throws(FileError) -> OpenedModel {
    let file = try MappedFile(path: path)
    var opened = self
    opened.model.labels = try LabelFile.labels(in: file, for: model.network)
    opened.model.provenance.decisions.append(
      Provenance.Decision(
        .labels(opened.model.labels.count),
        because: "stated on the command line, in \(file.name)"))
    return opened
  }
}
