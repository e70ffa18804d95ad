public import VGGModel
public import VGGTensors

/// In which order another program stores the axes of weights.
public enum WeightLayout: Sendable {
  /// [row, column, input, output] and [input, output], maps flattened row, column, channel: Keras, and the native order.
  case outputsLast
  /// [output, input, row, column] and [output, input], maps flattened channel, row, column: Caffe, PyTorch, ONNX, ncnn.
  case channelsFirst
  /// [output, row, column, input] and [output, input], maps flattened row, column, channel: TFLite.
  case channelsLast
}

/// A weight in another program's order of axes.
public struct ArrangedWeight: Sendable {
  /// The lengths of the axes.
  public var shape: [Int]
  /// The order of rows, one column after the other; nil: the native order, which has them row by row.
  public var rows: RowOrder?

  /// Brings values into the order.
  public func arrange(_ values: any TensorValues) -> any TensorValues {
    rows.map { TransposedValues(values, rows: $0) } ?? values
  }

  /// Brings codes into the order.
  public func arrange(_ codes: any TensorCodes) -> any TensorCodes {
    rows.map { TransposedCodes(codes, rows: $0) } ?? codes
  }
}

extension Network {
  /// How the weight of a layer is arranged in another program's order; nil for layers without one.
  public func arrangement(ofLayer index: Int, in layout: WeightLayout) -> ArrangedWeight? {
    guard let shape = layers[index].tensorRequirements.first?.shape else { return nil }
    guard layout != .outputsLast else { return ArrangedWeight(shape: shape) }
    let rows = Array(shape.dropLast())
    let outputs = shape[shape.count - 1]
    if shape.count == 4 {
      let axes = layout == .channelsFirst ? [2, 0, 1] : [0, 1, 2]
      return ArrangedWeight(
        shape: [outputs] + axes.map { rows[$0] }, rows: RowOrder(shape: rows, axes: axes))
    }
    let order =
      layout == .channelsFirst
      ? flattenedMap(readByLayer: index).map {
        RowOrder(shape: [$0.extent.height, $0.extent.width, $0.channels], axes: [2, 0, 1])
      } : nil
    return ArrangedWeight(shape: [outputs, rows[0]], rows: order ?? RowOrder(count: rows[0]))
  }

  /// The map that a dense layer reads as one row; nil where it reads what another dense layer gives, or a single pixel.
  public func flattenedMap(readByLayer index: Int) -> FeatureShape? {
    guard index > 0, layers[index].isDense, !layers[index - 1].isDense, let inputExtent,
      let map = try? outputShapes(for: inputExtent)[index - 1], map.extent != Extent(side: 1)
    else { return nil }
    return map
  }
}
