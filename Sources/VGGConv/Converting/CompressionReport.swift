internal import VGGBytes
public import VGGCompress
internal import VGGModel
internal import VGGNative
public import VGGTensors

/// What compression did to a model: size and error of each layer before and after, as they are in the written file.
public struct CompressionReport: Sendable {
  /// What happened to the weight of a layer.
  public struct Layer: Sendable {
    /// The layer's name.
    public let name: String
    /// The stored bytes before.
    public let bytesBefore: Int
    /// What became of it, nil for a layer that was dropped.
    public fileprivate(set) var stored: StoredWeight?
  }

  /// A layer's weight as it is stored.
  public struct StoredWeight: Sendable {
    /// The stored bytes.
    public let bytes: Int
    /// What the values differ by.
    public let distortion: TensorDistortion
    /// How they are stored.
    public let elementType: ElementType
    /// The smallest and the largest scale of its codes; nil where there are none.
    public let scales: ClosedRange<Float>?
  }

  /// The layers with weights, in their order.
  public private(set) var layers: [Layer] = []
  /// The stored bytes of all tensors before, biases included.
  public private(set) var bytesBefore = 0
  /// The stored bytes of all tensors that are left.
  public private(set) var bytesAfter = 0
  /// The number of values that are left.
  public private(set) var valueCount = 0

  /// Compares all weights.
  ///
  /// - Parameters:
  ///   - before: The model that was changed.
  ///   - native: The file that it was in; nil for a source, which counts as float32.
  ///   - after: What became of it.
  ///   - sizesAfter: The stored bytes of each of its tensors.
  init(
    from before: Model, in native: NativeFile?, to after: Model, _ sizesAfter: [String: Int]
  ) throws(FileError) {
    let sizesBefore = native?.storedBytes
    for tensor in before.tensors {
      let size = sizesBefore?[tensor.name] ?? tensor.count * MemoryLayout<Float>.size
      bytesBefore += size
      var layer = Layer(name: String(tensor.name.prefix { $0 != "/" }), bytesBefore: size)
      if let changed = after.tensor(tensor.name), let newSize = sizesAfter[tensor.name] {
        bytesAfter += newSize
        valueCount += tensor.count
        guard tensor.role == .weight else { continue }
        layer.stored = StoredWeight(
          bytes: newSize, distortion: try TensorDistortion(from: tensor, to: changed),
          elementType: changed.elementType, scales: changed.quantization?.scaleRange)
      }
      if tensor.role == .weight { layers.append(layer) }
    }
  }
}

extension NativeFile {
  /// The stored bytes of each tensor, by name.
  var storedBytes: [String: Int] {
    Dictionary(uniqueKeysWithValues: tensorRecords.map { ($0.name, $0.storedBytes) })
  }
}

extension Quantization {
  /// The smallest and the largest scale.
  fileprivate var scaleRange: ClosedRange<Float>? {
    let scales = scales
    guard let least = scales.min(), let most = scales.max() else { return nil }
    return least...most
  }
}
