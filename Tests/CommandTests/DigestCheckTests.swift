import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGNative
import VGGTensors

/// Whatever is derived from a native model is derived from bytes that are what the model says they are.
@Suite struct DigestCheckTests {
  /// What one byte is changed in.
  enum Place: String, CaseIterable {
    case raw
    case bias
    case int8
    case sparse
    case padding

    /// The options of an import that has such a place.
    var options: [String] {
      switch self {
      case .raw, .bias: []
      case .int8, .padding: ["--to", "int8"]
      case .sparse: ["--to", "int8", "--prune-fc", "0.5"]
      }
    }

    /// The offset of a byte there, and the tensor that is to be named.
    func byte(in file: NativeFile) throws -> (offset: Int, tensor: String) {
      let records = file.tensorRecords
      let record =
        switch self {
        case .raw: records.first { $0.role == .weight && $0.storage == .raw }
        case .bias: records.first { $0.role == .bias }
        case .int8: records.first { $0.elementType == .code(.int8) }
        case .sparse: records.first { $0.storage == .sparse }
        case .padding: records.first { $0.storedBytes % 64 != 0 }
        }
      let found = try #require(record)
      let inside = self == .padding ? found.storedBytes : found.storedBytes / 2
      return (found.offset + inside, found.name)
    }
  }

  private static let derived = "derived"

  /// The commands that read values, with what they need; the output is `derived`.
  private static let commands: [[String]] = [
    ["run", "m.vggw", fixture("pictures/digit_7.png")],
    ["run", "m.vggw", fixture("pictures/digit_7.png"), "--save-activations", derived],
    ["evaluate", "m.vggw", fixture("digits_test.npz")],
    ["quantize", "m.vggw", "--to", "fp16", "-o", derived],
    ["prune", "m.vggw", "--fc", "0.5", "-o", derived],
    ["prune", "m.vggw", "--drop-fc", "-o", derived],
    ["export", "m.vggw", "--to", "safetensors", "-o", derived],
    ["export", "m.vggw", "--to", "npz", "-o", derived],
    ["verify", fixture("keras/vgg_d_digits.h5"), "m.vggw"],
    ["bench", "m.vggw", "--repeat", "1"],
  ]

  /// Changes one byte of a model.
  private func damage(_ model: String, _ place: Place) throws -> (offset: Int, tensor: String) {
    let (offset, tensor) = try place.byte(in: VGGWFile.open(path: model))
    var bytes = try Data(contentsOf: URL(filePath: model))
    bytes[offset] ^= 1
    try bytes.write(to: URL(filePath: model))
    return (offset, tensor)
  }

  @Test(arguments: Place.allCases) func damageIsFoundByEachCommand(_ place: Place) throws {
    try withModel("keras/vgg_d_digits.h5", place.options) { model, folder in
      try FileManager.default.moveItem(atPath: model, toPath: "\(folder)/m.vggw")
      let (offset, tensor) = try damage("\(folder)/m.vggw", place)
      for command in Self.commands {
        let process = try CommandProcess.run(command, in: folder)
        #expect(process.status == 65, "\(command): \(process.status) \(process.errors)")
        #expect(
          process.errors.hasPrefix("vggconv: m.vggw: ") && process.errors.contains("tensor \(tensor)"),
          "\(process.errors)")
        // Damage is located by the block that it lies in: these tensors have one each.
        let stated = try #require(process.errors.firstMatch(of: /offset (\d+)/).flatMap { Int($0.1) })
        #expect(place == .padding ? stated == offset : stated <= offset && offset - stated < 4 << 20)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["m.vggw"])
      }
      // What reads the manifest alone stays fast, and says nothing of the weights.
      for command in ["inspect", "summary"] {
        #expect(try CommandProcess.run([command, "m.vggw"], in: folder).status == 0)
      }
    }
  }

  @Test func whoeverAsksForItGetsNoCheck() throws {
    try withModel("keras/vgg_d_digits.h5") { model, folder in
      _ = try damage(model, .raw)
      for command in Self.commands where command[0] != "verify" {
        let words = command.map { $0 == "m.vggw" ? model : $0 } + ["--no-check"]
        let process = try CommandProcess.run(words, in: folder)
        #expect(process.status == 0, "\(command): \(process.errors)")
        try? FileManager.default.removeItem(atPath: "\(folder)/\(Self.derived)")
      }
      let verified = try CommandProcess.run(
        ["verify", fixture("keras/vgg_d_digits.h5"), model, "--no-check"], in: folder)
      #expect(verified.status == 1)
    }
  }

  /// A model whose digests all fit each other, but are the identity of other weights.
  @Test(arguments: [[], ["--to", "int8"], ["--to", "fp16"], ["--to", "int8", "--prune-fc", "0.5"]])
  func anIdentityOfOtherWeightsIsFound(_ options: [String]) throws {
    try withModel("keras/vgg_d_digits.h5", options) { model, folder in
      try forgeIdentity(of: model, tensor: "fc7/weight")
      let list = "\(folder)/SUMS"
      let sums = try CommandProcess.run("/bin/sh", ["-c", "sha256sum \(model)"], in: folder)
      try sums.output.write(toFile: list, atomically: true, encoding: .utf8)
      for command in [["checksum", model], ["verify", fixture("keras/vgg_d_digits.h5"), model]] {
        let process = try CommandProcess.run(command)
        #expect(process.status == 65 && process.output.isEmpty, "\(command): \(process.output)")
        #expect(process.errors.contains("fc7/weight"), "\(process.errors)")
      }
      let checked = try CommandProcess.run(["checksum", "--check", list])
      #expect(checked.status == 1 && checked.output.contains("FAILED"), "\(checked.output)")
    }
  }

  /// Replaces the digest of a tensor's values by another one, and makes all digests fit that are made of it.
  private func forgeIdentity(of path: String, tensor name: String) throws {
    let file = try VGGWFile.open(path: path)
    let record = try #require(file.tensorRecords.first { $0.name == name })
    let other = sha256(of: ByteRegion(copying: [1]))
    var message: [UInt8] = []
    for needed in file.model.network.tensorRequirements {
      let record = try #require(file.tensorRecords.first { $0.name == needed.name })
      message += Array(record.name.utf8) + [0]
      message += withUnsafeBytes(of: UInt32(record.shape.count).littleEndian) { Array($0) }
      for axis in record.shape { message += withUnsafeBytes(of: UInt64(axis).littleEndian) { Array($0) } }
      message += record.name == name ? other.bytes : record.valuesDigest.bytes
    }
    var bytes = try Data(contentsOf: URL(filePath: path))
    let start = bytes[32..<40].reversed().reduce(0) { $0 << 8 | Int($1) }
    // The last place of the digest in the message: of raw float32 it is the stored bytes' too.
    let values = try #require(bytes[start...].range(of: Data(record.valuesDigest.bytes), options: .backwards))
    bytes.replaceSubrange(values, with: other.bytes)
    let identity = try #require(bytes[start...].range(of: Data(file.weightsDigest.bytes)))
    bytes.replaceSubrange(identity, with: sha256(of: ByteRegion(copying: message)).bytes)
    let digested = Array(bytes[..<64]) + Array(bytes[start...])
    bytes.replaceSubrange(64..<96, with: sha256(of: ByteRegion(copying: digested)).bytes)
    try bytes.write(to: URL(filePath: path))
  }
}
