internal import VGGBytes
internal import VGGHDF5
internal import VGGSources
internal import VGGTensors

extension KerasWeight {
  /// The format of the numbers.
  ///
  /// - Throws: Where they are none that a weight has.
  var format: NumberFormat {
    get throws(FileError) {
      // Keras and h5py store bfloat16 as two bytes without a meaning, others as the integer of its bits; an attribute tells.
      let said = dataset.attributes["dtype"]?.string
      switch dataset.type {
      case .opaque(byteCount: 2, _) where said == nil || said == "bfloat16": return NumberFormat(.bfloat16)
      case .integer(byteCount: 2, isSigned: false, let order) where said == "bfloat16" && order != .other:
        return NumberFormat(.bfloat16, isBigEndian: order == .bigEndian)
      default: break
      }
      let number = dataset.type.number
      if let number, number.kind != .int8 { return number }
      throw FileError(
        .unsupported, code: "keras.type", file: file.path,
        "holds no floating-point numbers",
        place: "tensor \(dataset.path)", seen: dataset.type.summary,
        allowed: "float16, bfloat16, float32 or float64")
    }
  }

  /// The numbers, once their shape is checked.
  ///
  /// - Throws: Where the file cannot hold as many as it declares.
  func tensor(_ layout: SourceLayout, _ options: ImportOptions) throws(FileError) -> SourceTensor {
    SourceTensor(
      name: dataset.path, shape: shape, format: try format, bytes: try bytes(options), layout: layout,
      fileOffset: fileOffset)
  }

  /// The bytes of the numbers, once their shape is checked.
  func bytes(_ options: ImportOptions) throws(FileError) -> ByteRegion {
    // The best that HDF5's filters can do is 1 byte for some 1000; more than that was never written.
    guard let byteCount = dataset.byteCount, byteCount / 1100 <= file.byteCount,
      dataset.storage != .unallocated
    else {
      throw FileError(
        .malformed, code: "keras.unwritten", file: file.path, "declares numbers that were never written",
        place: "tensor \(dataset.path)", seen: "shape \(shape)",
        allowed: "what a file of \(file.byteCount) bytes can hold")
    }
    return try file.hdf5.bytes(of: dataset, maximumBytes: byteCount, scratchFolder: options.scratchFolder)
  }
}

extension HDF5Type {
  /// The type in words, for errors.
  fileprivate var summary: String {
    switch self {
    case .float(let layout): "a floating-point number of \(layout.byteCount) bytes, not IEEE's"
    case .integer(let byteCount, let isSigned, _):
      "\(isSigned ? "" : "unsigned ")integers of \(byteCount) bytes"
    case .string(let byteCount): byteCount.map { "texts of \($0) bytes" } ?? "texts"
    case .opaque(let byteCount, _): "\(byteCount) bytes without a meaning"
    case .other(_, let number): "elements of HDF5's class \(number)"
    }
  }
}
