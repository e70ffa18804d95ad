internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGCompress
internal import VGGModel
internal import VGGNative
internal import VGGTensors

/// Size and error of each layer before and after passes, as they are in the written file.
struct ModelChanges {
  /// What happened to the weight of a layer.
  private struct LayerChange {
    var layer: String
    var bytesBefore: Int
    /// Stored bytes, what changed, and the type of the elements; nil for a layer that was dropped.
    var after: (bytes: Int, change: TensorChange, type: ElementType)?
  }

  private var layers: [LayerChange] = []
  /// The stored bytes of all tensors, biases included.
  private var (totalBefore, totalAfter, totalCount) = (0, 0, 0)

  /// Compares all weights.
  ///
  /// - Parameters:
  ///   - before: The model that was changed.
  ///   - sizesBefore: The stored bytes of each tensor before; as many as float32 needs for a source.
  ///   - after: What became of it.
  ///   - records: How its tensors are stored.
  init(
    from before: Model, sizesBefore: [String: Int]? = nil, to after: Model, records: [TensorRecord]
  ) throws(FileError) {
    let stored = Dictionary(uniqueKeysWithValues: records.map { ($0.name, $0.storedBytes) })
    for tensor in before.tensors {
      let size = sizesBefore?[tensor.name] ?? tensor.count * MemoryLayout<Float>.size
      totalBefore += size
      var layer = LayerChange(layer: String(tensor.name.prefix { $0 != "/" }), bytesBefore: size)
      if let changed = after.tensor(tensor.name), let newSize = stored[tensor.name] {
        totalAfter += newSize
        totalCount += tensor.count
        guard tensor.role == .weight else { continue }
        layer.after = (newSize, try TensorChange(from: tensor, to: changed), changed.elementType)
      }
      if tensor.role == .weight { layers.append(layer) }
    }
  }

  /// The table for people. The use of a narrow floating-point range is told where there is one.
  func text(_ console: Console) -> String {
    let isNarrow = layers.contains { $0.after?.type.isNarrowFloat == true }
    var columns: [(title: String, alignment: TextTable.Alignment)] = [
      ("layer", .left), ("before", .right), ("after", .right), ("bits/weight", .right), ("zeros", .right),
      ("largest error", .right), ("SQNR", .right),
    ]
    if isNarrow {
      columns += [
        ("smallest", .right), ("largest", .right), ("subnormal", .right), ("to zero", .right),
        ("overflow", .right),
      ]
    }
    var table = TextTable(columns)
    for layer in layers {
      guard let (bytes, change, type) = layer.after else {
        table.add([layer.layer, Format.bytes(layer.bytesBefore), "dropped"])
        continue
      }
      var cells = [
        layer.layer, Format.bytes(layer.bytesBefore), Format.bytes(bytes),
        Format.fixed(Double(bytes) * 8 / Double(change.count), 2),
        Format.percent(Double(change.zeroCount) / Double(change.count), decimals: 1),
        Format.scientific(change.largestError),
        change.errorEnergy == 0 ? "exact" : "\(Format.fixed(change.signalToNoise, 1)) dB",
      ]
      if type.isNarrowFloat {
        cells += [
          Format.scientific(Double(change.smallestMagnitude)),
          Format.scientific(Double(change.largestMagnitude)),
          Format.grouped(change.subnormalCount), Format.grouped(change.newZeroCount),
          Format.grouped(change.overflowCount),
        ]
      }
      table.add(cells)
    }
    table.addRule()
    table.add([
      "all", Format.bytes(totalBefore), Format.bytes(totalAfter),
      Format.fixed(Double(totalAfter) * 8 / Double(max(1, totalCount)), 2),
      "", "", "\(Format.fixed(Double(totalBefore) / Double(max(1, totalAfter)), 1))x smaller",
    ])
    return table.rendered(for: console)
  }

  /// Notes of what a user must not overlook.
  func warn(_ console: Console) {
    for layer in layers {
      guard let (_, change, type) = layer.after, change.overflowCount > 0 else { continue }
      console.note(
        "\(layer.layer): \(Format.grouped(change.overflowCount)) values are too large for \(type.name)"
      )
    }
  }

  /// The same for scripts.
  var json: JSONValue {
    .array(
      layers.map { layer in
        guard let (bytes, change, type) = layer.after else {
          return [
            "layer": .string(layer.layer), "bytesBefore": .integer(Int64(layer.bytesBefore)), "bytesAfter": 0,
          ]
        }
        return [
          "layer": .string(layer.layer), "bytesBefore": .integer(Int64(layer.bytesBefore)),
          "bytesAfter": .integer(Int64(bytes)), "elementType": .string(type.name),
          "zeros": .integer(Int64(change.zeroCount)), "newZeros": .integer(Int64(change.newZeroCount)),
          "subnormals": .integer(Int64(change.subnormalCount)),
          "overflows": .integer(Int64(change.overflowCount)),
          "smallestMagnitude": .number(Double(change.smallestMagnitude)),
          "largestMagnitude": .number(Double(change.largestMagnitude)),
          "largestError": .number(change.largestError), "sqnr": .number(change.signalToNoise),
        ]
      })
  }
}

extension ElementType {
  /// Whether it is a floating-point type with less range or precision than float32.
  fileprivate var isNarrowFloat: Bool { self == .real(.float16) || self == .real(.bfloat16) }
}
