import ModelTestSupport
import Testing
import VGGBytes
import VGGExport
import VGGFlatBuffers
import VGGModel
import VGGTFLite

/// Files that runtimes take for something else than they seem, or do not take at all.
@Suite("TFLite files that are not what they seem") struct MeaningTests {
  private func refusal(_ patch: Patch) throws -> FileError {
    try #require(throws: FileError.self) { try imported(patch.bytes) }
  }

  private func patch(_ network: String = "A", _ kind: WeightKind = .float32) throws -> Patch {
    try Patch(exported(#require(TestNetwork.all.first { $0.testDescription == network }).model(kind)))
  }

  /// Runtimes pass over options of another type: then a layer has no ReLU, a softmax a factor of 0.
  @Test(arguments: [
    TFLite.Operation.convolution, .maximumPooling, .fullyConnected, .softmax, .localResponseNormalization,
  ])
  func optionsAreOfTheirOperator(_ kind: TFLite.Operation) throws {
    for type in [0, 99] {
      var patch = try patch(kind == .localResponseNormalization ? "A-LRN" : "A")
      let operation = try #require(try patch.operators(kind).first)
      patch.bytes[patch.place(TFLite.Operator.optionsType, of: operation)] = UInt8(type)
      let error = try refusal(patch)
      #expect(error.code == "tflite.options" && error.place?.contains(kind.name) == true, "\(error)")
    }
  }

  @Test(arguments: [-1, 0, 9, 99]) func versionsAreKnown(_ version: Int) throws {
    var patch = try patch()
    let code = try #require(
      try patch.root.tables(TFLite.Model.operatorCodes, limit: 9, "codes").first {
        try $0.integer(TFLite.OperatorCode.code, standard: Int32(0)) == TFLite.Operation.convolution.rawValue
      })
    patch.set(patch.place(TFLite.OperatorCode.version, of: code), to: Int(UInt32(bitPattern: Int32(version))))
    #expect(try refusal(patch).code == "tflite.version")
  }

  /// A map gets the shape that its operator is told, not that which is stated for it.
  @Test func mapsAreFlattenedAsTheirOperatorSays() throws {
    var patch = try patch()
    let operation = try #require(try patch.operators(.reshape).first)
    let shape = try patch.tensors(TFLite.Operator.inputs, operation)[1]
    let (_, place) = try patch.constant(shape)
    let count = patch.number(place + 4, as: Int32.self)
    patch.set(place + 4, to: Int(UInt32.max))
    _ = try imported(patch.bytes)
    for lengths in [[count, 1], [1, count + 1], [-1, -1]] {
      for (index, length) in lengths.enumerated() {
        patch.set(place + 4 * index, to: Int(UInt32(bitPattern: Int32(length))))
      }
      #expect(try refusal(patch).code == "tflite.shape", "\(lengths)")
    }
  }

  /// The type of an input, a map, an output.
  @Test func mapsAreOfOneType() throws {
    for place in 0..<3 {
      for type in [TFLite.TensorType.float16, .int8] {
        var patch = try patch()
        let layers = try patch.operators(.convolution)
        let index =
          switch place {
          case 0: try patch.tensors(TFLite.Operator.inputs, layers[0])[0]
          case 1: try patch.tensors(TFLite.Operator.inputs, layers[1])[0]
          default: try patch.tensors(TFLite.Operator.outputs, #require(patch.operators(.softmax).first))[0]
          }
        try patch.setType(of: index, to: type)
        #expect(try refusal(patch).code == "tflite.operator")
      }
    }
  }

  @Test func weightsAreConvertedOnlyWhereTheyNeedBe() throws {
    var patch = try patch("A", .float16)
    let stored = try patch.tensors(
      TFLite.Operator.inputs, #require(patch.operators(.dequantize).first))[0]
    try patch.setType(of: stored, to: .float32)
    #expect(try refusal(patch).problem.contains("converts weights"))
  }

  @Test func scalesHaveZeroPoints() throws {
    var patch = try patch("A", .int8)
    let stored = try patch.tensors(
      TFLite.Operator.inputs, #require(patch.operators(.dequantize).first))[0]
    let rule = try #require(
      try patch.graph().tables(TFLite.Subgraph.tensors, limit: 999, "tensors")[stored].table(
        TFLite.Tensor.quantization, "rule"))
    patch.set(patch.vector(TFLite.Quantization.zeroPoints, of: rule), to: 0)
    #expect(try refusal(patch).code == "tflite.quantization")
  }

  @Test func signaturesHaveAKey() throws {
    var patch = try patch()
    let signature = try patch.root.tables(TFLite.Model.signatures, limit: 1, "signatures")[0]
    patch.remove(TFLite.Signature.key, of: signature)
    #expect(try refusal(patch).code == "tflite.signature")
  }

  @Test func inputsHaveNoValues() throws {
    var patch = try patch()
    let layer = try patch.operators(.convolution)[0]
    let inputs = try patch.tensors(TFLite.Operator.inputs, layer)
    let tensors = try patch.graph().tables(TFLite.Subgraph.tensors, limit: 999, "tensors")
    let buffer = patch.number(patch.place(TFLite.Tensor.buffer, of: tensors[inputs[1]]), as: UInt32.self)
    patch.set(patch.place(TFLite.Tensor.buffer, of: tensors[inputs[0]]), to: buffer)
    #expect(try refusal(patch).problem.contains("values of its own"))
  }
}

extension Patch {
  /// The bytes of a constant, and where they are.
  fileprivate func constant(_ tensor: Int) throws -> (count: Int, place: Int) {
    let table = try graph().tables(TFLite.Subgraph.tensors, limit: 999, "tensors")[tensor]
    let index = Int(try table.integer(TFLite.Tensor.buffer, standard: UInt32(0)))
    let buffer = try root.tables(TFLite.Model.buffers, limit: 999, "buffers")[index]
    let vector = try #require(
      try buffer.vector(TFLite.Buffer.data, elementByteCount: 1, limit: .max, "data"))
    return (vector.count, vector.offset)
  }

  fileprivate mutating func setType(of tensor: Int, to type: TFLite.TensorType) throws {
    let table = try graph().tables(TFLite.Subgraph.tensors, limit: 999, "tensors")[tensor]
    bytes[place(TFLite.Tensor.type, of: table)] = UInt8(type.rawValue)
  }

  /// Takes a field out of its table.
  fileprivate mutating func remove(_ slot: Int, of table: FlatBuffer.Table) {
    let list = table.offset - number(table.offset, as: Int32.self)
    bytes.replaceSubrange(list + 4 + 2 * slot..<list + 6 + 2 * slot, with: [0, 0])
  }
}
