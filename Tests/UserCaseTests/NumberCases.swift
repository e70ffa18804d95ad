import Foundation
import JSONKit
import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGInterchange
import VGGModel
import VGGNative
import VGGSources
import VGGTensors

@testable import CaffeTestSupport

/// Inputs, precision, size and verdicts.
@Suite struct NumberCases {
  private static let digits = fixture("keras/vgg_d_digits.h5")

  /// Imports a source and hands on the model's path and its folder.
  private static func withModel(
    _ source: String = digits, _ options: String..., body: (String, String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.vggw"
      let process = try CommandProcess.run(["import", source, "-o", path] + options)
      try #require(process.status == 0, "\(process.errors)")
      try body(path, folder)
    }
  }

  private static func logits(_ model: String, _ picture: String) throws -> [Int: Double] {
    let top = try #require(
      json("run", model, fixture(picture), "--top", "10", "--engine", "reference")["results"]?.array?.first?[
        "top"]?.array)
    return try Dictionary(
      uniqueKeysWithValues: top.map {
        (try #require($0["class"]?.integer), try #require($0["logit"]?.number))
      })
  }

  @Test("case 37: what is done to pictures is in the file; folding it is a choice that says what it costs")
  func case37_preprocessing() throws {
    try Self.withModel { plain, folder in
      let stored = try #require(json("inspect", plain)["preprocessing"])
      #expect(stored["channelOrder"]?.string == "bgr")
      #expect(stored["mean"]?.array?.map(\.number) == [103.939, 116.779, 123.68])
      #expect(try model(plain).provenance.inputFolding == InputFolding())  // nothing unasked

      let reversed = "\(folder)/rgb.vggw"
      try succeeding("import", Self.digits, "--fold-channel-order", "rgb", "-o", reversed)
      let rule = try #require(json("inspect", reversed)["preprocessing"])
      #expect(rule["channelOrder"]?.string == "rgb")
      #expect(rule["mean"]?.array?.map(\.number) == [123.68, 116.779, 103.939])
      let expected = try Self.logits(plain, "pictures/colours.png")
      for (index, logit) in try Self.logits(reversed, "pictures/colours.png") {
        #expect((logit - (expected[index] ?? .nan)).magnitude < 1e-4)
      }
      let verified = try vggconv("verify", Self.digits, reversed)
      #expect(verified.status == 0 && verified.output.contains("EXACT"), "\(verified.output)")

      let folded = "\(folder)/pixels.vggw"
      let process = try succeeding("import", Self.digits, "--fold-preprocessing", "-o", folded)
      #expect(process.errors.contains("Inexact within one pixel of the border"))
      let nothing = try #require(json("inspect", folded)["preprocessing"])
      #expect(nothing["mean"]?.array?.map(\.number) == [0, 0, 0])
      // Only the frame of the first map differs from the original's.
      try succeeding("run", plain, fixture("pictures/digit_7.png"), "--save-activations", "\(folder)/p.npz")
      try succeeding("run", folded, fixture("pictures/digit_7.png"), "--save-activations", "\(folder)/f.npz")
      let maps = try ["p", "f"].map { name in
        try #require(try NumPyArchive(MappedFile(path: "\(folder)/\(name).npz")).array("conv1_1"))
      }
      #expect(maps[0].shape == [1, 64, 64, 8])
      var (inside, frame) = (Float(0), Float(0))
      for (index, (one, two)) in try zip(maps[0].values(), maps[1].values()).enumerated() {
        let (row, column) = (index / 8 / 64, index / 8 % 64)
        let isInside = (1..<63).contains(row) && (1..<63).contains(column)
        if isInside {
          inside = max(inside, (one - two).magnitude)
        } else {
          frame = max(frame, (one - two).magnitude)
        }
      }
      #expect(inside < 1e-4 && frame > 0.01)
      #expect(try json("evaluate", folded, fixture("digits_test.npz"))["top1Correct"]?.integer ?? 0 >= 355)
    }
  }

