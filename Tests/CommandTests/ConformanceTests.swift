import Foundation
import JSONKit
import TestSupport
import Testing
import VGGInterchange

/// Every case of `fixtures/cases.json`, with the built command as a process: right, or refused with one line.
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
    var testDescription: String {
      ([file] + (arguments ?? []).filter { $0.hasPrefix("-") }).joined(separator: " ")
    }

    static let all: [Case] = {
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      guard let data = FileManager.default.contents(atPath: fixture("cases.json")) else { return [] }
      return (try? decoder.decode([Case].self, from: data)) ?? []
    }()
    static let accepted = all.filter { $0.refuse == nil }
    static let refused = all.filter { $0.refuse != nil }

    func importing(to model: String) throws -> CommandProcess {
      let extra = (arguments ?? []).map { $0.replacingOccurrences(of: "{dir}", with: fixture("")) }
      return try CommandProcess.run(["import", fixture(file), "-o", model] + extra)
    }
  }

  @Test func thereAreCases() {
    #expect(Case.accepted.count > 20 && Case.refused.count > 15)
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
        let other = try inspect(fixture(twin))
        #expect(other["weightsDigest"]?.string == information["weightsDigest"]?.string)
      }
      if let reference = item.reference {
        let verified = try CommandProcess.run([
          "verify", fixture(item.file), model, "--reference", fixture(reference),
        ])
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
