internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGConv
internal import VGGModel
internal import VGGNative
internal import VGGZoo

/// Lists the published files.
let zooListCommand = Command(
  "zoo list", abstract: "list the VGG weight files that were published",
  discussion: """
    Name, network, classes, length, what is known to recognise the file, and who published it. With --json also digests, \
    preprocessing, licence and addresses. What is not known is left out. Nothing is downloaded.
    """,
  examples: [
    .init("zoo list", "Which files there are"),
    .init("zoo list --json", "With digests and addresses"),
  ],
  positionals: [], options: []
) { _, console in
  let files = Zoo.published.files
  if console.isJSON {
    console.print((["ok": true, "files": .array(files.map(\.json))] as JSONValue).pretty)
    return .success
  }
  var publisher: String?
  for file in files {
    if file.publisher != publisher {
      console.print((publisher == nil ? "" : "\n") + console.styled(file.publisher, .bold))
      publisher = file.publisher
    }
    let facts =
      [file.networkText, file.classCount.map { "\($0) classes" } ?? "no top"]
      + [file.byteCount.map { "\(Format.grouped($0)) bytes" }].compactMap(\.self)
      + ["known by \(file.digest?.text ?? "its name only")"]
      + (file.isReadByImport ? [] : ["not read by import"])
    console.print("  \(file.name)")
    for line in Format.wrapped(facts.joined(separator: ", "), indent: 6, width: console.width) {
      console.print(line)
    }
  }
  return .success
}

/// Says which published file a file is, or what else.
let zooIdentifyCommand = Command(
  "zoo identify", abstract: "say which published file this is, or what is in it",
  discussion: """
    Length and digest are compared with the table of published files; the name does not matter. Where the name or the length \
    is that of a published file but the digest is not, both are shown, and the exit status is 1. Of any other file it is \
    said what is in it, as 'inspect' does. Nothing is downloaded.
    """,
  examples: [
    .init(
      "zoo identify vgg16_weights_tf_dim_ordering_tf_kernels.h5", "Is the download complete and genuine?"),
    .init("zoo identify models/* --json", "What all these files are, for scripts"),
  ],
  positionals: [Positional("FILE", help: "Any file", count: .oneOrMore)],
  options: [ModelOptions.requireSandbox, EngineArguments.threads]
) { arguments, console in
  let paths = arguments.positionals
  let options = try ModelOptions.sourceOptions(arguments)
  var reports: [JSONValue] = []
  var worst = ExitStatus.success
  for path in paths {
    do throws(FileError) {
      let identity = try FileIdentity(of: path, options: options, progress: console)
      identity.content?.opened.warn(console)
      let report = IdentityReport(identity: identity)
      if report.exitStatus.rawValue > worst.rawValue { worst = report.exitStatus }
      reports.append(report.json)
      if !console.isJSON { console.print(report.text(console)) }
    } catch {
      // Of several files the others are still looked at.
      if paths.count == 1 { throw error }
      if error.exitStatus.rawValue > worst.rawValue { worst = error.exitStatus }
      console.complain(error.message)
      reports.append(["file": .string(path), "ok": false, "error": errorJSON(error)])
    }
  }
  if console.isJSON {
    console.print((["ok": .bool(worst == .success), "files": .array(reports)] as JSONValue).pretty)
  }
  return worst
}

private func errorJSON(_ error: FileError) -> JSONValue {
  .object([("message", .string(error.message))] + error.details.map { ($0.name, .string($0.value)) })
}

/// What is said of a file's identity.
private struct IdentityReport {
  let identity: FileIdentity

  private var path: String { identity.path }
  private var name: String { identity.file.name }
  private var byteCount: Int { identity.file.bytes.count }

  var exitStatus: ExitStatus {
    switch identity.identification {
    case .different: .checkSaidNo
    case .unproven: identity.unreadable?.exitStatus ?? .success
    case .published, .unknown: .success
    }
  }

  // MARK: JSON

