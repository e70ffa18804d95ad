import Foundation
import TestSupport
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

@testable import VGGKeras

/// The model of a fixture.
func importedModel(
  _ name: String, _ change: (inout ImportOptions) -> Void = { _ in }
) throws(FileError) -> Model {
  var options = ImportOptions()
  change(&options)
  return try KerasImporter.model(of: kerasSource(name), options: options)
}

/// The files of a fixture.
func kerasSource(_ name: String) throws(FileError) -> KerasSource {
  let path = fixture(name)
  if KerasSource.isFolder(path), let source = try KerasSource(folder: path) { return source }
  let file = try MappedFile(path: path)
  return try KerasSource(file)
}

extension Model {
  /// The values of all tensors by name.
  func values() throws(FileError) -> [String: [Float]] {
    var values: [String: [Float]] = [:]
    for tensor in tensors { values[tensor.name] = try tensor.values.array() }
    return values
  }

  /// The choice and the evidence of each decision by subject.
  var decisions: [String: (choice: String, evidence: String)] {
    Dictionary(
      provenance.decisions.map { ($0.subject, ($0.choice, $0.evidence)) }, uniquingKeysWith: { $1 })
  }
}

/// A tensor as `fixtures/make_keras_cases.py` found it with h5py.
struct ExpectedTensor: Decodable {
  var shape: [Int]
  var values: [String: Double]
  /// The sum of (index + 1) * bit pattern over all values, modulo 2^64.
  var sum: String

  /// The tensors of all files by file and name.
  static func all() throws -> [String: [String: ExpectedTensor]] {
    try JSONDecoder().decode(
      [String: [String: ExpectedTensor]].self,
      from: Data(contentsOf: URL(filePath: fixture("keras_values.json"))))
  }
}

/// The sum that stands in `ExpectedTensor`.
func positionalSum(_ values: [Float]) -> UInt64 {
  values.enumerated().reduce(0) { $0 &+ UInt64($1.offset + 1) &* UInt64($1.element.bitPattern) }
}
