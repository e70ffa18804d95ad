import Foundation
import JSONKit
import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGHDF5
import VGGModel
import VGGNative
import VGGSources

@testable import CaffeTestSupport

// Each test here is named after one of the 42 cases in which users of other converters were stuck: what they ran into,
// and what must happen instead. `CaseListTests` sees to it that none is missing.

/// Runs the built command.
func vggconv(_ arguments: String...) throws -> CommandProcess { try CommandProcess.run(arguments) }

/// Runs the built command, which must succeed.
@discardableResult
func succeeding(_ arguments: String...) throws -> CommandProcess {
  let process = try CommandProcess.run(arguments)
  try #require(process.status == 0, "\(arguments): \(process.errors)")
  return process
}

/// The object that a command prints with `--json`.
func json(_ arguments: String...) throws -> JSONValue {
  try JSONValue(parsing: Array(CommandProcess.run(arguments + ["--json"]).output.utf8))
}

/// A model, imported in this process.
func model(
  _ path: String, prototxt: String? = nil, _ change: (inout ImportOptions) -> Void = { _ in }
) throws -> Model {
  var options = ImportOptions()
  change(&options)
  return try OpenedModel(path, options: OpenOptions(importing: options, prototxt: prototxt)).model
}

/// The identity of a model's weights.
func digest(_ model: Model) throws -> Digest { try VGGWFile.weightsDigest(of: model) }

/// The identity of a file's weights.
func digest(_ path: String, _ change: (inout ImportOptions) -> Void = { _ in }) throws -> Digest {
  try digest(model(path, change))
}

/// The weights that all of `keras_cases` and `user_cases` were made of.
let controlDigest: Digest? = try? digest(fixture("bad/control_ok.h5"))

extension Model {
  /// What was decided of a subject.
  func decision(_ subject: String) -> Provenance.Decision? {
    provenance.decisions.last { $0.subject == subject }
  }

  /// The normalisation layer's constants.
  var normalization: LocalResponseNormalization? {
    network.layers.lazy.compactMap {
      if case .normalization(let normalization) = $0.operation { normalization } else { nil }
    }.first
  }
}

/// Expects that a file is refused with one line, status 65, and that nothing is written.
///
/// - Parameters:
///   - parts: What the line must contain.
func expectRefusal(_ path: String, _ parts: String..., options: [String] = []) throws {
  try withTemporaryFolder { folder in
    let process = try CommandProcess.run(["import", path, "-o", "\(folder)/m.vggw"] + options)
    #expect(process.status == 65, "\(path): \(process.output)")
    #expect(process.errorLines.count == 1 && process.output.isEmpty, "\(process.errors)")
    for part in parts { #expect(process.errors.contains(part), "\(part) in \(process.errors)") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
  }
}

/// Whether a network gives what was recorded, as `verify --reference` judges it: the source imported with options, and
/// judged with the same.
func verification(
  _ source: String, reference: String, _ options: String...
) throws -> (status: Int32, report: JSONValue) {
  try withTemporaryFolder { folder in
    let imported = try CommandProcess.run(["import", source, "-o", "\(folder)/m.vggw"] + options)
    try #require(imported.status == 0, "\(imported.errors)")
    let process = try CommandProcess.run(
      ["verify", source, "\(folder)/m.vggw", "--reference", reference, "--json"] + options)
    return (process.status, try JSONValue(parsing: Array(process.output.utf8)))
  }
}

/// A file of some first bytes and a length; the rest is a hole, which takes no space on the disk.
func writeSparse(_ bytes: [UInt8], byteCount: Int, to path: String) throws {
  try Data(bytes).write(to: URL(filePath: path))
  try FileHandle(forUpdating: URL(filePath: path)).truncate(atOffset: UInt64(byteCount))
}

/// The paths of all data sets of an HDF5 file.
func dataSets(_ path: String) throws -> Set<String> {
  func all(_ group: HDF5Group) -> [String] {
    group.children.flatMap { name, node -> [String] in
      switch node {
      case .group(let inner): all(inner)
      case .dataset(let dataset): [dataset.path]
      case .link, .namedType: []
      }
    }
  }
  return try Set(all(HDF5File.open(MappedFile(path: path).bytes, named: path).root))
}

extension [UInt8] {
  /// A network's bytes with one more layer at their end, whose last blob ends in a field of zeros that are not there yet:
  /// with as many zeros behind it the file is whole.
  func endingIn(
    _ layer: Message, field layerField: Int, blob: Message, field blobField: Int, hole: Int,
    field holeField: Int
  ) -> [UInt8] {
    func head(_ field: Int, _ length: Int) -> Message {
      Message {
        $0.tag(field, 2)
        $0.raw(UInt64(length))
      }
    }
    let blobBytes = blob.bytes + head(holeField, hole).bytes
    let layerBytes = layer.bytes + head(blobField, blobBytes.count + hole).bytes + blobBytes
    return self + head(layerField, layerBytes.count + hole).bytes + layerBytes
  }
}
