internal import CVGGKernels
internal import Glibc
public import VGGBytes
public import VGGTensors

/// What a pass did to a tensor's values.
public struct TensorDistortion: Sendable {
  /// The largest absolute difference.
  public var largestError = 0.0
  /// The sum of the squared differences.
  public var errorEnergy = 0.0
  /// The sum of the squared values before.
  public var signalEnergy = 0.0
  /// The number of values that are zero now.
  public var zeroCount = 0
  /// The number of values that were not zero before and are now.
  public var newZeroCount = 0
  /// The number of finite values that became infinite.
  public var overflowCount = 0
  /// The number of values that are subnormal now: they have lost significant bits beyond rounding.
  public var subnormalCount = 0
  /// The number of values that are more than half a step beyond the codes there are; 0 where there are no codes.
  public var clippedCount = 0
  /// The largest magnitude before; infinite or NaN where a value was.
  public var largestMagnitude: Float = 0
  /// The smallest magnitude before, zeros left out; infinite where there are only zeros.
  public var smallestMagnitude = Float.infinity
  /// The number of values.
  public var count = 0

  /// Compares all values of a tensor before and after.
  ///
  /// - Precondition: Both have the same shape.
  public init(from before: Tensor, to after: Tensor) throws(FileError) {
    precondition(before.shape == after.shape)
    self.init()
    let smallestNormal = after.elementType.smallestNormal
    let (old, values) = (before.values, after.values)
    let outputs = before.shape[before.shape.count - 1]
    let codes = after.quantization
    let tiles = old.tiles(rowLength: outputs)
    let parts = try Workers.current.map(tiles.count) { index throws(FileError) in
      var part = TensorDistortion()
      var room = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)
      defer { room.deallocate() }
      try old.forEachBlock(of: tiles[index], rowLength: outputs) { block, old throws(FileError) in
        if room.count < old.count {
          room.deallocate()
          room = .allocate(capacity: old.count)
        }
        let new = UnsafeMutableBufferPointer(rebasing: room[..<old.count])
        try values.read(block, rowLength: outputs, into: new)
        part.add(TensorDistortion(from: old, to: UnsafeBufferPointer(new), smallestNormal: smallestNormal))
        guard let codes else { return }
        block.forEachRun(rowLength: outputs) { place, run in
          part.clippedCount += codes.clippedCount(
            UnsafeBufferPointer(rebasing: old[run]), firstIndex: place, rowLength: outputs)
        }
      }
      return part
    }
    for part in parts { add(part) }
    // Codes that were there before may use the whole range of their type.
    if errorEnergy == 0 { clippedCount = 0 }
  }

  /// The ratio of signal to error in decibels; infinite where nothing changed.
  public var signalToNoise: Double {
    errorEnergy == 0 ? .infinity : 10 * log10(signalEnergy / errorEnergy)
  }

  private init() {}

  private init(
    from before: UnsafeBufferPointer<Float>, to after: UnsafeBufferPointer<Float>, smallestNormal: Float
  ) {
    guard let old = before.baseAddress, let new = after.baseAddress else { return }
    var difference = VGKDifference()
    vgk_difference_f32(vgk_best_isa(), old, new, after.count, smallestNormal, &difference)
    count = after.count
    largestError = difference.largestError
    errorEnergy = difference.errorEnergy
    signalEnergy = difference.signalEnergy
    zeroCount = difference.zeroCount
    newZeroCount = difference.newZeroCount
    overflowCount = difference.overflowCount
    subnormalCount = difference.subnormalCount
    largestMagnitude = difference.largestMagnitude
    smallestMagnitude = difference.smallestMagnitude
  }

  private mutating func add(_ other: TensorDistortion) {
    largestError = max(largestError, other.largestError)
    errorEnergy += other.errorEnergy
    signalEnergy += other.signalEnergy
    zeroCount += other.zeroCount
    newZeroCount += other.newZeroCount
    overflowCount += other.overflowCount
    subnormalCount += other.subnormalCount
    clippedCount += other.clippedCount
    if !(other.largestMagnitude <= largestMagnitude) { largestMagnitude = other.largestMagnitude }
    smallestMagnitude = min(smallestMagnitude, other.smallestMagnitude)
    count += other.count
  }
}
