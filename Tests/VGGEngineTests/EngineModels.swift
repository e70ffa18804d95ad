import TestSupport
import Testing
import VGGBytes
import VGGCaffe
import VGGEngine
import VGGKeras
import VGGModel
import VGGSources
import VGGTensors

/// Small random models and inputs; equal seeds give equal values.
extension SeededGenerator {
  /// A number between -1 and 1.
  mutating func number() -> Float { Float.random(in: -1...1, using: &self) }

  mutating func numbers(_ count: Int, times scale: Float = 1) -> [Float] {
    (0..<count).map { _ in number() * scale }
  }

  mutating func map(_ count: Int, _ extent: Extent, channels: Int, times scale: Float = 100) throws
    -> FeatureMap
  {
    let shape = FeatureShape(extent: extent, channels: channels)
    return try FeatureMap(count: count, shape: shape, values: numbers(count * shape.count, times: scale))
  }

  /// A model with weights whose outputs neither vanish nor explode.
  mutating func model(_ network: Network) throws -> Model {
    var tensors: [Tensor] = []
    for needed in network.tensorRequirements {
      let count = needed.shape.reduce(1, *)
      let fanIn = needed.shape.dropLast().reduce(1, *)
      let scale = needed.role == .weight ? (6 / Float(fanIn)).squareRoot() : 0.5
      tensors.append(
        Tensor(
          name: needed.name, role: needed.role, shape: needed.shape,
          values: MemoryValues(numbers(count, times: scale))))
    }
    return try Model(network: network, tensors: tensors)
  }
}

extension Model {
  /// A model that comes from nowhere.
  init(network: Network, tensors: [Tensor]) throws {
    try self.init(
      network: network, tensors: tensors, preprocessing: nil,
      provenance: Provenance(sourceName: "", sourceByteCount: 0, format: "test", generation: "test"))
  }

  /// The same model with weights that do not lie in memory as they are.
  func hidingMemory() -> Model {
    mappingTensors {
      $0.replacing(values: HiddenValues(values: $0.values))
    }
  }
}

/// Values that must be read.
struct HiddenValues: TensorValues {
  let values: any TensorValues

  var count: Int { values.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try values.read(range, into: destination)
  }
}

/// Values that cannot be read.
struct BrokenValues: TensorValues {
  static let error = FileError(.malformed, code: "test", file: "f", "is broken")

  let count: Int

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    throw BrokenValues.error
  }
}

extension Network {
  /// A network of a few channels with dense layers for an input of an extent, or none.
  static func small(
    _ architecture: Architecture, _ extent: Extent, rounding: Pooling.Rounding = .floor,
    dense: [Int] = [9, 8, 5]
  ) throws -> Network {
    let features = try Network(
      architecture, inputExtent: extent, widths: [3, 5, 4, 6, 7], denseWidths: [])
    let layers = features.layers.map { layer in
      guard case .pooling = layer.operation else { return layer }
      return Layer(name: layer.name, operation: .pooling(Pooling(rounding: rounding)))
    }
    let rounded = Network(architecture: architecture, inputChannels: 3, inputExtent: extent, layers: layers)
    var inputs = try #require(try rounded.outputShapes(for: extent).last).count
    var top: [Dense] = []
    for outputs in dense {
      top.append(Dense(inputs: inputs, outputs: outputs, activation: .relu))
      inputs = outputs
    }
    return Network(
      architecture: architecture, inputChannels: 3, inputExtent: extent,
      layers: layers + (Head(top, activation: .softmax)?.layers ?? []))
  }

  /// A network of one layer.
  static func single(_ operation: Layer.Operation, inputChannels: Int) -> Network {
    Network(
      architecture: .a, inputChannels: inputChannels, inputExtent: nil,
      layers: [Layer(name: "layer", operation: operation)])
  }
}

extension FeatureMap {
  /// The pictures one by one.
  var pictures: [Picture] {
    let values = values
    return (0..<count).map { Picture(shape, Array(values[$0 * shape.count..<($0 + 1) * shape.count])) }
  }

  /// The pictures at these indices as a batch of their own.
  func picking(_ indices: [Int]) throws -> FeatureMap {
    let pictures = pictures
    return try FeatureMap(count: indices.count, shape: shape, values: indices.flatMap { pictures[$0].values })
  }

  /// The bits of all values, so that zeros with signs and NaN count too.
  var bits: [UInt32] { values.map(\.bitPattern) }
}

extension Engine {
  /// The outputs of all layers.
  func outputs(_ input: FeatureMap) throws -> [FeatureMap] {
    var outputs: [FeatureMap] = []
    _ = try run(input) { outputs.append($1) }
    return outputs
  }
}

/// The model of a Keras or Caffe fixture.
func fixtureModel(_ name: String) throws -> Model {
  let file = try MappedFile(path: fixture(name))
  guard name.hasPrefix("caffe/") else {
    return try KerasImporter.model(
      of: KerasSource(file), options: ImportOptions())
  }
  let prototxt = try MappedFile(
    path: fixture(
      name.replacing(".caffemodel", with: name.contains("digits") ? "_deploy.prototxt" : ".prototxt")))
  return try CaffeImporter.model(
    of: CaffeFile(file), prototxt: CaffeFile(prototxt), options: ImportOptions())
}
