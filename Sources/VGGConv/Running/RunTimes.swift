internal import VGGModel

/// How long a model took for some passes over a batch, as a whole and layer by layer.
public struct RunTimes: Sendable {
  /// What was measured of one layer.
  public struct Layer: Sendable {
    /// The layer's name.
    public let name: String
    /// Operations for the batch, two for each multiplication with a weight, convolutions counted as direct ones; 0 for layers
    /// without weights. Of integers where the model computes in these.
    public let operations: Double
    /// The bytes of a dense layer's weights as float32, or as codes where the model computes in integers, those of inputs that are zero among them; nil for other layers.
    public let weightBytes: Double?
    /// The part of a dense layer's inputs that are not zero; nil for other layers.
    public let nonzeroInputs: Double?
    /// The shortest time for the batch.
    public internal(set) var seconds = Double.infinity

    /// Operations a second.
    public var operationsPerSecond: Double { operations / seconds }
    /// The bytes of a dense layer's weights that were read a second; nil for other layers.
    public var bytesPerSecond: Double? { weightBytes.map { $0 / seconds } }
  }

  /// The number of pictures in the batch.
  public let batch: Int
  /// The seconds of each pass, in order.
  public let passes: [Double]
  /// The layers, in their order.
  public let layers: [Layer]

  /// The shortest time of a pass.
  public var minimum: Double { passes.min() ?? 0 }
  /// The time in the middle.
  public var median: Double { passes.isEmpty ? 0 : passes.sorted()[passes.count / 2] }
  /// Operations a second in the fastest pass.
  public var operationsPerSecond: Double { layers.reduce(0) { $0 + $1.operations } / minimum }
}

/// What a machine can do at best.
public struct MachineSpeed: Equatable, Sendable {
  /// Floating-point operations a second.
  public internal(set) var operationsPerSecond: Double
  /// Bytes read from memory a second.
  public internal(set) var bytesPerSecond: Double
}

extension RunTimes.Layer {
  /// Counts what a layer does for a number of output values, which are more than `NetworkCosts` knows of where its dense
  /// layers slide over larger pictures.
  init(_ layer: Layer, outputCount: Int, weightByteCount: Int, nonzeroInputs: Double?) {
    (name, self.nonzeroInputs) = (layer.name, nonzeroInputs)
    operations = 2 * Double(outputCount) * Double(layer.reductionLength)
    if case .dense(let dense) = layer.operation {
      weightBytes = Double(weightByteCount) * Double(dense.inputs) * Double(dense.outputs)
    } else {
      weightBytes = nil
    }
  }
}
