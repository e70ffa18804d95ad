import TestSupport
import Testing
import VGGBytes
import VGGCaffe
import VGGModel
import VGGTensors

@testable import CaffeTestSupport

/// Damaged files give a model or an error, never a trap and never a wrong place.
@Suite struct DamageTests {
  static let control =
    (try? MappedFile(path: fixture("bad/control_ok.caffemodel")).bytes).map {
      $0.withBytes(Array.init)
    } ?? []

  /// Imports bytes; what is thrown must say where it is, and what is read must hold together.
  static func importing(_ bytes: [UInt8]) -> FileError? {
    do throws(FileError) {
      let model = try CaffeImporter.model(of: CaffeFile(path: "f", bytes: ByteRegion(copying: bytes)))
      // Cut exactly between two layers, it is the beginning of a network, and says so.
      #expect(model.tensors.count >= 16 || model.network.cut != nil)
      // Reading reaches every place that the shapes promise.
      for tensor in model.tensors { #expect(try tensor.values.array().count == tensor.count) }
      return nil
    } catch {
      #expect(error.kind == .malformed || error.kind == .unsupported)
      #expect((0...bytes.count).contains(error.offset ?? 0))
      return error
    }
  }

  @Test(arguments: 0..<8)
  func truncatedAnywhere(_ part: Int) {
    #expect(!Self.control.isEmpty)
    var accepted = 0
    for length in stride(from: part, to: Self.control.count, by: 8) {
      if Self.importing(Array(Self.control[..<length])) == nil { accepted += 1 }
    }
    // Only between two layers can the rest be missing unseen: behind pool5, fc7 and fc8.
    #expect(accepted <= 4)
  }

  @Test(arguments: [UInt64](1...8))
  func mutated(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var refused = 0
    for round in 0..<400 {
      var bytes = round % 2 == 0 ? TestNet(TestNet.Generation.allCases[round / 2 % 3]).bytes : Self.control
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let position = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[position] = UInt8.random(in: .min ... .max, using: &generator)
        case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.remove(at: position)
        case 3: bytes.insert(UInt8.random(in: .min ... .max, using: &generator), at: position)
        default:
          let end = min(bytes.count, position + Int.random(in: 1..<200, using: &generator))
          bytes.insert(
            contentsOf: bytes[position..<end], at: Int.random(in: 0..<bytes.count, using: &generator))
        }
      }
      if Self.importing(bytes) != nil { refused += 1 }
    }
    #expect(refused > 50)
  }

  /// Each reading needs processes of their own for libhdf5, so there are fewer of these.
  @Test func mutatedSnapshots() throws {
    let whole = try MappedFile(path: fixture("caffe_cases/snapshot.caffemodel.h5")).bytes.withBytes(
      Array.init)
    var generator = SeededGenerator(seed: 11)
    var refused = 0
    for round in 0..<120 {
      var bytes = whole
      for _ in 0...round % 3 {
        // The head of the file, where names and groups are, and anywhere.
        let end = round % 2 == 0 ? 8192 : bytes.count
        bytes[Int.random(in: 8..<end, using: &generator)] = UInt8.random(in: .min ... .max, using: &generator)
      }
      if Self.importing(bytes) != nil { refused += 1 }
    }
    #expect(refused > 10)
  }

  @Test func mutatedText() throws {
    let text = try MappedFile(path: fixture("caffe/vgg_a_lrn.prototxt")).bytes.withBytes(Array.init)
    let weights = CaffeFile(try MappedFile(path: fixture("caffe/vgg_a_lrn.caffemodel")))
    var generator = SeededGenerator(seed: 3)
    let special = Array("{}<>[]\"'\\:;,#-+.x0 9e\n\u{0}".utf8)
    for _ in 0..<300 {
      var bytes = text
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let position = Int.random(in: 0..<bytes.count, using: &generator)
        bytes[position] = special[Int.random(in: 0..<special.count, using: &generator)]
      }
      do throws(FileError) {
        _ = try CaffeImporter.model(
          of: weights, prototxt: CaffeFile(path: "p", bytes: ByteRegion(copying: bytes)))
      } catch {
        #expect(error.kind == .malformed || error.kind == .unsupported)
      }
    }
  }
}