  var json: JSONValue {
    var fields: [(String, JSONValue)] = [
      ("file", .string(path)), ("ok", .bool(exitStatus == .success)), ("bytes", .integer(Int64(byteCount))),
    ]
    switch identity.identification {
    case .published(let file, let proof):
      fields += [("verdict", "published"), ("published", file.json), ("proof", [proof].json)]
    case .different(let file, let found):
      fields += [
        ("verdict", "different"), ("published", file.json), ("found", [found].compactMap(\.self).json),
      ]
    case .unproven(let file): fields += [("verdict", "unproven"), ("published", file.json)]
    case .unknown: fields.append(("verdict", "unpublished"))
    }
    if let content = identity.content {
      let all = ModelReport(content).fields
      fields.append(("content", .object(all.filter { $0.0 != "ok" && $0.0 != "tensors" })))
    }
    if let unreadable = identity.unreadable { fields.append(("error", errorJSON(unreadable))) }
    return .object(fields)
  }

  // MARK: Text

  func text(_ console: Console) -> String {
    var lines: [String] = []
    func line(_ title: String, _ text: String) {
      lines.append(
        "  " + title + String(repeating: " ", count: max(1, 15 - title.count)) + Format.visible(text))
    }
    switch identity.identification {
    case .published(let file, let proof):
      lines.append("\(path): \(console.styled(file.name, .green)), published by \(file.publisher)")
      line("network", file.networkText + (file.classCount.map { ", \($0) classes" } ?? ", no top"))
      line("format", file.generation ?? file.format.rawValue)
      if !file.isReadByImport { line("import", "no: it reads Keras and Caffe files") }
      if let preprocessing = file.preprocessing { line("preprocessing", preprocessing.text) }
      line("proof", "\(Format.grouped(byteCount)) bytes, \(proof.text) \(proof.digits)")
      if let licence = file.licence { line("licence", licence) }
      return lines.joined(separator: "\n")
    case .different(let file, let found):
      let likeness = file.name == name ? "name" : "length"
      lines.append(
        "\(path): \(console.styled("is not", .red)) the file \(file.name) of \(file.publisher), "
          + "though it has its \(likeness)")
      if let expected = file.byteCount {
        let isShort = byteCount < expected
        line(
          "length",
          "expected \(Format.grouped(expected)), found \(Format.grouped(byteCount))"
            + (isShort ? ": \(share(of: expected)) of it is there" : ""))
      }
      if let expected = file.digest, let found {
        line(expected.algorithm.rawValue, "expected \(expected.digits), found \(found.digits)")
      }
      for address in file.addresses { line("published at", address) }
    case .unproven(let file):
      lines.append(
        "\(path): has the name of a file by \(file.publisher); no length or digest of that one is known")
    case .unknown: lines.append("\(path): no published file that is known")
    }
    if let content = identity.content {
      let model = content.opened.model
      line("network", networkText(model.network))
      line("format", model.provenance.generation)
      line("parameters", Format.grouped(model.parameterCount))
      line("weights", content.weightsDigest.description)
    }
    if let unreadable = identity.unreadable { line("content", unreadable.description) }
    return lines.joined(separator: "\n")
  }

  /// `39 %`; never 100 % of a file that is not complete.
  private func share(of expected: Int) -> String {
    let fraction = Double(byteCount) / Double(expected)
    return Format.percent(min(fraction, 0.9999), decimals: fraction < 0.01 || fraction > 0.99 ? 2 : 0)
  }
}

extension FileDigest {
  /// `MD5`, or `SHA-256 (first 8 digits)`.
  fileprivate var text: String {
    isWhole ? algorithm.rawValue : "\(algorithm.rawValue) (first \(digits.count) digits)"
  }
}

extension [FileDigest] {
  /// `{"MD5": "…"}`
  fileprivate var json: JSONValue {
    .object(map { ($0.algorithm.rawValue, .string($0.digits)) })
  }
}

extension PublishedFile {
  /// `VGG-16 (D)`
  fileprivate var networkText: String {
    architecture.title
      + (hasBatchNormalization ? ", batch-normalised" : "")
  }

  fileprivate var json: JSONValue {
    [
      "name": .string(name), "publisher": .string(publisher), "format": .string(format.rawValue),
      "generation": generation.map { .string($0) } ?? .null,
      "bytes": byteCount.map { .integer(Int64($0)) } ?? .null, "digests": digests.json,
      "architecture": .string(architecture.rawValue), "batchNormalization": .bool(hasBatchNormalization),
      "classCount": classCount.map { .integer(Int64($0)) } ?? .null, "hasTop": .bool(classCount != nil),
      "preprocessing": preprocessing.json, "licence": licence.map { .string($0) } ?? .null,
      "addresses": .array(addresses.map { .string($0) }),
    ]
  }
}
