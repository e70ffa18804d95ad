internal import JSONKit
internal import VGGBytes
internal import VGGFlatBuffers
internal import VGGInterchange
internal import VGGTensors

/// The tensors and operators of a TFLite file, each checked as far as it stands alone.
struct TFLiteFile {
  /// The file's path, for errors.
  let path: String
  let tensors: [TFLiteTensor]
  let operators: [TFLiteOperator]
  let input: Int
  let output: Int
  private let model: FlatBuffer.Table
  private let buffers: [FlatBuffer.Table]
  private let bytes: ByteRegion

  /// More tensors, buffers or operators than any VGG has, however it was converted.
  private static let limit = 4096

  init(_ bytes: ByteRegion, path: String) throws(FileError) {
    (self.path, self.bytes) = (path, bytes)
    guard FlatBuffer.has(identifier: TFLite.identifier, bytes) else {
      throw FileError(
        .malformed, code: "tflite.identifier", file: path, "is not a TensorFlow Lite model",
        offset: min(4, bytes.count),
        allowed: TFLite.identifier)
    }
    model = try FlatBuffer(bytes, file: path).root()
    func unsupported(_ problem: String, seen: String, allowed: String) -> FileError {
      FileError(.unsupported, code: "tflite.model", file: path, problem, seen: seen, allowed: allowed)
    }
    let version = try model.integer(TFLite.Model.version, standard: UInt32(0))
    guard version == TFLite.version else {
      throw unsupported(
        "is of another version of TensorFlow Lite's schema", seen: "\(version)", allowed: "\(TFLite.version)")
    }
    let graphs = try model.tables(TFLite.Model.subgraphs, limit: TFLiteFile.limit, "subgraphs")
    guard graphs.count == 1 else {
      throw unsupported("has several graphs, as no VGG needs", seen: "\(graphs.count)", allowed: "1")
    }
    buffers = try model.tables(TFLite.Model.buffers, limit: TFLiteFile.limit, "buffers")
    let graph = graphs[0]
    var tensors: [TFLiteTensor] = []
    for table in try graph.tables(TFLite.Subgraph.tensors, limit: TFLiteFile.limit, "tensors") {
      tensors.append(try TFLiteTensor(table, index: tensors.count))
    }
    self.tensors = tensors
    let codes = try model.tables(TFLite.Model.operatorCodes, limit: TFLiteFile.limit, "operator codes")
    var operators: [TFLiteOperator] = []
    for table in try graph.tables(TFLite.Subgraph.operators, limit: TFLiteFile.limit, "operators") {
      operators.append(
        try TFLiteOperator(table, index: operators.count, codes: codes, tensorCount: tensors.count))
    }
    self.operators = operators
    func single(_ slot: Int, _ name: String) throws(FileError) -> Int {
      let indices = try graph.integers(slot, as: Int32.self, limit: TFLiteFile.limit, name)
      guard indices.count == 1, tensors.indices.contains(Int(indices[0])) else {
        throw unsupported("is not a network of one \(name)", seen: "\(indices)", allowed: "one tensor")
      }
      return Int(indices[0])
    }
    input = try single(TFLite.Subgraph.inputs, "input")
    output = try single(TFLite.Subgraph.outputs, "output")
    guard try constant(input) == nil else {
      throw unsupported(
        "has an input with values of its own", seen: "tensor \(input)", allowed: "an input without values")
    }
    try requireSignatures()
  }

  /// Programs may run a file by a signature: each must name the input and the output of the network.
  private func requireSignatures() throws(FileError) {
    for signature in try model.tables(TFLite.Model.signatures, limit: 16, "signatures") {
      func tensors(_ slot: Int, _ name: String) throws(FileError) -> [Int] {
        var tensors: [Int] = []
        for map in try signature.tables(slot, limit: 16, name) {
          tensors.append(Int(try map.integer(TFLite.TensorMap.tensor, standard: UInt32(0))))
        }
        return tensors
      }
      let (read, given) = (
        try tensors(TFLite.Signature.inputs, "the inputs of a signature"),
        try tensors(TFLite.Signature.outputs, "the outputs of a signature")
      )
      let graph = try signature.integer(TFLite.Signature.subgraph, standard: UInt32(0))
      guard try signature.has(TFLite.Signature.key) else {
        throw FileError(
          .malformed, code: "tflite.signature", file: path, "has a signature without its key",
          offset: signature.offset)
      }
      guard read == [input], given == [output], graph == 0 else {
        throw FileError(
          .unsupported, code: "tflite.signature", file: path,
          "has a signature of something else than its network",
          offset: signature.offset, seen: "tensors \(read) to \(given)", allowed: "\([input]) to \([output])")
      }
    }
  }

