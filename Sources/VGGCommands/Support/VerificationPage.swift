internal import CommandLineKit
internal import VGGBytes
internal import VGGConv
internal import VGGEngine
internal import VGGModel
internal import VGGNative
internal import VGGTensors
internal import VGGVerify

extension VerificationReport {
  /// The report as one HTML page that needs nothing else: no script, no font, no picture from anywhere.
  func page() throws(FileError) -> String {
    let verification = verification
    let title = "\(modelPath): \(verification.verdict.rawValue)"
    var parts = [
      "<h1><span class=\"\(passes ? "good" : "bad")\">"
        + "\(verification.verdict.rawValue.uppercased())</span> \(escaped(modelPath))</h1>",
      "<p>\(escaped(verdictText.prefix(1).uppercased() + verdictText.dropFirst())). Source: \(escaped(sourcePath)), \(escaped(source.provenance.generation)).</p>",
    ]
    let lines = verification.reasons + notes
    if !lines.isEmpty {
      parts.append("<ul>" + lines.map { "<li>\(escaped($0))</li>" }.joined() + "</ul>")
    }
    if let diagnosis {
      parts.append(
        "<p>Because: \(escaped(diagnosis.explanation))."
          + (diagnosis.command.map { "<br>To mend it: <code>\(escaped($0))</code>" } ?? "") + "</p>"
      )
    }
    parts += ["<h2>Error of each layer against its bound</h2>", errorPlot, layerTable]
    if !verification.recorded.isEmpty { parts += ["<h2>Against the recording</h2>", recordedPlot] }
    parts += ["<h2>Output and classes</h2>", classTable]
    parts += ["<h2>Sizes</h2>", legend(before: "source", after: "model"), sizePlot]
    parts += ["<h2>Weights</h2>", legend(before: "source", after: "model"), try weightHistograms()]
    parts += [
      "<h2>Activations of \(escaped(inputs.names.prefix(inputs.pictures.first?.count ?? 0).joined(separator: ", ")))</h2>",
      legend(before: "source", after: "model"), try activationHistograms(),
    ]
    parts += ["<h2>What was compared</h2>", identityTable]
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escaped(title))</title>
      <style>\(PageStyle.text)</style>
      </head>
      <body>
      \(parts.joined(separator: "\n"))
      </body>
      </html>