  @Test("case 38: what fp16 and bf16 lose is counted for each tensor, and normalisation sums in float32")
  func case38_halfPrecision() throws {
    var net = TestNet()
    let values: [Float] = [65504, 1e5, -1e6, 1e-5, 3e-8, 1e-9] + Array(repeating: 0.5, count: 48)
    net.change("conv1_1") { $0.blobs[0] = .blob([2, 3, 3, 3], values) }
    try withTemporaryFolder { folder in
      let source = "\(folder)/net.caffemodel"
      try Data(net.bytes).write(to: URL(filePath: source))
      try succeeding("import", source)
      let halved = try vggconv(
        "quantize", "\(folder)/net.vggw", "--to", "fp16", "-o", "\(folder)/half.vggw", "--json")
      // It is what was asked for, but infinite: it is kept, and said to be of no use.
      #expect(halved.status == 1)
      #expect(halved.errors.contains("conv1_1: 2 values are too large for float16"))
      let changes = try #require(JSONValue(parsing: Array(halved.output.utf8))["changes"]?.array)
      #expect(changes.count == 11)
      let first = try #require(changes.first { $0["layer"]?.string == "conv1_1" })
      #expect(first["overflows"]?.integer == 2)
      #expect(first["subnormals"]?.integer == 2 && first["newZeros"]?.integer == 1)
      #expect(first["largestMagnitude"]?.number == 1e6)
      #expect(first["smallestMagnitude"]?.number == Double(Float(1e-9)))
      let narrow = try json(
        "quantize", "\(folder)/net.vggw", "--to", "bf16", "-o", "\(folder)/brain.vggw")
      let kept = try #require(narrow["changes"]?.array?.first { $0["layer"]?.string == "conv1_1" })
      #expect(kept["overflows"]?.integer == 0 && kept["subnormals"]?.integer == 0)
      let table = try succeeding(
        "quantize", "\(folder)/net.vggw", "--to", "fp16", "-o", "\(folder)/half.vggw", "--force",
        "--explain-only")
      for title in ["smallest", "largest", "subnormal", "to zero", "overflow"] {
        #expect(table.output.contains(title), "\(title)")
      }
    }
    // Nothing is halved unasked.
    try Self.withModel { path, _ in
      let tensors = try model(path).tensors
      #expect(tensors.allSatisfy { $0.isPlain })
    }
    // Sums of squares of these activations are beyond fp16's 65504, and right all the same.
    let (source, prototxt) = (
      fixture("caffe/vgg_a_lrn_k2.caffemodel"), fixture("caffe/vgg_a_lrn_k2.prototxt")
    )
    try Self.withModel(source, "--prototxt", prototxt, "--to", "fp16") { path, folder in
      let reference = fixture("refs/caffe_vgg_a_lrn_k2.npz")
      try succeeding("run", path, reference, "--layout", "nchw", "--save-activations", "\(folder)/a.npz")
      let archive = try NumPyArchive(MappedFile(path: "\(folder)/a.npz"))
      let before = try #require(try archive.array("conv1_1")).values().map(Double.init)
      let after = try #require(try archive.array("norm1")).values().map(Double.init)
      let constants = try #require(try model(path).normalization)
      let channels = 6
      try #require(before.count == 64 * 64 * channels && after.count == before.count)
      var (largestSum, largestError) = (0.0, 0.0)
      for first in stride(from: 0, to: before.count, by: channels) {
        for channel in 0..<channels {
          let window = max(0, channel - 2)...min(channels - 1, channel + 2)
          let sum = window.reduce(0) { $0 + before[first + $1] * before[first + $1] }
          let expected = before[first + channel] / pow(constants.k + constants.scale * sum, constants.beta)
          largestSum = max(largestSum, sum)
          largestError = max(largestError, (after[first + channel] - expected).magnitude / max(1, expected))
        }
      }
      #expect(largestSum > 65504)
      #expect(largestError < 1e-5)
    }
  }