  /// The bytes of a constant tensor, and where they are; nil: it is computed.
  func constant(_ index: Int) throws(FileError) -> (bytes: ByteRegion, offset: Int)? {
    let tensor = tensors[index]
    guard tensor.buffer != 0 else { return nil }
    guard tensor.buffer < buffers.count else {
      throw FileError(
        .malformed, code: "tflite.buffer", file: path, "has a tensor whose buffer is not there",
        offset: tensor.table.offset, place: "tensor \(index)", seen: "\(tensor.buffer)",
        allowed: "less than \(buffers.count)")
    }
    let buffer = buffers[tensor.buffer]
    if let data = try buffer.vector(
      TFLite.Buffer.data, elementByteCount: 1, limit: .max, "buffer \(tensor.buffer)")
    {
      return data.count == 0 ? nil : (data.bytes, data.offset)
    }
    // Files of more than 2 GB have contents behind everything else.
    let offset = try buffer.integer(TFLite.Buffer.offset, standard: UInt64(0))
    let size = try buffer.integer(TFLite.Buffer.size, standard: UInt64(0))
    guard offset > 1 else { return nil }
    guard let start = Int(exactly: offset), let count = Int(exactly: size),
      let bytes = bytes.slice(at: start, count: count)
    else {
      throw FileError(
        .malformed, code: "tflite.buffer", file: path, "has a buffer that does not lie within it",
        offset: buffer.offset, place: "buffer \(tensor.buffer)", seen: "\(size) bytes at \(offset)",
        allowed: "within \(self.bytes.count) bytes")
    }
    return (bytes, start)
  }

  /// The bytes of a metadata entry; nil: there is none of this name.
  func metadata(_ name: String) throws(FileError) -> ByteRegion? {
    for entry in try model.tables(TFLite.Model.metadata, limit: 256, "metadata") {
      guard try entry.string(TFLite.Metadata.name, limit: 4096, "the name of metadata") == name else {
        continue
      }
      let index = Int(try entry.integer(TFLite.Metadata.buffer, standard: UInt32(0)))
      guard index < buffers.count else { return nil }
      return try buffers[index].vector(
        TFLite.Buffer.data, elementByteCount: 1, limit: .max, "metadata \(name)")?.bytes
    }
    return nil
  }

  /// What `vggconv export` says besides; nil: the file is another program's.
  func ownMetadata() throws(FileError) -> ModelMetadata? {
    guard let bytes = try metadata(TFLite.ownMetadata) else { return nil }
    func damaged(_ problem: String, seen: String? = nil) -> FileError {
      FileError(
        .malformed, code: "tflite.metadata", file: path, problem,
        place: "metadata '\(TFLite.ownMetadata)'", seen: seen)
    }
    guard bytes.count <= TFLiteFile.longestMetadata else {
      throw damaged("has metadata that is too long", seen: "\(bytes.count) bytes")
    }
    let json: JSONValue
    do throws(JSONError) { json = try JSONValue(parsing: bytes.withBytes { Array($0) }) } catch {
      throw damaged("has metadata that is no JSON: \(error.problem)")
    }
    guard let metadata = try ModelMetadata(json, file: path) else {
      throw damaged("has metadata without a version")
    }
    return metadata
  }

  /// More than the names of all classes that there are need.
  private static let longestMetadata = 1 << 24

  /// What made the file, as it says.
  func description() throws(FileError) -> String {
    try model.string(TFLite.Model.description, limit: 4096, "the description")
  }
}

