internal import VGGFlatBuffers
internal import VGGModel
internal import VGGTensors

/// The tensors and operators of a TFLite model while they are put together.
struct TFLiteGraph {
  /// A kind of operator, in the version that has what is used of it.
  private struct Code: Hashable {
    var operation: TFLite.Operation
    var version: Int32
  }

  private var tensors: [FlatBufferTable] = []
  /// What each tensor needs to be there while the network runs; nil for constants.
  private(set) var mapByteCounts: [Int?] = []
  /// The first buffer is empty, by the format's rule; tensors without values refer to it.
  private var buffers = [FlatBufferTable([:])]
  private var codes: [Code] = []
  private var operators: [FlatBufferTable] = []
  private var metadata: [FlatBufferTable] = []

  /// The number of tensors.
  var tensorCount: Int { tensors.count }

  /// Adds a tensor of constant values.
  mutating func addConstant(
    _ name: String, shape: [Int], _ type: TFLite.TensorType, _ values: FlatBufferValue,
    _ quantization: FlatBufferTable? = nil
  ) -> Int32 {
    buffers.append(FlatBufferTable([TFLite.Buffer.data: values]))
    mapByteCounts.append(nil)
    return add(name, shape, type, buffer: UInt32(buffers.count - 1), quantization)
  }

