public import VGGTensors

/// The shape of what a layer puts out for one picture: rows, columns, channels.
public struct FeatureShape: Equatable, Sendable {
  /// Rows and columns; 1x1 behind a dense layer.
  public var extent: Extent
  /// The number of channels.
  public var channels: Int

  /// Creates a shape.
  public init(extent: Extent, channels: Int) {
    self.extent = extent
    self.channels = channels
  }

  /// The number of values.
  public var count: Int { extent.height * extent.width * channels }
}

/// Layers that do not fit together, or an input that does not fit the network.
public struct ShapeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The layer that does not fit.
  public var layer: String
  /// What is wrong.
  public var problem: String

  /// Creates an error.
  public init(layer: String, problem: String) {
    self.layer = layer
    self.problem = problem
  }

  /// `pool5: …`
  public var description: String { "\(layer): \(problem)" }
}

extension Network {
  /// The largest side of an input: larger pictures are no use, and sizes up to this cannot overflow.
  public static let largestInputSide = 16384

  /// The output shapes of all layers for an input of an extent, in order.
  ///
  /// - Throws: Where the channels of two layers differ, the extent shrinks to nothing, or the dense layers were made for another extent.
  public func outputShapes(for input: Extent) throws(ShapeError) -> [FeatureShape] {
    let sides = 1...Network.largestInputSide
    guard sides.contains(input.height), sides.contains(input.width) else {
      throw ShapeError(
        layer: "input", problem: "is \(input), allowed are sides of 1 to \(Network.largestInputSide)")
    }
    var shape = FeatureShape(extent: input, channels: inputChannels)
    var shapes: [FeatureShape] = []
    for layer in layers {
      shape = try layer.outputShape(for: shape)
      shapes.append(shape)
    }
    return shapes
  }
}

extension Layer {
  /// The output shape for an input shape.
  public func outputShape(for input: FeatureShape) throws(ShapeError) -> FeatureShape {
    switch operation {
    case .convolution(let convolution):
      guard convolution.inputChannels == input.channels else {
        throw ShapeError(
          layer: name, problem: "takes \(convolution.inputChannels) channels, but gets \(input.channels)")
      }
      let extent = try windows(
        input.extent, kernel: convolution.effectiveKernel, convolution.stride, convolution.padding)
      return FeatureShape(extent: extent, channels: convolution.outputChannels)
    case .pooling(let pooling) where pooling.isGlobal:
      return FeatureShape(extent: Extent(side: 1), channels: input.channels)
    case .pooling(let pooling):
      try requirePixels(in: pooling, over: input.extent)
      let extent = try windows(
        input.extent, kernel: pooling.kernel, pooling.stride, pooling.padding, rounding: pooling.rounding)
      return FeatureShape(extent: extent, channels: input.channels)
    case .dense(let dense):
      guard dense.inputs == input.count else {
        throw ShapeError(
          layer: name,
          problem: "takes \(dense.inputs) values, but gets \(input.extent)x\(input.channels) = \(input.count)"
        )
      }
      return FeatureShape(extent: Extent(side: 1), channels: dense.outputs)
    case .normalization, .softmax, .sigmoid:
      return input
    }
  }

  /// Requires that each window has a pixel of the map: the maximum or mean of none is no number, and programs differ in what it is.
  private func requirePixels(in pooling: Pooling, over map: Extent) throws(ShapeError) {
    for (length, kernel, stride, padding) in [
      (map.height, pooling.kernel.height, pooling.stride.height, pooling.padding.height),
      (map.width, pooling.kernel.width, pooling.stride.width, pooling.padding.width),
    ] {
      let count = windowCount(length, kernel, stride, padding, pooling.rounding) ?? 1
      guard padding < kernel, (count - 1) * stride < length + padding else {
        throw ShapeError(
          layer: name,
          problem:
            "has a window that lies beside the map: \(pooling.kernel) with stride \(pooling.stride) and "
            + "padding \(pooling.padding) on \(map)")
      }
    }
  }

  private func windows(
    _ input: Extent, kernel: Extent, _ stride: Extent, _ padding: Extent, rounding: Pooling.Rounding = .floor
  ) throws(ShapeError) -> Extent {
    let height = windowCount(input.height, kernel.height, stride.height, padding.height, rounding)
    let width = windowCount(input.width, kernel.width, stride.width, padding.width, rounding)
    guard let height, let width else {
      throw ShapeError(layer: name, problem: "needs an input of at least \(kernel), but gets \(input)")
    }
    return Extent(height: height, width: width)
  }
}

extension Convolution {
  /// The extent that the kernel covers with its dilation.
  public var effectiveKernel: Extent {
    Extent(height: dilation.height * (kernel.height - 1) + 1, width: dilation.width * (kernel.width - 1) + 1)
  }
}

/// The number of positions of a window on one axis, nil where there is none.
///
/// Rounding up follows Caffe's pooling layer: with padding, a last window that would begin behind the image and its
/// leading padding is left out.
private func windowCount(
  _ input: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ rounding: Pooling.Rounding
) -> Int? {
  let room = input + 2 * padding - kernel
  switch rounding {
  case .floor:
    return room >= 0 ? room / stride + 1 : nil
  case .ceiling:
    guard room > -stride else { return nil }
    var count = (room + stride - 1) / stride + 1
    if padding > 0, (count - 1) * stride >= input + padding { count -= 1 }
    return count
  }
}
