internal import VGGTensors

/// Rounds the weights of a block of inputs for some output channels side by side, each error fed to the weights that are not rounded
/// yet.
///
/// Every operation is one of float32 on its own, in a fixed order for each weight: the same codes on every machine.
struct BlockRounding {
  /// Output channels that are rounded side by side: with the weights of a block they fit a cache.
  static let columnCount = 64
  /// Inputs whose errors are kept until they are fed to the weights behind all of them, which then are read once.
  private static let groupLength = 16
  /// Numbers of a vector.
  private static let width = 16
  private typealias Vector = SIMD16<Float>
  private static let vectorCount = columnCount / width

  private let feedback: ErrorFeedback
  private let quantization: Quantization
  /// The number of output channels.
  private let rowLength: Int

  /// Prepares a block.
  ///
  /// - Parameters:
  ///   - feedback: How errors are made up for.
  ///   - quantization: What codes stand for.
  ///   - rowLength: The number of output channels.
  init(_ feedback: ErrorFeedback, _ quantization: Quantization, rowLength: Int) {
    (self.feedback, self.quantization, self.rowLength) = (feedback, quantization, rowLength)
  }

  /// Rounds weights.
  ///
  /// - Parameters:
  ///   - tile: The inputs of the block, and at most ``columnCount`` output channels.
  ///   - values: The tile's values, row by row.
  ///   - codes: Where the first code of the tensor goes.
  func round(_ tile: Tile, _ values: UnsafePointer<Float>, into codes: UnsafeMutablePointer<Int8>) {
    let (rows, columns, count) = (tile.rows, tile.columns.count, tile.rows.count)
    withUnsafeTemporaryAllocation(of: Vector.self, capacity: (count + Self.groupLength) * Self.vectorCount) {
      memory in
      guard let weights = memory.baseAddress else { return }
      let errors = weights + count * Self.vectorCount
      memory.initialize(repeating: .zero)
      for (place, row) in feedback.order.enumerated() {
        let target = UnsafeMutableRawPointer(weights + place * Self.vectorCount)
          .assumingMemoryBound(to: Float.self)
        target.update(from: values + row * columns, count: columns)
      }
      for start in stride(from: 0, to: count, by: Self.groupLength) {
        let end = min(count, start + Self.groupLength)
        for place in start..<end {
          let row = feedback.order[place]
          let error = errors + (place - start) * Self.vectorCount
          round(
            row: rows.lowerBound + row, tile.columns, original: values + row * columns,
            UnsafeRawPointer(weights + place * Self.vectorCount).assumingMemoryBound(to: Float.self),
            error: UnsafeMutableRawPointer(error).assumingMemoryBound(to: Float.self),
            codes + (rows.lowerBound + row) * rowLength + tile.columns.lowerBound)
          feed(errors, of: start..<place + 1, to: place + 1..<end, weights, from: place)
        }
        feed(errors, of: start..<end, to: end..<count, weights, from: start)
      }
    }
  }

  /// Takes the errors of some inputs off the weights of others; those in front of `first` have been taken off already.
  private func feed(
    _ errors: UnsafeMutablePointer<Vector>, of group: Range<Int>, to places: Range<Int>,
    _ weights: UnsafeMutablePointer<Vector>, from first: Int
  ) {
    let count = feedback.order.count
    feedback.factors.withUnsafeBufferPointer { factors in
      for place in places {
        let row = factors.baseAddress.unsafelyUnwrapped + place * count
        let target = weights + place * Self.vectorCount
        for vector in 0..<Self.vectorCount {
          var weight = target[vector]
          for source in first..<group.upperBound {
            weight -= row[source] * errors[(source - group.lowerBound) * Self.vectorCount + vector]
          }
          target[vector] = weight
        }
      }
    }
  }

  /// Rounds the weights of one input.
  ///
  /// - Parameters:
  ///   - row: The input.
  ///   - columns: The output channels.
  ///   - original: The weights as they were.
  ///   - weights: The weights as errors have changed them.
  ///   - error: Gets what rounding them loses.
  ///   - codes: Where the first code goes.
  private func round(
    row: Int, _ columns: Range<Int>, original: UnsafePointer<Float>, _ weights: UnsafePointer<Float>,
    error: UnsafeMutablePointer<Float>, _ codes: UnsafeMutablePointer<Int8>
  ) {
    let first = quantization.grouping.index(row: row, channel: columns.lowerBound, rowLength: rowLength)
    let most = Float(quantization.type.codes.upperBound)
    let least = quantization.zeroPointCount == 0 ? -most : Float(quantization.type.codes.lowerBound)
    quantization.withParameters { scales, zeroPoints in
      for column in 0..<columns.count {
        let (scale, zero) = (scales[first + column], Float(zeroPoints?[first + column] ?? 0))
        // One of the two that the value itself lies between, so that a code tells of the source without the pictures.
        let steps = original[column] / scale
        let low = max(steps.rounded(.down), least - zero)
        let high = min(steps.rounded(.up), most - zero)
        let wanted = (weights[column] / scale).rounded(.toNearestOrEven)
        // Where weights are so large that errors overflow, NaN is below everything.
        let chosen = wanted > low ? min(wanted, high) : low
        let code = min(max(chosen, least - zero), most - zero)
        error[column] = weights[column] - code * scale
        codes[column] = Int8(code + zero)
      }
    }
  }
}
