/// How the weights of a block must change to make up for the error of one of them, in the order in which they are rounded.
///
/// With H the products of the inputs, damped, and H^-1 = U^T U, U upper triangular: an error e of weight i is made up for best, by
/// squared error of the outputs, if the weights j behind it change by -e U_ij / U_ii (Frantar et al. 2022, arXiv 2210.17323). Inputs
/// with the largest sums of squares come first: their errors cost most, and most is left to make up for them.
///
/// The factorisation is one of our own, a plain one in double precision without fused operations. That of a library of linear algebra
/// would be faster, but it gives other bits with another processor and another number of threads, and a code may depend on one of these.
struct ErrorFeedback {
  /// The part of the mean sum of squares that is added to each: with few pictures there are fewer rows than inputs.
  private static let damping = 0.01

  /// The inputs of the block, counted from its first one, in the order in which they are rounded.
  let order: [Int]
  /// U_ij / U_ii at [j * count + i], for i < j, in that order.
  private(set) var factors: [Float]

  /// Computes the factors of a block.
  init(_ products: InputProducts, block: Int) {
    let count = products.inputs(ofBlock: block).count
    let squares = (0..<count).map { products.sum(ofBlock: block, $0, $0) }
    order = (0..<count).sorted { (squares[$1], $0) < (squares[$0], $1) }
    factors = Array(repeating: 0, count: count * count)
    let mean = squares.reduce(0, +) / Double(count)
    // Where nothing is ever read, errors do not matter.
    guard mean > 0, mean.isFinite else { return }
    // Divided by the mean, so that no magnitude of the inputs comes near the limits of numbers.
    var matrix = [Double](repeating: 0, count: count * count)
    for row in 0..<count {
      for column in 0...row {
        matrix[row * count + column] = products.sum(ofBlock: block, order[row], order[column]) / mean
      }
      matrix[row * count + row] += Self.damping
    }
    matrix.withUnsafeMutableBufferPointer { matrix in
      guard let matrix = matrix.baseAddress, ErrorFeedback.factorize(matrix, count) else { return }
      invert(matrix, count)
    }
  }

  /// Replaces the lower triangle of a matrix H by V^T with H = V V^T, V upper triangular: then U is the inverse of V.
  ///
  /// - Returns: false where a pivot is not positive, as no damped sums of products have it.
  private static func factorize(_ matrix: UnsafeMutablePointer<Double>, _ count: Int) -> Bool {
    for last in (0..<count).reversed() {
      let pivotRow = matrix + last * count
      guard pivotRow[last] > 0, pivotRow[last].isFinite else { return false }
      let pivot = pivotRow[last].squareRoot()
      for column in 0..<last { pivotRow[column] /= pivot }
      pivotRow[last] = pivot
      for row in 0..<last where pivotRow[row] != 0 {
        let (target, factor) = (matrix + row * count, pivotRow[row])
        for column in 0...row { target[column] -= factor * pivotRow[column] }
      }
    }
    return true
  }

  /// Computes the factors from V^T: rows of the inverse of V, each divided by its first element.
  private mutating func invert(_ matrix: UnsafeMutablePointer<Double>, _ count: Int) {
    // V itself in the upper triangle, whose rows are neighbours in memory then.
    for row in 0..<count {
      for column in 0..<row { matrix[column * count + row] = matrix[row * count + column] }
    }
    var sums = [Double](repeating: 0, count: count)
    sums.withUnsafeMutableBufferPointer { sums in
      for first in 0..<count {
        for place in first..<count { sums[place] = 0 }
        for place in first..<count {
          let row = matrix + place * count
          let element = place == first ? 1 : -sums[place] / row[place]
          if place > first { factors[place * count + first] = Float(element) }
          guard element != 0 else { continue }
          for column in place + 1..<max(place + 1, count) { sums[column] += element * row[column] }
        }
      }
    }
  }
}
