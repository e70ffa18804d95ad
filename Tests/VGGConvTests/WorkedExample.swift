import VGGConv
import VGGModel

/// Makes a network small and puts it to work.
///
/// - Parameters:
///   - path: A Keras or Caffe file of any generation, or a native model: its content says which.
///   - labels: The names of its classes, one a line.
///   - picture: A PNG, JPEG or PPM picture.
///   - folder: Where to write.
/// - Returns: What is in the picture; nil where too much is lost in int8.
func shrinkAndRun(_ path: String, labels: String, picture: String, in folder: String) throws -> String? {
  let source = try OpenedModel(path).labelled(by: labels)

  // Written, read back and judged against the source before it gets its name.
  let conversion = try source.convert(to: "\(folder)/small.vggw", applying: [.quantize(to: .int8)])
  guard let judgement = conversion.judgement, judgement.isClose else { return nil }

  // The same question at any other time, as each night in CI: is the file still what its source and its passes give?
  let small = try OpenedModel("\(folder)/small.vggw")
  let verification = try small.verify(against: small.openSource(path))
  guard verification.passes else { return nil }

  // The picture is resized and preprocessed as the model says.
  var runner = ModelRunner(small)
  let output = try runner.run(picture)

  try small.model.export(to: .safetensors, at: "\(folder)/small.safetensors")
  return output.best(1).first?.first?.label
}
