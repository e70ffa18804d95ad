public import VGGModel

extension Preprocessing {
  /// What a network gets to see of a picture: [row, column, channel] float32.
  ///
  /// A picture that has the network's extent already is used as it is, whatever the rule; others are brought to it by
  /// `resize`. Grey is luma as ITU-R BT.601 weighs it, with Pillow's rounding.
  ///
  /// - Parameters:
  ///   - picture: The picture.
  ///   - extent: The extent of the network's input.
  /// - Precondition: `mean` and `scale` have a number for each channel: one for grey, three otherwise.
  public func values(of picture: Picture, extent: Extent) -> [Float] {
    let fitted = fitted(picture, extent)
    let order: [Int]
    switch channelOrder {
    case .rgb: order = [0, 1, 2]
    case .bgr: order = [2, 1, 0]
    case .gray: order = [0]
    }
    let pixels = channelOrder == .gray ? fitted.luma : fitted.pixels
    // A channel has 256 values: each is computed once.
    let tables = order.indices.map { channel in
      (0..<256).map { pixel in Float((Double(pixel) - mean[channel]) * scale[channel]) }
    }
    var values: [Float] = []
    values.reserveCapacity(pixels.count)
    for start in stride(from: 0, to: pixels.count, by: order.count) {
      for (channel, source) in order.enumerated() {
        values.append(tables[channel][Int(pixels[start + source])])
      }
    }
    return values
  }

  private func fitted(_ picture: Picture, _ extent: Extent) -> Picture {
    guard picture.width != extent.width || picture.height != extent.height else { return picture }
    switch resize {
    case .stretch: return picture.resized(to: extent)
    case .shorterSide(let side):
      // The largest of three factors, as fractions: to the side, and at least so large that the extent can be cut out.
      let factors = [
        (min(side, 1 << 30), min(picture.width, picture.height)), (extent.width, picture.width),
        (extent.height, picture.height),
      ]
      let factor = factors.reduce((0, 1)) { $0.0 * $1.1 >= $1.0 * $0.1 ? $0 : $1 }
      let scaled = Extent(
        height: picture.height * factor.0 / factor.1, width: picture.width * factor.0 / factor.1)
      return picture.resized(to: scaled, croppingTo: extent)
    }
  }
}

extension Picture {
  /// One byte for each pixel: 0.299 red + 0.587 green + 0.114 blue.
  fileprivate var luma: [UInt8] {
    stride(from: 0, to: pixels.count, by: 3).map { start in
      let sum =
        Int(pixels[start]) * 19595 + Int(pixels[start + 1]) * 38470 + Int(pixels[start + 2]) * 7471
      return UInt8((sum + 0x8000) >> 16)
    }
  }
}
