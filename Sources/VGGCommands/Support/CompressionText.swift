internal import CommandLineKit
internal import JSONKit
internal import VGGCompress
internal import VGGConv
internal import VGGModel
internal import VGGTensors

extension CompressionReport {
  /// The table for people. The use of a narrow floating-point range is told where there is one.
  func text(_ console: Console) -> String {
    let isNarrow = layers.contains { $0.stored?.elementType.isNarrowFloat == true }
    let hasCodes = layers.contains { $0.stored?.scales != nil }
    var columns: [(title: String, alignment: TextTable.Alignment)] = [
      ("layer", .left), ("before", .right), ("after", .right), ("bits/weight", .right), ("zeros", .right),
      ("largest error", .right), ("SQNR", .right),
    ]
    if hasCodes { columns += [("scale", .right), ("clipped", .right)] }
    if isNarrow {
      columns += [
        ("smallest", .right), ("largest", .right), ("subnormal", .right), ("to zero", .right),
        ("overflow", .right),
      ]
    }
    var table = TextTable(columns)
    for layer in layers {
      guard let stored = layer.stored else {
        table.add([layer.name, Format.bytes(layer.bytesBefore), "dropped"])
        continue
      }
      let distortion = stored.distortion
      var cells = [
        layer.name, Format.bytes(layer.bytesBefore), Format.bytes(stored.bytes),
        Format.fixed(Double(stored.bytes) * 8 / Double(distortion.count), 2),
        Format.percent(Double(distortion.zeroCount) / Double(distortion.count), decimals: 1),
        Format.scientific(distortion.largestError),
        distortion.errorEnergy == 0 ? "exact" : "\(Format.fixed(distortion.signalToNoise, 1)) dB",
      ]
      if hasCodes {
        cells += [
          stored.scales?.text ?? "", stored.scales.map { _ in Format.grouped(distortion.clippedCount) } ?? "",
        ]
      }
      if stored.elementType.isNarrowFloat {
        cells += [
          Format.scientific(Double(distortion.smallestMagnitude)),
          Format.scientific(Double(distortion.largestMagnitude)),
          Format.grouped(distortion.subnormalCount), Format.grouped(distortion.newZeroCount),
          Format.grouped(distortion.overflowCount),
        ]
      }
      table.add(cells)
    }
    table.addRule()
    table.add([
      "all", Format.bytes(bytesBefore), Format.bytes(bytesAfter),
      Format.fixed(Double(bytesAfter) * 8 / Double(max(1, valueCount)), 2),
      "", "", "\(Format.fixed(Double(bytesBefore) / Double(max(1, bytesAfter)), 1))x smaller",
    ])
    return table.rendered(for: console)
  }

  /// Notes of what a user must not overlook.
  func warn(_ console: Console) {
    for layer in layers {
      guard let stored = layer.stored, stored.distortion.overflowCount > 0 else { continue }
      console.note(
        "\(layer.name): \(Format.grouped(stored.distortion.overflowCount)) values are too large for "
          + stored.elementType.name)
    }
  }

  /// The same for scripts.
  var json: JSONValue {
    .array(
      layers.map { layer in
        guard let stored = layer.stored else {
          return [
            "layer": .string(layer.name), "bytesBefore": .integer(Int64(layer.bytesBefore)), "bytesAfter": 0,
          ]
        }
        let distortion = stored.distortion
        return [
          "layer": .string(layer.name), "bytesBefore": .integer(Int64(layer.bytesBefore)),
          "bytesAfter": .integer(Int64(stored.bytes)), "elementType": .string(stored.elementType.name),
          "scales": stored.scales.map { scales in
            ["least": .number(Double(scales.lowerBound)), "most": .number(Double(scales.upperBound))]
          } ?? .null,
          "clipped": .integer(Int64(distortion.clippedCount)),
          "zeros": .integer(Int64(distortion.zeroCount)),
          "newZeros": .integer(Int64(distortion.newZeroCount)),
          "subnormals": .integer(Int64(distortion.subnormalCount)),
          "overflows": .integer(Int64(distortion.overflowCount)),
          "smallestMagnitude": .number(Double(distortion.smallestMagnitude)),
          "largestMagnitude": .number(Double(distortion.largestMagnitude)),
          "largestError": .number(distortion.largestError), "sqnr": .number(distortion.signalToNoise),
        ]
      })
  }
}

extension CalibratedActivations {
  /// The table for people: what the pictures gave, and what the integers make of it.
  func text(_ console: Console) -> String {
    var table = TextTable([
      ("map", .left), ("range", .right), ("scale", .right), ("zero point", .right), ("clipped", .right),
    ])
    for layer in layers {
      // A range that begins at -0 begins at 0.
      let range = [layer.range.low, layer.range.high].map { Format.significant(Double($0) + 0, 4) }
      table.add([
        layer.name, range.joined(separator: " to "), Format.scientific(Double(layer.quantization.scale)),
        "\(layer.quantization.zeroPoint)", Format.percent(layer.clippedFraction, decimals: 3),
      ])
    }
    return table.rendered(for: console)
  }

  /// The same for scripts.
  var json: JSONValue {
    .array(
      layers.map { layer in
        [
          "map": .string(layer.name), "least": .number(Double(layer.range.low)),
          "most": .number(Double(layer.range.high)), "scale": .number(Double(layer.quantization.scale)),
          "zeroPoint": .integer(Int64(layer.quantization.zeroPoint)),
          "clipped": .number(layer.clippedFraction),
        ]
      })
  }
}

extension ElementType {
  /// Whether it is a floating-point type with less range or precision than float32.
  fileprivate var isNarrowFloat: Bool { self == .real(.float16) || self == .real(.bfloat16) }
}

extension ClosedRange<Float> {
  /// The smallest and the largest scale, or the only one.
  fileprivate var text: String {
    let bounds = [Double(lowerBound), Double(upperBound)].map(Format.scientific)
    return lowerBound == upperBound ? bounds[0] : bounds.joined(separator: " to ")
  }
}