      """
  }

  private var errorPlot: String {
    let layers = verification.layers
    return LogarithmicPlot(
      labels: layers.map(\.layer),
      series: [
        .init("local error", color: 1, layers.map(\.local.relativeError)),
        .init("local bound", color: 1, isBound: true, layers.map(\.local.relativeBound)),
        .init("accumulated error", color: 2, layers.map(\.accumulated.relativeError)),
        .init("accumulated bound", color: 2, isBound: true, layers.map(\.accumulated.relativeBound)),
        .init("fast engine's error", color: 3, layers.map { $0.engine?.relativeError ?? 0 }),
        .init("fast engine's bound", color: 3, isBound: true, layers.map { $0.engine?.relativeBound ?? 0 }),
      ]
    ).svg
  }

  private var recordedPlot: String {
    let layers = verification.recorded
    return LogarithmicPlot(
      labels: layers.map(\.layer),
      series: [
        .init("difference", color: 1, layers.map(\.error.relativeError)),
        .init("bound", color: 1, isBound: true, layers.map(\.error.relativeBound)),
      ]
    ).svg
  }

  private var layerTable: String {
    let rows = verification.layers.map { layer in
      let isCulprit = layer.layer == verification.culpritIfWrong
      let cells = [
        Format.scientific(layer.local.relativeError), Format.scientific(layer.local.relativeBound),
        Format.scientific(layer.accumulated.relativeError),
        Format.scientific(layer.accumulated.relativeBound),
        usedText(layer),
      ]
      let verdict = isCulprit ? "first bad layer" : layer.passes ? "ok" : "wrong"
      return "<tr\(layer.passes && !isCulprit ? "" : " class=\"bad\"")><th>\(layer.layer)</th>"
        + cells.map { "<td>\($0)</td>" }.joined() + "<td>\(verdict)</td></tr>"
    }
    return """
      <div class="scroll"><table><tr><th>layer</th><th>local</th><th>bound</th><th>accumulated</th><th>bound</th>
      <th>used</th><th>verdict</th></tr>
      \(rows.joined(separator: "\n"))
      </table></div>
      """
  }

  /// What the colours of bars stand for.
  private func legend(before: String, after: String) -> String {
    "<p class=\"legend\"><span class=\"key before\"></span> \(before) <span class=\"key after\"></span> \(after)</p>"
  }

  /// What makes the report verifiable: files, digests, program and command.
  private var identityTable: String {
    let rows = [
      ("source", sourcePath), ("source SHA-256", sha256(of: sourceFile.file.bytes).description),
      ("model", modelPath), ("model SHA-256", sha256(of: modelFile.file.bytes).description),
      ("weights", modelFile.native?.weightsDigest.description ?? ""),
      ("passes", verification.passes.map(\.description).joined(separator: ", ")),
      ("inputs", (inputs.names + inputs.dataPaths).joined(separator: ", ") + " (seed \(seed))"),
      ("recording", recordingPath ?? ""), ("program", "vggconv \(toolVersion)"), ("command", command),
    ].filter { !$0.1.isEmpty }
    return "<div class=\"scroll\"><table class=\"facts\">"
      + rows.map { "<tr><th>\($0.0)</th><td><code>\(escaped($0.1))</code></td></tr>" }.joined(separator: "\n")
      + "</table></div>"
  }

  private var classTable: String {
    let distance =
      verification.distanceText.map { "<p>\(escaped($0.prefix(1).uppercased() + $0.dropFirst())).</p>" }
      ?? ""
    guard let classText else { return distance + "<p>The model has no classes.</p>" }
    let names = verification.certificates.indices.map {
      inputs.names.count == verification.certificates.count ? inputs.names[$0] : "\($0 + 1)"
    }
    func label(_ index: Int) -> String {
      model.labels.indices.contains(index) ? "\(index) \(escaped(model.labels[index]))" : "\(index)"
    }
    let rows = zip(names, verification.certificates).map { name, item in
      "<tr\(item.sourceClass == item.modelClass ? "" : " class=\"bad\"")><th>\(escaped(name))</th>"
        + "<td>\(label(item.sourceClass))</td><td>\(label(item.modelClass))</td>"
        + "<td>\(Format.significant(item.margin, 3))</td><td>\(Format.significant(item.bound, 2))</td>"
        + "<td>\(item.isCertified ? "certified" : item.sourceClass == item.modelClass ? "same" : "changed")</td></tr>"
    }
    return """
      \(distance)<p>\(escaped(classText.prefix(1).uppercased() + classText.dropFirst())).</p>
      <div class="scroll"><table><tr><th>picture</th><th>source</th><th>model</th><th>lead</th><th>bound</th><th></th></tr>
      \(rows.joined(separator: "\n"))
      </table></div>
      """
  }

  private var sizePlot: String {
    let weights = model.tensors.filter { $0.role == .weight }
    let storedBytes = Dictionary(
      uniqueKeysWithValues: modelFile.native?.tensorRecords.map { ($0.name, $0.storedBytes) } ?? [])
    return BarPlot(
      rows: weights.map { tensor in
        let before = source.tensor(tensor.name)?.source?.bytes.count ?? tensor.count * 4
        let after = storedBytes[tensor.name] ?? tensor.elementType.byteCount(of: tensor.count)
        return .init(
          label: tensor.name, before: Double(before), after: Double(after),
          text: "\(Format.bytes(before)) → \(Format.bytes(after))")
      }
    ).svg
  }

  private func weightHistograms() throws(FileError) -> String {
    let plots = try model.tensors.filter { $0.role == .weight }.map { (tensor) throws(FileError) in
      try Histogram.svg(tensor.values, before: source.tensor(tensor.name)?.values, title: tensor.name)
    }
    return "<div class=\"grid\">\(plots.joined(separator: "\n"))</div>"
  }

  private func activationHistograms() throws(FileError) -> String {
    guard !inputs.pictures.isEmpty else { return "" }
    var plots: [String] = []
    try result.forEachActivation { (layer, seen, expected) throws(FileError) in
      plots.append(
        try Histogram.svg(
          MemoryValues(seen.values), before: expected.map { MemoryValues($0.values) }, title: layer.name))
    }
    return "<div class=\"grid\">\(plots.joined(separator: "\n"))</div>"
  }
}
