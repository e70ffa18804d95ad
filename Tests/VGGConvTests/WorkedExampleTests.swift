import Foundation
import TestSupport
import Testing

@Suite struct WorkedExampleTests {
  @Test func theExampleRuns() throws {
    try withTemporaryFolder { folder in
      let found = try shrinkAndRun(
        fixture("keras/vgg_d_digits.h5"), labels: fixture("pictures/digits.txt"),
        picture: fixture("pictures/digit_7.png"), in: folder)
      #expect(found == "seven")
      let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(files.sorted() == ["small.safetensors", "small.vggw"])
    }
  }

  /// What people read is what is compiled.
  @Test func theArticleHasTheExample() throws {
    func text(_ path: String) throws -> String {
      try String(contentsOfFile: "\(packageRoot)/\(path)", encoding: .utf8)
    }
    let article = try text("Sources/VGGConv/VGGConv.docc/VGGConv.md")
    let blocks = article.components(separatedBy: "```swift\n").dropFirst().map {
      $0.components(separatedBy: "```")[0]
    }
    #expect(blocks == [try text("Tests/VGGConvTests/WorkedExample.swift")])
  }
}