/// A tensor of a TFLite file.
struct TFLiteTensor {
  let table: FlatBuffer.Table
  let index: Int
  let shape: [Int]
  /// The shape with -1 for axes of any length.
  let signature: [Int]
  /// nil: a type that no VGG has.
  let type: TFLite.TensorType?
  let typeNumber: Int8
  let buffer: Int

  init(_ table: FlatBuffer.Table, index: Int) throws(FileError) {
    (self.table, self.index) = (table, index)
    func lengths(_ slot: Int) throws(FileError) -> [Int] {
      try table.integers(slot, as: Int32.self, limit: 8, "the shape of tensor \(index)").map { Int($0) }
    }
    shape = try lengths(TFLite.Tensor.shape)
    let signature = try lengths(TFLite.Tensor.shapeSignature)
    self.signature = signature.count == shape.count ? signature : shape
    guard shape.allSatisfy({ $0 >= 0 }) else {
      throw FileError(
        .malformed, code: "tflite.shape", file: table.buffer.file, "has a tensor of an impossible shape",
        offset: table.offset, place: "tensor \(index)", seen: "\(shape)")
    }
    typeNumber = try table.integer(TFLite.Tensor.type, standard: Int8(0))
    type = TFLite.TensorType(rawValue: typeNumber)
    buffer = Int(try table.integer(TFLite.Tensor.buffer, standard: UInt32(0)))
    guard try !table.flag(TFLite.Tensor.isVariable), try !table.has(TFLite.Tensor.sparsity) else {
      throw FileError(
        .unsupported, code: "tflite.tensor", file: table.buffer.file,
        "has a tensor that is sparse or changes, as no VGG needs", offset: table.offset,
        place: "tensor \(index)")
    }
  }

  /// The name; fused operators have several, of which this is the first.
  func name() throws(FileError) -> String {
    let text = try table.string(TFLite.Tensor.name, "the name of tensor \(index)")
    let first = text.prefix { $0 != ";" }
    return first.isEmpty ? "tensor \(index)" : String(first)
  }

  /// What the tensor's codes stand for; nil: it has none.
  func quantization() throws(FileError) -> TFLiteQuantization? {
    let name = "the quantisation of tensor \(index)"
    guard let table = try table.table(TFLite.Tensor.quantization, name) else { return nil }
    let scales = try table.integers(TFLite.Quantization.scales, as: UInt32.self, limit: 1 << 16, name)
      .map { Float(bitPattern: $0) }
    guard !scales.isEmpty else { return nil }
    let zeroPoints = try table.integers(TFLite.Quantization.zeroPoints, as: Int64.self, limit: 1 << 16, name)
    let dimension = try table.integer(TFLite.Quantization.dimension, standard: Int32(0))
    guard zeroPoints.count == scales.count,
      zeroPoints.allSatisfy({ -128...127 ~= $0 }), scales.allSatisfy(\.isFinite),
      try table.integer(TFLite.Quantization.detailsType, standard: UInt8(0)) == 0
    else {
      throw FileError(
        .unsupported, code: "tflite.quantization", file: table.buffer.file,
        "has a tensor with a quantisation that is not supported", offset: table.offset,
        place: "tensor \(index)",
        seen: "\(scales.count) scales, \(zeroPoints.count) zero points",
        allowed: "a scale and a zero point of int8 for the tensor or each output")
    }
    return TFLiteQuantization(
      scales: scales, zeroPoints: zeroPoints.map { Int8($0) }, dimension: Int(dimension))
  }
}

/// What codes of a TFLite tensor stand for.
struct TFLiteQuantization: Equatable {
  var scales: [Float]
  var zeroPoints: [Int8]
  /// The axis along which the scales are, if there are several.
  var dimension: Int
}

/// An operator of a TFLite file.
struct TFLiteOperator {
  let table: FlatBuffer.Table
  let index: Int
  let operation: TFLite.Operation
  /// What it is called in errors, such as `operator 3 (CONV_2D)`.
  let place: String
  /// Indices of tensors; nil: an input that is left out.
  let inputs: [Int?]
  let output: Int

