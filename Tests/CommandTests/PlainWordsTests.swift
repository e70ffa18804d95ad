import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGModel
import VGGSources

/// Messages are for people: no names of Swift's types, no descriptions of its values.
@Suite struct PlainWordsTests {
  /// Parts that only a description of a Swift value has.
  private static let internals = [
    "Optional(", "VGGModel.", "VGGCaffe.", "VGGKeras.", "VGGHDF5.", "VGGCommands.", "VGGArchive.", "(name: ",
    "(outputs: ", "(size: ", "(height: ", "(rawValue: ",
  ]

  private static func files() throws -> [String] {
    let root = URL(filePath: fixture(""))
    let kinds = ["h5", "caffemodel", "keras", "json", "binaryproto", "prototxt", "vggw", "png", "jpg", "npz"]
    return try ["bad", "field", "caffe_cases", "keras_cases", "user_cases", "hostile"].flatMap { folder in
      try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
        .filter { kinds.contains(($0 as NSString).pathExtension) }.map { "\(folder)/\($0)" }
    }.sorted()
  }

  /// What is said of a source: the error, or the decisions.
  private static func text(
    _ path: String, prototxt: String? = nil, _ options: ImportOptions = ImportOptions()
  )
    -> String
  {
    do throws(FileError) {
      let provenance = try OpenedModel(
        fixture(path), options: OpenOptions(importing: options, prototxt: prototxt)
      ).model.provenance
      return provenance.decisions.map { "\($0.subject): \($0.choice) (\($0.evidence))" }.joined(
        separator: "\n")
        + provenance.dropped.map(\.reason).joined(separator: "\n")
    } catch {
      return error.description
    }
  }

  private static func expectPlainWords(_ text: String, _ name: String) {
    for part in internals { #expect(!text.contains(part), "\(name): \(text)") }
  }

  @Test func nothingSaysHowTheProgramIsBuilt() throws {
    let files = try Self.files()
    #expect(files.count > 200)
    for file in files { Self.expectPlainWords(Self.text(file), file) }
  }

  /// What contradicts a prototxt, and constants that are stated.
  @Test func optionsAreToldInWordsToo() throws {
    let prototxts = try FileManager.default.subpathsOfDirectory(atPath: fixture("")).filter {
      $0.hasSuffix(".prototxt")
    }
    #expect(prototxts.count > 10)
    for prototxt in prototxts {
      for source in ["field/caffe-nets/dex_fc8-101.caffemodel", "caffe/vgg_a_lrn.caffemodel"] {
        Self.expectPlainWords(Self.text(source, prototxt: fixture(prototxt)), prototxt)
      }
    }
    var options = ImportOptions()
    options.normalization = .paper
    let lrn = Self.text("caffe/vgg_a_lrn.caffemodel", options)
    #expect(lrn.contains("normalization: size 5, scale 0.0001 for each element, beta 0.75, k 2.0"), "\(lrn)")
    Self.expectPlainWords(lrn, "lrn")
  }
}
