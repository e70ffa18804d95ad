internal import CVGGManifest
internal import VGGBytes
internal import VGGModel

extension Manifest {
  /// The types of elements that stand for precisions.
  static let precisions = Codes<Precision, Vggw__ElementType>([
    (.fp32, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_FLOAT32), (.fp16, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_FLOAT16),
    (.bf16, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_BFLOAT16), (.int8, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_INT8),
  ])
}

extension Pass {
  /// Reads a pass of a manifest.
  init(_ message: Vggw__Pass, _ reader: MessageReader) throws(FileError) {
    switch message.kind_case {
    case VGGW__PASS__KIND_QUANTIZE:
      let quantize = try reader.required(message.quantize, "passes.quantize")
      self = .quantize(
        to: try reader.choice(quantize.element_type, Manifest.precisions, "passes.quantize.element_type"),
        keeping: try reader.strings(
          quantize.kept_layers, quantize.n_kept_layers, "passes.quantize.kept_layers"))
    case VGGW__PASS__KIND_PRUNE:
      let prune = try reader.required(message.prune, "passes.prune")
      guard (0...1).contains(prune.fraction) else {
        throw reader.failure(
          "passes.prune.fraction", "has an impossible number", seen: "\(prune.fraction)", allowed: "0 to 1")
      }
      self = .prune(fraction: prune.fraction)
    case VGGW__PASS__KIND_DROP_DENSE: self = .dropDense
    case VGGW__PASS__KIND_TEXT: self = .unknown(try reader.string(message.text, "passes.text"))
    // A pass of a later version: its field is not known here, and it cannot be repeated.
    default: self = .unknown("a pass of a later version")
    }
  }

  /// Reads a pass as versions up to 1.2 of the format have it.
  init(textOfVersion1_2 text: String) {
    let words = text.split(separator: " ")
    switch words.first {
    case "quantize" where words.count == 3 || words.count == 5 && words[3] == "--keep":
      guard words[1] == "--to", let precision = Precision(rawValue: String(words[2])) else { break }
      let kept = words.count == 5 ? words[4].split(separator: ",").map(String.init) : []
      self = .quantize(to: precision, keeping: kept)
      return
    case "prune" where words.count == 3 && words[1] == "--fc":
      guard let fraction = Double(words[2]), (0...1).contains(fraction) else { break }
      self = .prune(fraction: fraction)
      return
    case "prune" where words.dropFirst() == ["--drop-fc"]:
      self = .dropDense
      return
    default: break
    }
    self = .unknown(text)
  }
}
