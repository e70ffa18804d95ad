internal import CommandLineKit
internal import VGGBytes
internal import VGGModel

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

extension Pass {
  /// The pass as the command line has it, and what it found: `quantize --equalize (12 layers, by 2^-3 to 2^5)`.
  var text: String {
    switch self {
    case .equalize(let factors?):
      let exponents = factors.layers.flatMap(\.exponents)
      let range = "2^\(exponents.min() ?? 0) to 2^\(exponents.max() ?? 0)"
      return
        "\(self) (\(factors.layers.isEmpty ? "nothing to do" : "\(factors.layers.count) layers, by \(range)"))"
    case .correctBiases(let means?): return "\(self) (\(means.layers.count) layers)"
    default: return description
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
