public import VGGBytes
public import VGGEngine
public import VGGModel
internal import VGGTensors

/// Activations that another program recorded: an input and what it makes of it, layer by layer.
public struct RecordedActivations: Sendable {
  /// A recorded array.
  public struct Array: Sendable {
    /// Its name in the file: a layer's name in Keras, Caffe or here, or `input`.
    public var name: String
    /// Its shape; the first axis counts pictures.
    public var shape: [Int]
    /// Its values, row-major.
    public var values: [Float]

    /// Creates an array.
    public init(name: String, shape: [Int], values: [Float]) {
      self.name = name
      self.shape = shape
      self.values = values
    }
  }

  /// The input in NHWC order.
  public let input: FeatureMap
  /// The outputs of layers under their canonical names, for all pictures of the input or for the first ones.
  public let outputs: [(layer: String, values: FeatureMap)]

  /// Finds out what the arrays are: names of Keras and Caffe become canonical, NCHW becomes NHWC.
  ///
  /// Every array must be the input or the output of a layer: one that cannot be compared is an error, not skipped.
  ///
  /// - Parameters:
  ///   - arrays: The arrays, one of them named `input`.
  ///   - network: The network whose activations they are.
  ///   - file: The file they come from, for errors.
  public init(_ arrays: [Array], of network: Network, file: String) throws(FileError) {
    func unusable(_ array: String, _ problem: String, seen: String, allowed: String) -> FileError {
      FileError(
        .malformed, code: "reference.array", file: file, problem, place: "array \(array)", seen: seen,
        allowed: allowed)
    }
    guard let inputArray = arrays.first(where: { $0.name == "input" }) else {
      throw unusable(
        "input", "holds no input", seen: arrays.prefix(4).map(\.name).joined(separator: ", "),
        allowed: "an array named input")
    }
    let shape = inputArray.shape
    let channels = network.inputChannels
    guard shape.count == 4, shape[0] > 0, shape[1] == channels || shape[3] == channels else {
      throw unusable(
        "input", "is not a batch of pictures", seen: "\(shape)",
        allowed: "[N, H, W, \(channels)] or [N, \(channels), H, W]")
    }
    // An input whose last axis is the channels is NHWC, and so is everything recorded with it.
    let isNHWC = shape[3] == channels
    let extent =
      isNHWC ? Extent(height: shape[1], width: shape[2]) : Extent(height: shape[2], width: shape[3])
    let shapes: [FeatureShape]
    do throws(ShapeError) {
      shapes = try network.outputShapes(for: extent)
    } catch {
      throw unusable(
        "input", "does not fit the network: \(error)", seen: "\(extent)",
        allowed: "what \(file) was recorded with")
    }
    input = try RecordedActivations.map(
      inputArray, shape: FeatureShape(extent: extent, channels: channels), isNHWC: isNHWC, file: file)
    var outputs: [(layer: String, values: FeatureMap)] = []
    for array in arrays where array.name != "input" {
      let name = network.layerName(recordedAs: array.name)
      guard let index = network.layers.firstIndex(where: { $0.name == name }) else {
        throw unusable(
          array.name, "belongs to no layer", seen: name,
          allowed: network.layers.map(\.name).joined(separator: ", "))
      }
      let values = try RecordedActivations.map(array, shape: shapes[index], isNHWC: isNHWC, file: file)
      guard values.count <= input.count else {
        throw unusable(
          array.name, "has more pictures than the input", seen: "\(values.count)",
          allowed: "at most \(input.count)")
      }
      outputs.append((name, values))
    }
    guard !outputs.isEmpty else {
      throw unusable(
        "input", "is the only array: there is nothing to compare", seen: "1 array", allowed: "2 or more")
    }
    self.outputs = outputs
  }

  /// An array as a map of a shape, brought to NHWC.
  private static func map(
    _ array: Array, shape: FeatureShape, isNHWC: Bool, file: String
  ) throws(FileError) -> FeatureMap {
    let count = array.shape.first ?? 0
    let (height, width, channels) = (shape.extent.height, shape.extent.width, shape.channels)
    let expected = isNHWC ? [count, height, width, channels] : [count, channels, height, width]
    // A dense layer's output may be recorded with or without its axes of length 1.
    guard count > 0, array.shape.filter({ $0 != 1 }) == expected.filter({ $0 != 1 }) else {
      throw FileError(
        .malformed, code: "reference.shape", file: file, "has an array of the wrong shape",
        place: "array \(array.name)", seen: "\(array.shape)", allowed: "\(expected)")
    }
    var values = array.values
    if !isNHWC, height * width > 1 {
      var position = 0
      for picture in 0..<count {
        for pixel in 0..<height * width {
          for channel in 0..<channels {
            values[position] = array.values[(picture * channels + channel) * height * width + pixel]
            position += 1
          }
        }
      }
    }
    do throws(EngineError) {
      return try FeatureMap(count: count, shape: shape, values: values)
    } catch {
      throw FileError(
        .malformed, code: "reference.shape", file: file, error.description, place: "array \(array.name)")
    }
  }
}

extension Network {
  /// The canonical name of a layer whose activations were recorded under another program's name.
  func layerName(recordedAs name: String) -> String {
    switch name {
    case "fc1": return "fc6"
    case "fc2": return "fc7"
    case "predictions": return "prob"
    case "logits": return "fc8"
    case "features": return "pool5"
    default: break
    }
    // block3_conv2 and block3_pool
    let parts = name.split(separator: "_")
    guard parts.count == 2, parts[0].hasPrefix("block"), let block = Int(parts[0].dropFirst(5)) else {
      return name
    }
    if parts[1] == "pool" { return "pool\(block)" }
    if parts[1] == "lrn" { return "norm\(block)" }
    if parts[1].hasPrefix("conv"), let index = Int(parts[1].dropFirst(4)) { return "conv\(block)_\(index)" }
    return name
  }
}
