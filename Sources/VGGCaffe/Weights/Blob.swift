internal import VGGBytes
internal import VGGTensors

/// The numbers of one layer in a file: a shape and where the numbers are. Nothing of the numbers is read.
protocol Blob {
  /// The shape that the file declares.
  var shape: [Int] { get }
  /// Where the file says the shape, as far as that is known.
  var shapeOffset: Int? { get }
  /// Whether the blob has gradients besides.
  var hasDifferences: Bool { get }
  /// The file, and the blob's place in it for errors.
  var file: CaffeFile { get }
  var place: String { get }

  /// The shape, checked against the numbers that are there.
  func checkedShape() throws(FileError) -> [Int]

  /// The numbers as a tensor of a shape.
  ///
  /// - Precondition: `checkedShape` was called and `shape` has as many elements.
  func tensor(name: String, shape: [Int], layout: SourceLayout, scratchFolder: String) throws(FileError)
    -> SourceTensor
}

/// Where a layer's blob is in its file.
enum BlobPlace: Hashable {
  /// A BlobProto.
  case message(Range<Int>)
  /// A data set of a snapshot, by its path.
  case dataset(String)
}

extension Blob {
  /// As many axes as Caffe allows.
  static var axisLimit: Int { 32 }

  /// The number of elements that the shape declares.
  func declaredCount() throws(FileError) -> Int {
    var count = 1
    for length in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: length)
      guard length > 0, !overflow else {
        throw file.malformed(
          "blob.dims", "has an impossible shape", at: shapeOffset, place: place, seen: "\(shape)",
          allowed: "positive numbers whose product is the number of values")
      }
      count = product
    }
    return count
  }

  func strippedError(count: Int, at offset: Int?) -> FileError {
    file.unsupported(
      "stripped", "has a shape but no values: the weights were taken out of the file", at: offset,
      place: place, seen: "no values", allowed: "\(count) values",
      advice: "use the file before its weights were stripped")
  }
}
