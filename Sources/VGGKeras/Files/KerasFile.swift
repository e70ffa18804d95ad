internal import VGGBytes
internal import VGGHDF5

/// An HDF5 file of weights, or the part of an archive that is one.
struct KerasFile: Sendable {
  /// What the file holds.
  let hdf5: HDF5File
  /// The path of the source, for errors.
  let path: String
  /// Where the HDF5 file begins in the source; nil where it does not stand there as it is.
  let offset: Int?
  /// The size of the HDF5 file.
  let byteCount: Int
}

extension KerasFile {
  /// Lists what is in a file.
  ///
  /// - Parameters:
  ///   - bytes: The HDF5 file.
  ///   - path: The path of the source that it stands in.
  ///   - offset: Where it begins there.
  init(_ bytes: ByteRegion, path: String, offset: Int?) throws(FileError) {
    self.init(
      hdf5: try HDF5File.open(bytes, named: path), path: path, offset: offset, byteCount: bytes.count)
  }
}

/// A weight as a file names it.
struct KerasWeight {
  /// The variable's name, such as `block1_conv1/kernel:0`; a number where variables have no names.
  let name: String
  /// What the numbers are.
  let dataset: HDF5Dataset
  /// The file that they are in.
  let file: KerasFile

  /// The sizes of the axes.
  var shape: [Int] { dataset.shape }

  /// Whether the weight begins a layer: a kernel of a convolution or dense layer, not a vector.
  var isKernel: Bool { shape.count >= 2 && !["kernel_scale", "kernel_zero"].contains(part) }

  /// Whether the numbers are bytes, as in quantised layers.
  var isOfBytes: Bool {
    if case .integer(byteCount: 1, _, _) = dataset.type { true } else { false }
  }

  /// What the weight is in its layer as far as its name tells: `kernel` of `vgg/fc1/kernel:0`.
  var part: Substring { (name.split(separator: "/").last ?? "").prefix { $0 != ":" } }

  /// Where the numbers stand in the source file, if they stand there as they are.
  var fileOffset: Int? {
    guard let start = file.offset, case .contiguous(let offset, _) = dataset.storage else { return nil }
    // The file may state any offset, and errors ask for it before it is checked.
    let (sum, overflows) = start.addingReportingOverflow(offset)
    return overflows ? nil : sum
  }
}
