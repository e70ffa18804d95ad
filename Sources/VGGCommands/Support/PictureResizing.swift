internal import JSONKit
internal import VGGConv
internal import VGGPictures
internal import VGGTensors

extension PictureResizing {
  /// `shorter`, `shorter:SIDE`, `stretch` or `none`.
  init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    switch (parts[0], parts.count) {
    case ("stretch", 1): self = .stretch
    case ("none", 1): self = .exact
    case ("shorter", 1): self = .shorter(nil)
    case ("shorter", 2):
      guard let side = Int(parts[1]), PictureResizing.sides.contains(side) else { return nil }
      self = .shorter(side)
    default: return nil
    }
  }
}

extension PicturePreparation {
  /// `resized 500x375 to 341x256, centre 224x224`, and whether it was turned.
  var text: String {
    (orientation == .upright ? "" : "turned upright (EXIF orientation \(orientation.rawValue)), ")
      + fit.description
  }

  /// The same for scripts; sides as [height, width].
  var json: JSONValue {
    func sides(_ extent: Extent) -> JSONValue {
      [.integer(Int64(extent.height)), .integer(Int64(extent.width))]
    }
    return [
      "orientation": .integer(Int64(orientation.rawValue)), "from": sides(fit.original),
      "to": sides(fit.scaled), "centre": sides(fit.centre),
    ]
  }
}
