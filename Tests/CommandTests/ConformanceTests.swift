import Foundation
import JSONKit
import TestSupport
import Testing
import VGGInterchange

/// Every case of the `cases.json` in the fixtures, with the built command as a process: right, or refused with one line.
@Suite struct ConformanceTests {
  struct Case: Decodable, CustomTestStringConvertible {
    var file: String
    var architecture: String?
    var reference: String?
    var inputLayout: String?
    var names: [String: String]?
    var arguments: [String]?
    var sameWeightsAs: String?
    var refuse: String?
    /// Whether the file may also be refused by name; then it is.
    var either: Bool?
    /// The folder of the case, whose files it names; set when it was read.
    var folder: String?
    var testDescription: String {
      ([file] + (arguments ?? []).filter { $0.hasPrefix("-") }).joined(separator: " ")
    }

    static let all = [".", "keras_real", "caffe_made"].flatMap(cases)
    static let accepted = all.filter { $0.refuse == nil && $0.either != true }
    static let refused = all.filter { $0.refuse != nil || $0.either == true }

    private static func cases(in folder: String) -> [Case] {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      guard let data = FileManager.default.contents(atPath: fixture("\(folder)/cases.json")),
        var cases = try? decoder.decode([Case].self, from: data)
      else { return [] }
      for index in cases.indices { cases[index].folder = folder }
      return cases
    }

    /// The path of a file that the case names.
    func path(_ name: String) -> String { fixture("\(folder ?? ".")/\(name)") }

    /// How the file must be read.
    var extra: [String] { (arguments ?? []).map { $0.replacingOccurrences(of: "{dir}", with: path("")) } }

    func importing(to model: String) throws -> CommandProcess {
      try CommandProcess.run(["import", path(file), "-o", model] + extra)
    }
  }

  @Test func thereAreCases() {
    for folder in [".", "keras_real", "caffe_made"] {
      #expect(Case.accepted.filter { $0.folder == folder }.count > 10)
    }
    #expect(Case.refused.count > 15)
  }

  @Test(arguments: Case.accepted)
  func acceptedFilesComeOutRight(_ item: Case) throws {
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      let imported = try item.importing(to: model)
      try #require(imported.status == 0, "\(imported.errors)")
      let information = try inspect(model)
      #expect(information["architecture"]?.string == item.architecture)
      if let twin = item.sameWeightsAs {
        let other = try inspect(item.path(twin))
        #expect(other["weightsDigest"]?.string == information["weightsDigest"]?.string)
      }
      if let reference = item.reference {
        let verified = try CommandProcess.run(
          [
            "verify", item.path(item.file), model, "--reference", item.path(reference),
          ] + item.extra)
        #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
      }
    }
  }

  @Test(arguments: Case.refused)
  func badFilesAreRefused(_ item: Case) throws {
    try withTemporaryFolder { folder in
      let refused = try item.importing(to: "\(folder)/m.vggw")
      #expect(refused.status == 65)
      #expect(refused.errorLines.count == 1, "\(refused.errors)")
      let line = refused.errorLines.first ?? ""
      if item.either == true { #expect(line.contains("as in SSD and DeepLab")) }
      #expect(line.hasPrefix("vggconv: ") && line.contains((item.file as NSString).lastPathComponent))
      #expect(refused.output.isEmpty)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
  }

  private func inspect(_ path: String) throws -> JSONValue {
    let run = try CommandProcess.run(["inspect", path, "--json"])
    try #require(run.status == 0, "\(run.errors)")
    return try JSONValue(parsing: Array(run.output.utf8))
  }
}