  @Test(
    "case 39: int8's scales are in the model, its version is checked, each layer's loss is told, layers can be left"
  )
  func case39_int8() throws {
    try Self.withModel { path, folder in
      let small = "\(folder)/small.vggw"
      let report = try json("quantize", path, "--to", "int8", "-o", small)
      let changes = try #require(report["changes"]?.array)
      #expect(changes.count == 16)
      for change in changes {
        #expect((35...60).contains(try #require(change["sqnr"]?.number)))
        #expect(try #require(change["largestError"]?.number) > 0 && change["elementType"]?.string == "int8")
      }
      for tensor in try model(small).tensors where tensor.role == .weight {
        guard let scales = tensor.quantization?.scales else {
          Issue.record("\(tensor.name) is not int8")
          continue
        }
        #expect(scales.count == tensor.shape.last && scales.allSatisfy { $0 > 0 })
      }
      // Another major version is refused by its number.
      var bytes = [UInt8](try Data(contentsOf: URL(filePath: small)))
      bytes[8] = 9
      try Data(bytes).write(to: URL(filePath: "\(folder)/future.vggw"))
      let refused = try vggconv("inspect", "\(folder)/future.vggw")
      #expect(refused.status == 65 && refused.errors.contains("version") && refused.errors.contains("9"))

      let kept = "\(folder)/kept.vggw"
      try succeeding("quantize", path, "--to", "int8", "--keep", "conv1_1,fc8", "-o", kept)
      let encodings = try model(kept).tensors.filter { $0.role == .weight }.map(\.elementType.name)
      #expect(encodings == ["float32"] + Array(repeating: "int8", count: 14) + ["float32"])
      #expect(try vggconv("verify", Self.digits, kept).status == 0)
      // On trained weights none is bad enough to be left by itself, and unless asked for none is.
      try succeeding("quantize", path, "--to", "int8", "--keep", "auto", "-o", "\(folder)/auto.vggw")
      #expect(try digest("\(folder)/auto.vggw") == digest(small))
      #expect(try vggconv("quantize", path, "--to", "int8", "--keep", "conv9_9", "-o", "x").status == 64)
    }
    // Where the weights of fc7 do not fit one scale a channel, it stays.
    var net = TestNet()
    var values = Array(repeating: Float(0.001), count: 56)
    for output in 0..<8 { values[output * 7] = 1 }
    for index in values.indices where values[index] != 1 { values[index] *= Float(index % 3 + 1) + 0.9 }
    for index in values.indices where values[index] == 1 { values[index] = 0.35 }
    net.change("fc7") { $0.blobs[0] = .blob([8, 7], values) }
    try withTemporaryFolder { folder in
      try Data(net.bytes).write(to: URL(filePath: "\(folder)/net.caffemodel"))
      try succeeding(
        "import", "\(folder)/net.caffemodel", "--to", "fp16", "--keep", "auto", "-o", "\(folder)/a.vggw")
      let tensors = try model("\(folder)/a.vggw").tensors.filter { $0.role == .weight }
      #expect(tensors.allSatisfy { $0.elementType == .real(.float16) })
      net.change("fc7") { $0.blobs[0] = .blob([8, 7], values.map { $0 * 1e6 }) }
      try Data(net.bytes).write(to: URL(filePath: "\(folder)/net.caffemodel"))
      try succeeding(
        "import", "\(folder)/net.caffemodel", "--to", "fp16", "--keep", "auto", "-o", "\(folder)/b.vggw")
      let left = try model("\(folder)/b.vggw").tensors.filter {
        $0.isPlain && $0.role == .weight
      }
      #expect(left.map(\.name) == ["fc7/weight"])
    }
  }

  @Test("case 40: memory does not grow with the model")
  func case40_memory() throws {
    // A last layer of 67 MB, imported by a process that may own less than that.
    let classCount = 1 << 21
    var net = TestNet()
    net.layers.removeLast()  // the softmax: the large layer is to be the last
    let last = net.layers.removeLast()
    let layer = Message {
      $0.text(1, last.name)
      $0.text(2, "InnerProduct")
      $0.text(3, last.bottom)
      $0.text(4, last.top)
      $0.message(
        117,
        Message {
          $0.varint(1, classCount)
          $0.varint(2, 0)  // no bias
          $0.varint(6, 1)  // transposed: [in, out]
        })
    }
    let byteCount = 8 * classCount * 4
    let file = net.bytes.endingIn(
      layer, field: 100, blob: Message { $0.message(7, .shape([8, classCount])) }, field: 7, hole: byteCount,
      field: 5)
    try withTemporaryFolder { folder in
      let (source, written) = ("\(folder)/large.caffemodel", "\(folder)/m.vggw")
      try writeSparse(file, byteCount: file.count + byteCount, to: source)
      func limited(_ arguments: String...) throws -> CommandProcess {
        let words = [CommandProcess.executable] + arguments
        let process = try CommandProcess.run(
          "/bin/bash", ["-c", "ulimit -s 512; ulimit -d 65000; exec \"$@\"", "bash"] + words)
        try #require(process.status == 0, "\(process.errors)")
        return process
      }
      // Running the network is another matter: two million classes take more than its weights.
      let process = try limited("import", source, "-o", written, "--no-verify")
      #expect(process.output.contains("2097152 values"))
      let digests = try [source, written].map {
        try JSONValue(parsing: Array(limited("inspect", $0, "--json").output.utf8))["weightsDigest"]?.string
      }
      #expect(digests[0] == digests[1] && digests[0] != nil)
    }
  }

