internal import CommandLineKit
internal import Glibc
internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGNative

/// `VGG-16 (D), 1000 classes, input 224x224x3`; `VGG-16 (D) up to pool4, no top`
func networkText(_ network: Network) -> String {
  var text = network.title + ", " + (network.head?.text ?? "no top")
  if let extent = network.inputExtent { text += ", input \(extent)x\(network.inputChannels)" }
  return text
}

extension Head {
  /// What its outputs are: `1000 classes`, `1 probability (sigmoid)`, `4096 features of fc7`.
  fileprivate var text: String {
    let plural = outputCount == 1 ? "" : "s"
    return switch activation {
    case .softmax: "\(outputCount) class\(outputCount == 1 ? "" : "es")"
    case .sigmoid: "\(outputCount) \(outputCount == 1 ? "probability" : "labels") (sigmoid)"
    case .linear: "\(outputCount) value\(plural)"
    case .relu: "\(outputCount) feature\(plural) of \(layers.last?.name ?? "")"
    }
  }
}

extension Preprocessing {
  /// `bgr less 103.939, 116.779, 123.68`, and the factors where they are not 1.
  var text: String {
    func list(_ numbers: [Double]) -> String {
      numbers.map { Format.significant($0, 6) }.joined(separator: ", ")
    }
    return "\(channelOrder.rawValue) less \(list(mean))"
      + (scale.allSatisfy { $0 == 1 } ? "" : ", times \(list(scale))")
  }
}

extension Model {
  /// The model with the names of its classes from a file that the user names.
  func labelled(by path: String) throws(FileError) -> Model {
    let file = try MappedFile(path: path)
    var model = self
    model.labels = try LabelFile.labels(in: file, for: network)
    model.provenance.decisions.append(
      Provenance.Decision(
        .labels(model.labels.count),
        because: "stated on the command line, in \(file.name)"))
    return model
  }
}

/// Refuses an output that exists before hours of work are spent on it.
func requireFree(_ output: String, by arguments: Arguments) throws(FileError) {
  guard !arguments[ModelOptions.force], access(output, F_OK) == 0 else { return }
  throw FileError(
    .cannotCreate, code: "output.exists", file: output, "exists already", advice: "--force replaces it")
}

/// Writes a report; one that is there already is replaced, as each night in CI.
func writeText(_ text: String, to path: String) throws(FileError) {
  let file = try AtomicFile(path: path, overwrite: true)
  let bytes = Array(text.utf8)
  var failure: FileError?
  bytes.withUnsafeBytes { bytes in
    do throws(FileError) { try file.write(bytes, at: 0) } catch { failure = error }
  }
  if let failure { throw failure }
  try file.publish()
}
