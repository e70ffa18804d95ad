import Foundation
import JSONKit
import TestSupport
import Testing
import VGGInterchange

/// Mean and scale that are stated on the command line, for any source, and what files say of them.
@Suite struct StatedPreprocessingTests {
  private static let caffe = fixture("field/caffe-nets/dex_fc8-101.caffemodel")
  private static let keras = fixture("keras/vgg_b.h5")

  /// The rule of a model, and what import says of it.
  private static func rule(
    _ source: String, _ options: [String]
  ) throws -> (order: String, mean: [Double], scale: [Double], said: String) {
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      let imported = try CommandProcess.run(["import", source, "-o", model] + options)
      try #require(imported.status == 0, "\(imported.errors)")
      let output = try CommandProcess.run(["inspect", model, "--json"]).output
      let rule = try #require(try JSONValue(parsing: Array(output.utf8))["preprocessing"])
      func numbers(_ key: String) -> [Double] { rule[key]?.array?.compactMap(\.number) ?? [] }
      return (
        rule["channelOrder"]?.string ?? "", numbers("mean"), numbers("scale"),
        imported.errorLines.first { $0.contains("preprocessing:") } ?? ""
      )
    }
  }

  private static func refusal(_ source: String, _ options: [String]) throws -> String {
    let process = try CommandProcess.run(["inspect", source] + options)
    #expect(process.status == 65 && process.errorLines.count == 1, "\(process.errors)")
    return process.errors
  }

  @Test(arguments: [caffe, keras])
  func numbersAreBlueGreenRed(_ source: String) throws {
    let bgr = try Self.rule(source, ["--mean", "1,2,3", "--scale", "0.5,1,2"])
    #expect(bgr.order == "bgr" && bgr.mean == [1, 2, 3] && bgr.scale == [0.5, 1, 2])
    #expect(bgr.said.contains("stated on the command line; the channel order is assumed"))
    let rgb = try Self.rule(
      source, ["--mean", "1,2,3", "--scale", "0.5,1,2", "--channel-order", "rgb"])
    #expect(rgb.order == "rgb" && rgb.mean == [3, 2, 1] && rgb.scale == [2, 1, 0.5])
    let one = try Self.rule(source, ["--mean=-7", "--scale", "0.017"])
    #expect(one.mean == [-7, -7, -7] && one.scale == [0.017, 0.017, 0.017])
    let scale = try Self.rule(source, ["--scale", "0.017"])
    #expect(scale.mean == [103.939, 116.779, 123.68] && scale.said.contains("the mean is assumed"))
  }

  @Test(arguments: [
    ["--mean", "1,2"], ["--mean", "1,,3"], ["--mean", "nan"], ["--scale", "0"], ["--scale", "a"],
    ["--scale", "1,2"],
  ])
  func otherNumbersAreAUsageError(_ options: [String]) throws {
    #expect(try CommandProcess.run(["inspect", Self.keras] + options).status == 64)
  }

  /// A mean picture as NumPy stores it: channel, row, column.
  @Test(arguments: [caffe, keras])
  func arraysAreReducedToTheirColour(_ source: String) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/mean.npy"
      var values = [Float](repeating: 0, count: 3 * 100 * 80)
      for index in values.indices { values[index] = Float(100 + 10 * (index / 8000) + index % 2) }
      try Self.write(values, [3, 100, 80], to: path)
      let found = try Self.rule(source, ["--mean", path])
      #expect(found.mean == [100.5, 110.5, 120.5] && found.order == "bgr")
      #expect(found.said.contains("mean.npy, a picture of 100x80 whose pixels differ from it by up to 0.5"))
      try Self.write(values, [100, 80, 3], to: path)
      #expect(try Self.refusal(source, ["--mean", path]).contains("seen [100, 80, 3]"))
      try Self.write(Array(values[..<8000]), [1, 100, 80], to: path)
      #expect(
        try Self.refusal(source, ["--mean", path]).contains("not have the input that the mean picture"))
      try Self.write([.nan, 1, 2], [3, 1, 1], to: path)
      #expect(try Self.refusal(source, ["--mean", path]).contains("not a finite number"))
      let picture = try Self.rule(
        source, ["--mean", fixture("caffe_cases/mean_colour.binaryproto")])
      #expect(picture.mean == [104, 117, 123])
    }
  }

  /// The mean is a file that the model was made of, so verify is given it too.
  @Test func theMeanIsACompanionOfAKerasFile() throws {
    let mean = fixture("caffe_cases/mean_colour.binaryproto")
    try withModel("keras/vgg_b.h5", ["--mean", mean]) { model, _ in
      let source = fixture("keras/vgg_b.h5")
      let process = try CommandProcess.run(["verify", source, model, "--mean", mean])
      #expect(process.status == 0)
    }
  }

  @Test func layersOfTheModelAreNotContradicted() throws {
    let scaled = fixture("keras_cases/keras3_full_scaled.h5")
    for options in [["--mean", "1"], ["--scale", "2"], ["--mean", "104,117,123"]] {
      #expect(try Self.refusal(scaled, options).contains("computes its own preprocessing"))
    }
    let same = try Self.rule(scaled, ["--mean", "31.875,63.75,127.5"])
    #expect(same.order == "rgb" && same.mean == [127.5, 63.75, 31.875])
    let power = fixture("field/caffe-nets/digits_power.caffemodel")
    let found = try Self.rule(power, [])
    #expect(found.mean == [9360, 9360, 9360] && found.scale == [0.0125, 0.0125, 0.0125])
    #expect(try Self.refusal(power, ["--mean", "117"]).contains("computes its own preprocessing"))
  }

  @Test(arguments: [
    ("dex_input_transform.prototxt", [128.0, 128, 128], 0.00390625, "the Input layer says"),
    ("dex_train.prototxt", [100, 110, 120], 0.017, "a data layer says"),
  ])
  func settingsOfAPrototxtCount(
    _ prototxt: String, _ mean: [Double], _ scale: Double, _ words: String
  ) throws {
    let path = fixture("field/caffe-nets/\(prototxt)")
    let found = try Self.rule(Self.caffe, ["--prototxt", path])
    #expect(found.mean == mean && found.scale == [scale, scale, scale])
    #expect(found.said.contains("(\(words) so"))
    let stated = try Self.rule(Self.caffe, ["--prototxt", path, "--mean", "1,2,3"])
    #expect(stated.mean == [1, 2, 3] && stated.scale == [scale, scale, scale])
    #expect(stated.said.contains("stated on the command line; \(words) \(mean)"), "\(stated.said)")
  }

  /// A `.npy` file of float32.
  private static func write(_ values: [Float], _ shape: [Int], to path: String) throws {
    let lengths = shape.map(String.init).joined(separator: ", ")
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(lengths),), }"
    header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
    var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0])
    data += Data(header.utf8)
    values.withUnsafeBytes { data.append(contentsOf: $0) }
    try data.write(to: URL(filePath: path))
  }
}
