public import VGGTensors

extension Picture {
  /// The picture at another size.
  ///
  /// A triangle filter, widened where the picture shrinks so that every pixel counts: bilinear interpolation with
  /// antialiasing. Pixels have their centres at +0.5, and edges are clamped. The arithmetic is that of Pillow's `resize` with
  /// `BILINEAR`, rounding included: weights of 22 bits, columns first, 8 bits after each of the two passes. So the pixels are
  /// the same to the bit as those that networks are trained on. (Versions of Pillow after 10 begin with the rows where that is
  /// faster: a pixel may then differ by 1.)
  public func resized(to extent: Extent) -> Picture {
    resized(to: extent, croppingTo: extent)
  }

  /// The middle of the resized picture; only that is computed, however large the rest would be.
  ///
  /// Where the middle cannot be cut out evenly, a pixel less is cut off at the left or top.
  ///
  /// - Precondition: The crop is no larger than the extent.
  public func resized(to extent: Extent, croppingTo crop: Extent) -> Picture {
    precondition(crop.width <= extent.width && crop.height <= extent.height)
    let (left, top) = ((extent.width - crop.width) / 2, (extent.height - crop.height) / 2)
    return resizedColumns(to: extent.width, left..<left + crop.width)
      .resizedRows(to: extent.height, top..<top + crop.height)
  }

  /// The middle of the picture as it is.
  public func centreCrop(to crop: Extent) -> Picture {
    resized(to: Extent(height: height, width: width), croppingTo: crop)
  }

  private func resizedColumns(to newWidth: Int, _ columns: Range<Int>) -> Picture {
    guard columns != 0..<width || newWidth != width else { return self }
    let taps = FilterTap.taps(from: width, to: newWidth, columns)
    let resized = [UInt8](unsafeUninitializedCapacity: columns.count * height * 3) { buffer, count in
      pixels.withUnsafeBufferPointer { pixels in
        for row in 0..<height {
          for (column, tap) in taps.enumerated() {
            for channel in 0..<3 {
              buffer[(row * columns.count + column) * 3 + channel] = tap.apply(
                to: pixels, at: (row * width + tap.first) * 3 + channel, stride: 3)
            }
          }
        }
      }
      count = columns.count * height * 3
    }
    return Picture(width: columns.count, height: height, pixels: resized)
  }

  private func resizedRows(to newHeight: Int, _ rows: Range<Int>) -> Picture {
    guard rows != 0..<height || newHeight != height else { return self }
    let taps = FilterTap.taps(from: height, to: newHeight, rows)
    let rowLength = width * 3
    let resized = [UInt8](unsafeUninitializedCapacity: rows.count * rowLength) { buffer, count in
      pixels.withUnsafeBufferPointer { pixels in
        for (row, tap) in taps.enumerated() {
          for sample in 0..<rowLength {
            buffer[row * rowLength + sample] = tap.apply(
              to: pixels, at: tap.first * rowLength + sample, stride: rowLength)
          }
        }
      }
      count = rows.count * rowLength
    }
    return Picture(width: width, height: rows.count, pixels: resized)
  }
}

/// The pixels of a line that one pixel of the resized line is made of.
private struct FilterTap {
  /// The first pixel.
  var first: Int
  /// The weights in units of 2^-22; their sum is about 1.
  var weights: [Int]

  private static let fractionBits = 22

  /// The taps of some pixels of a line that is brought from one length to another.
  static func taps(from length: Int, to newLength: Int, _ pixels: Range<Int>) -> [FilterTap] {
    let scale = Double(length) / Double(newLength)
    let support = max(1, scale)
    return pixels.map { index in
      let centre = (Double(index) + 0.5) * scale
      let first = max(0, Int(centre - support + 0.5))
      let end = min(length, Int(centre + support + 0.5))
      let weights = (first..<end).map { max(0, 1 - abs((Double($0) - centre + 0.5) * (1 / support))) }
      let sum = weights.reduce(0, +)
      let unit = Double(1 << fractionBits)
      return FilterTap(first: first, weights: weights.map { Int(($0 / sum) * unit + 0.5) })
    }
  }

  /// The weighted mean, rounded.
  @inline(__always)
  func apply(to samples: UnsafeBufferPointer<UInt8>, at start: Int, stride: Int) -> UInt8 {
    var sum = 1 << (FilterTap.fractionBits - 1)
    var position = start
    for weight in weights {
      sum += weight * Int(samples[position])
      position += stride
    }
    return UInt8(clamping: sum >> FilterTap.fractionBits)
  }
}
