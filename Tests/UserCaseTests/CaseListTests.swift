import Foundation
import TestSupport
import Testing

/// That every case has a test.
@Suite struct CaseListTests {
  @Test func allFortyTwoCasesAreThere() throws {
    let folder = "\(packageRoot)/Tests/UserCaseTests"
    var cases: [Int] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: folder)
    where name.hasSuffix("Cases.swift") {
      let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
      for match in text.matches(of: /@Test\(\s*"case (\d+): [^"]+"[^{]*?func case(\d+)_/) {
        #expect(match.1 == match.2, "the name of case \(match.1)")
        cases.append(try #require(Int(match.1)))
      }
    }
    #expect(cases.sorted().reduce(into: []) { if $0.last != $1 { $0.append($1) } } == Array(1...42))
  }
}