  /// Adds a tensor of 32-bit numbers, which say something of an operator.
  mutating func addConstant(_ name: String, _ numbers: [Int32], shape: [Int]? = nil) -> Int32 {
    addConstant(
      name, shape: shape ?? [numbers.count], .int32,
      .bytes(numbers.flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }))
  }

  /// Adds a tensor that an operator computes, or the input.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - shape: The lengths of its axes.
  ///   - type: The type of its elements.
  ///   - codes: What codes stand for; nil: there are none.
  ///   - signature: The shape with -1 for axes of any length; nil: there are none.
  ///   - isDerived: Whether it is computed once of a constant, so that it is no map between two layers.
  mutating func addMap(
    _ name: String, shape: [Int], _ type: TFLite.TensorType, _ codes: ActivationQuantization? = nil,
    signature: [Int]? = nil, isDerived: Bool = false
  ) -> Int32 {
    mapByteCounts.append(isDerived ? nil : shape.reduce(type == .int8 ? 1 : 4, *))
    let quantization = codes.map {
      TFLiteGraph.quantization(scales: [$0.scale], zeroPoints: [Int64($0.zeroPoint)])
    }
    return add(name, shape, type, buffer: 0, quantization, signature: signature)
  }

  private mutating func add(
    _ name: String, _ shape: [Int], _ type: TFLite.TensorType, buffer: UInt32,
    _ quantization: FlatBufferTable?,
    signature: [Int]? = nil
  ) -> Int32 {
    var tensor = FlatBufferTable([
      TFLite.Tensor.shape: .int32s(shape.map { Int32($0) }),
      TFLite.Tensor.type: .byte(UInt8(bitPattern: type.rawValue)), TFLite.Tensor.buffer: .uint32(buffer),
      TFLite.Tensor.name: .string(name),
    ])
    if let quantization { tensor.set(TFLite.Tensor.quantization, .table(quantization)) }
    if let signature { tensor.set(TFLite.Tensor.shapeSignature, .int32s(signature.map { Int32($0) })) }
    tensors.append(tensor)
    return Int32(tensors.count - 1)
  }

  /// What codes stand for; one scale for all, or one for each length of the first axis.
  static func quantization(scales: [Float], zeroPoints: [Int64] = []) -> FlatBufferTable {
    FlatBufferTable([
      TFLite.Quantization.scales: .float32s(scales),
      TFLite.Quantization.zeroPoints: .int64s(
        zeroPoints.isEmpty ? Array(repeating: 0, count: scales.count) : zeroPoints),
      TFLite.Quantization.dimension: .int32(0),
    ])
  }

  /// Adds an operator.
  mutating func addOperator(
    _ operation: TFLite.Operation, version: Int32, _ inputs: [Int32], to output: Int32,
    _ options: FlatBufferTable? = nil
  ) {
    let code = Code(operation: operation, version: version)
    let index = codes.firstIndex(of: code) ?? codes.count
    if index == codes.count { codes.append(code) }
    var table = FlatBufferTable([
      TFLite.Operator.code: .uint32(UInt32(index)), TFLite.Operator.inputs: .int32s(inputs),
      TFLite.Operator.outputs: .int32s([output]),
    ])
    if let options {
      table.set(TFLite.Operator.optionsType, .byte(operation.optionsType))
      table.set(TFLite.Operator.options, .table(options))
    }
    operators.append(table)
  }

  /// Adds bytes under a name.
  mutating func addMetadata(_ name: String, _ bytes: [UInt8]) {
    buffers.append(FlatBufferTable([TFLite.Buffer.data: .bytes(bytes)]))
    metadata.append(
      FlatBufferTable([
        TFLite.Metadata.name: .string(name), TFLite.Metadata.buffer: .uint32(UInt32(buffers.count - 1)),
      ]))
  }

  /// The oldest release of TensorFlow Lite that has all operators in these versions.
  var minimumRuntime: String {
    codes.map { TFLiteRelease(of: $0.operation, version: $0.version) }.max()?.text ?? "1.5.0"
  }

  /// The table that the file is.
  func model(description: String, input: Int32, output: Int32, outputName: String) -> FlatBufferTable {
    func signature(_ name: String, _ tensor: Int32) -> FlatBufferValue {
      .tables([
        FlatBufferTable([
          TFLite.TensorMap.name: .string(name), TFLite.TensorMap.tensor: .uint32(UInt32(tensor)),
        ])
      ])
    }
    let subgraph = FlatBufferTable([
      TFLite.Subgraph.tensors: .tables(tensors), TFLite.Subgraph.inputs: .int32s([input]),
      TFLite.Subgraph.outputs: .int32s([output]), TFLite.Subgraph.operators: .tables(operators),
      TFLite.Subgraph.name: .string("main"),
    ])
    return FlatBufferTable([
      TFLite.Model.version: .uint32(TFLite.version),
      TFLite.Model.operatorCodes: .tables(codes.map(TFLiteGraph.operatorCode)),
      TFLite.Model.subgraphs: .tables([subgraph]), TFLite.Model.description: .string(description),
      TFLite.Model.buffers: .tables(buffers), TFLite.Model.metadata: .tables(metadata),
      TFLite.Model.signatures: .tables([
        FlatBufferTable([
          TFLite.Signature.inputs: signature("input", input),
          TFLite.Signature.outputs: signature(outputName, output),
          TFLite.Signature.key: .string("serving_default"), TFLite.Signature.subgraph: .uint32(0),
        ])
      ]),
    ])
  }

  /// Old runtimes know only the first of the two fields of the code, new ones take the larger of both.
  private static func operatorCode(_ code: Code) -> FlatBufferTable {
    FlatBufferTable([
      TFLite.OperatorCode.oldCode: .byte(UInt8(code.operation.rawValue)),
      TFLite.OperatorCode.version: .int32(code.version),
      TFLite.OperatorCode.code: .int32(code.operation.rawValue),
    ])
  }
}

/// A release of TensorFlow Lite.
struct TFLiteRelease: Comparable {
  private let major: Int
  private let minor: Int

  /// `1.14.0`
  var text: String { "\(major).\(minor).0" }

  /// The first one that has a version of an operator (tensorflow/lite/tools/versioning/runtime_version.cc).
  init(of operation: TFLite.Operation, version: Int32) {
    (major, minor) =
      switch (operation, version) {
      case (.dequantize, 1): (1, 13)
      case (.dequantize, 2), (.logistic, _): (1, 14)
      case (.dequantize, 3): (1, 15)
      case (.dequantize, 5): (2, 7)
      case (_, 1): (1, 5)
      default: (1, 14)
      }
  }

  static func < (left: TFLiteRelease, right: TFLiteRelease) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }
}
