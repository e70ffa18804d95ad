public import VGGModel
public import VGGTensors

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
    values(of: picture, fitted: resize.fit(picture.extent, to: extent))
  }

  /// What a network gets to see of a picture that is fitted in a given way, whatever the rule: [row, column, channel] float32.
  ///
  /// - Precondition: The fit is one of this picture, and `mean` and `scale` have a number for each channel.
  public func values(of picture: Picture, fitted fit: PictureFit) -> [Float] {
    precondition(fit.original == picture.extent)
    let fitted = picture.resized(to: fit.scaled, croppingTo: fit.centre)
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
