internal import VGGBytes
internal import VGGHDF5
internal import VGGTensors

extension HDF5Type {
  /// What it is, for errors.
  fileprivate var text: String {
    switch self {
    case .float(let layout): "floating-point numbers of \(layout.byteCount) bytes"
    case .integer(let byteCount, _, _): "whole numbers of \(byteCount) bytes"
    case .string: "texts"
    case .opaque(let byteCount, _), .other(let byteCount, _): "\(byteCount) bytes of another kind"
    }
  }
}

/// A data set of an HDF5 snapshot.
struct BlobDataset: Blob {
  /// No data set that is decoded may be larger than deflate can make it of the whole file, nor than any layer of VGG.
  private static let largestExpansion = 1032
  private static let byteLimit = 4 << 30

  let file: CaffeFile
  let place: String
  private let dataset: HDF5Dataset
  private let snapshot: HDF5File

  init(_ dataset: HDF5Dataset, of snapshot: HDF5File, in file: CaffeFile, place: String) {
    (self.dataset, self.snapshot, self.file, self.place) = (dataset, snapshot, file, place)
  }

  var shape: [Int] { dataset.shape }
  var shapeOffset: Int? { nil }
  /// Gradients are data sets of their own, which `SnapshotReader` lists.
  var hasDifferences: Bool { false }

  func checkedShape() throws(FileError) -> [Int] {
    let count = try declaredCount()
    guard let format = dataset.type.number, format.kind != .int8 else {
      throw file.unsupported(
        "blob.type", "has values of a type that is not supported", place: place, seen: dataset.type.text,
        allowed: "floating-point numbers of 2, 4 or 8 bytes")
    }
    if case .unallocated = dataset.storage { throw strippedError(count: count, at: nil) }
    return shape
  }

  /// In the mapped file, or decoded where the data set is compressed.
  func tensor(name: String, shape: [Int], layout: SourceLayout, scratchFolder: String) throws(FileError)
    -> SourceTensor
  {
    guard let format = dataset.type.number else { preconditionFailure("checked before") }
    let (possible, overflows) = file.bytes.count.multipliedReportingOverflow(by: Self.largestExpansion)
    let bytes = try snapshot.bytes(
      of: dataset, maximumBytes: overflows ? Self.byteLimit : min(possible, Self.byteLimit),
      scratchFolder: scratchFolder)
    var offset: Int?
    if case .contiguous(let start, _) = dataset.storage { offset = start }
    return SourceTensor(
      name: name, shape: shape, format: format, bytes: bytes, layout: layout, fileOffset: offset)
  }
}