  init(_ table: FlatBuffer.Table, index: Int, codes: [FlatBuffer.Table], tensorCount: Int) throws(FileError) {
    (self.table, self.index) = (table, index)
    func damaged(_ problem: String, seen: String) -> FileError {
      FileError(
        .malformed, code: "tflite.operator", file: table.buffer.file, problem, offset: table.offset,
        place: "operator \(index)", seen: seen)
    }
    let code = Int(try table.integer(TFLite.Operator.code, standard: UInt32(0)))
    guard codes.indices.contains(code) else {
      throw damaged("has an operator whose code is not there", seen: "\(code)")
    }
    let old = Int32(try codes[code].integer(TFLite.OperatorCode.oldCode, standard: Int8(0)))
    let number = max(old, try codes[code].integer(TFLite.OperatorCode.code, standard: Int32(0)))
    guard let operation = TFLite.Operation(rawValue: number) else {
      let place = "operator \(index) (\(TFLiteOperator.otherNames[number] ?? "number \(number)"))"
      throw FileError(
        .unsupported, code: "tflite.operator", file: table.buffer.file, "is no VGG", offset: table.offset,
        place: place, seen: place, allowed: "the operators of a VGG")
    }
    self.operation = operation
    place = "operator \(index) (\(operation.name))"
    let version = try codes[code].integer(TFLite.OperatorCode.version, standard: Int32(1))
    guard 1...operation.newestVersion ~= version else {
      throw FileError(
        .unsupported, code: "tflite.version", file: table.buffer.file,
        "has an operator in a version that is not known", offset: codes[code].offset, place: place,
        seen: "\(version)", allowed: "1 to \(operation.newestVersion)")
    }
    // Tables may share these lists, so that a small file could have a great many of them.
    let inputs = try table.integers(
      TFLite.Operator.inputs, as: Int32.self, limit: 16, "the inputs of \(place)")
    let outputs = try table.integers(
      TFLite.Operator.outputs, as: Int32.self, limit: 16, "the outputs of \(place)")
    guard inputs.allSatisfy({ -1..<Int32(tensorCount) ~= $0 }),
      outputs.allSatisfy({ 0..<Int32(tensorCount) ~= $0 })
    else { throw damaged("has an operator whose tensors are not there", seen: "\(inputs), \(outputs)") }
    self.inputs = inputs.map { $0 < 0 ? nil : Int($0) }
    guard outputs.count == 1 else {
      throw FileError(
        .unsupported, code: "tflite.operator", file: table.buffer.file,
        "is no VGG: an operator has several outputs",
        offset: table.offset, place: place, seen: "\(outputs.count)", allowed: "1")
    }
    output = Int(outputs[0])
  }

  /// The table of its options; nil: it has the defaults.
  ///
  /// Runtimes pass over a table that is said to be of another operator's type, and take zeros instead.
  func options() throws(FileError) -> FlatBuffer.Table? {
    guard let options = try table.table(TFLite.Operator.options, "the options of \(place)") else {
      return nil
    }
    let type = try table.integer(TFLite.Operator.optionsType, standard: UInt8(0))
    guard type == operation.optionsType else {
      throw FileError(
        .malformed, code: "tflite.options", file: table.buffer.file,
        "has options that are said to be those of another operator", offset: options.offset, place: place,
        seen: "type \(type)", allowed: "type \(operation.optionsType)")
    }
    return options
  }

  /// The names of operators that people meet in networks that are no VGG.
  private static let otherNames: [Int32: String] = [
    0: "ADD", 2: "CONCATENATION", 4: "DEPTHWISE_CONV_2D", 18: "MUL", 21: "RELU6", 32: "CUSTOM",
    39: "TRANSPOSE", 41: "SUB", 67: "TRANSPOSE_CONV", 98: "LEAKY_RELU",
  ]
}

extension TFLite.Operation {
  /// The newest version that LiteRT 2.3 has; what a later one means is not known.
  fileprivate var newestVersion: Int32 {
    switch self {
    case .localResponseNormalization, .reshape, .shape: 1
    case .averagePooling, .maximumPooling, .logistic, .relu, .mean, .reduceMaximum: 3
    case .softmax: 4
    case .pack: 5
    case .pad, .quantize: 6
    case .convolution, .stridedSlice: 8
    case .dequantize: 9
    case .fullyConnected: 14
    }
  }
}
