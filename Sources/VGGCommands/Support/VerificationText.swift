internal import CommandLineKit
internal import VGGConv
internal import VGGModel
internal import VGGTensors
internal import VGGVerify

extension VerificationReport {
  /// The report for a terminal; tables fit 80 columns.
  func text(for console: Console) -> String {
    let verification = verification
    var lines = verification.weights.isEmpty ? [] : [weightText]
    let pruned = verification.weights.reduce(0) { $0 + $1.prunedCount }
    if pruned > 0 { lines.append("         \(Format.grouped(pruned)) weights were pruned") }
    if !verification.layers.isEmpty {
      lines += ["", "layers, with \(inputText): differences as parts of the largest magnitude", ""]
      lines += [layerTable(console), ""]
    }
    if !verification.recorded.isEmpty, let recordingPath {
      lines += ["activations recorded in \(recordingPath)", "", recordedTable(console), ""]
      let looseCount = verification.recorded.reduce(0) { $0 + $1.looseCount }
      if looseCount > 0 {
        lines += [
          "\(Format.grouped(looseCount)) values have too little recorded in front of them for a bound: "
            + (model.tensors.allSatisfy(\.isPlain)
              ? "\(Format.scientific(RecordedVerdict.looseTolerance)) is allowed" : "they are not judged"),
          "",
        ]
      }
    }
    if let classText { lines.append(classText) }
    if let tightest {
      lines.append(
        "         smallest lead \(Format.significant(tightest.margin, 3)), "
          + "scores may differ by \(Format.significant(tightest.bound, 2))")
    }
    if let distanceText = verification.distanceText { lines.append("output:  \(distanceText.dropFirst(7))") }
    if classText == nil, let decisionText = verification.decisionText {
      lines.append("         \(decisionText)")
    }
    lines += notes.map { "note: \($0)" }
    lines += verification.faults.map { "wrong: \($0)" }
    if verification.differences.contains(where: { $0.subject == .preprocessing }) {
      lines.append(
        "if that is meant, give 'verify' the options that 'import' was given, such as --channel-order")
    }
    lines += verification.distances.map { "far: \($0)" }
    if let diagnosis {
      lines.append("because: \(diagnosis.explanation)")
      lines.append("to mend it: \(diagnosis.command ?? "no option of import does, the source is like that")")
    }
    let name = verification.verdict.rawValue.uppercased()
    lines.append(console.styled(name, passes ? .green : .red) + ": " + verdictText)
    if verification.verdict == .faithfulButNotClose, verification.meetsStatedLimits {
      lines.append("within the limits that were stated")
    }
    return lines.joined(separator: "\n")
  }

  private var weightText: String {
    let wrong = verification.weights.count { !$0.passes }
    guard wrong > 0 else { return "weights: \(verification.weightText)" }
    return "weights: \(wrong) of \(verification.weights.count) tensors are wrong"
  }

  private var inputText: String {
    let generated = VerificationInputs.names
    let given = inputs.names.count - generated.count
    return "\(generated.joined(separator: ", ")) (seed \(seed))"
      + (given == 0 ? "" : given == 1 ? " and 1 input" : " and \(given) inputs")
  }

  private func layerTable(_ console: Console) -> String {
    var table = TextTable([
      ("layer", .left), ("local", .right), ("bound", .right), ("accumulated", .right), ("bound", .right),
      ("used", .right), ("verdict", .left),
    ])
    for layer in verification.layers {
      let isCulprit = layer.layer == verification.culpritIfWrong
      table.add(
        [
          layer.layer, Format.scientific(layer.local.relativeError),
          Format.scientific(layer.local.relativeBound), Format.scientific(layer.accumulated.relativeError),
          Format.scientific(layer.accumulated.relativeBound),
          usedText(layer),
          layer.passes && !isCulprit ? "ok" : isCulprit ? "WRONG: first" : "wrong",
        ], style: layer.passes && !isCulprit ? nil : .red)
    }
    return table.rendered(for: console)
  }

  private func recordedTable(_ console: Console) -> String {
    var table = TextTable([
      ("layer", .left), ("difference", .right), ("bound", .right), ("used", .right), ("verdict", .left),
    ])
    for layer in verification.recorded {
      table.add(
        [
          layer.layer, Format.scientific(layer.error.relativeError),
          Format.scientific(layer.error.relativeBound),
          layer.layer.hasPrefix("pool") && layer.passes ? "" : usedText(layer.error.usedPart),
          layer.passes ? "ok" : layer.layer == verification.culpritIfWrong ? "WRONG: first" : "wrong",
        ], style: layer.passes ? nil : .red)
    }
    return table.rendered(for: console)
  }
}

extension VerificationReport {
  /// What part of their bounds the differences of a layer use up; nothing where it only hands differences on, which uses
  /// up the bound by its nature.
  func usedText(_ layer: LayerVerdict) -> String {
    if layer.local.largestBound == 0, layer.passes { return "" }
    return usedText(max(layer.local.usedPart, layer.accumulated.usedPart, layer.engine?.usedPart ?? 0))
  }

  /// What part of its bound a difference is: `12 %`, or `x 340` where it is more than all.
  func usedText(_ part: Double) -> String {
    if part <= 1 { return Format.percent(part, decimals: part < 0.0995 && part > 0 ? 1 : 0) }
    return part.isFinite ? "x \(Format.significant(part, 2))" : "x inf"
  }
}