  @Test("case 41: a pruned model is smaller, and what each layer took before and after is told")
  func case41_pruning() throws {
    try Self.withModel { path, folder in
      let small = "\(folder)/small.vggw"
      let table = try succeeding("prune", path, "--fc", "0.9", "-o", small, "--explain-only")
      for layer in ["conv1_1", "conv5_3", "fc6", "fc7", "fc8"] {
        #expect(table.output.split(separator: "\n").contains { $0.hasPrefix(layer) }, "\(layer)")
      }
      #expect(table.output.contains("before") && table.output.contains("after"))
      let size = { (path: String) in try Data(contentsOf: URL(filePath: path)).count }
      let dense = try #require(json("inspect", path)["tensors"]?.array)
      let sparse = try #require(json("inspect", small)["tensors"]?.array)
      var saved = 0
      for (before, after) in zip(dense, sparse) {
        let (old, new) = (
          try #require(before["storedBytes"]?.integer), try #require(after["storedBytes"]?.integer)
        )
        let isPruned = after["name"]?.string?.hasPrefix("fc") == true && after["shape"]?.array?.count == 2
        #expect(after["encoding"]?.string == (isPruned ? "sparse" : "raw"))
        // A bit for each weight and four bytes for a tenth of them: 13 % of float32.
        if isPruned { #expect(new * 100 <= old * 14) } else { #expect(new == old) }
        saved += old - new
      }
      #expect(try size(path) - size(small) >= saved - 4096)
      let changes = try #require(
        json("prune", path, "--fc", "0.9", "-o", "\(folder)/again.vggw")["changes"]?.array)
      let fc6 = try #require(changes.first { $0["layer"]?.string == "fc6" })
      #expect(fc6["bytesBefore"]?.integer == 98304)
      #expect(try #require(fc6["bytesAfter"]?.integer) < 98304 * 14 / 100)
    }
  }

  @Test("case 42: an import is verified unless somebody says no, and the first layer that differs is named")
  func case42_verification() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.vggw"
      let process = try succeeding("import", Self.digits, "-o", path)
      #expect(process.output.contains("verified: all 265,522 values of 32 tensors"))
      #expect(try json("import", Self.digits, "-o", "\(folder)/j.vggw")["verified"]?.bool == true)
      #expect(
        try json("import", Self.digits, "-o", "\(folder)/k.vggw", "--no-verify")["verified"]?.bool == false)

      // One weight of conv4_2 off by a hair: a model that still "works".
      let good = try model(path)
      let changed = try good.mappingTensors { (tensor) throws(FileError) in
        guard tensor.name == "conv4_2/weight" else { return tensor }
        var values = try tensor.values.array()
        values[1000] = values[1000].nextUp
        return tensor.replacing(values: MemoryValues(values))
      }
      try VGGWFile.write(changed, to: "\(folder)/bad.vggw")
      let verified = try vggconv("verify", Self.digits, "\(folder)/bad.vggw", "--json")
      #expect(verified.status == 1)
      let reasons = try #require(JSONValue(parsing: Array(verified.output.utf8))["reasons"]?.array)
      #expect(try #require(reasons.first?.string).hasPrefix("conv4_2"))
      #expect(!reasons.contains { $0.string?.hasPrefix("conv4_1") == true })
    }
  }
}
