internal import CVGGManifest
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

extension Manifest {
  /// Reads and checks a manifest.
  ///
  /// Each field is checked here, and that the layers are those of their architecture and fit together. Whether the
  /// tensors tile the file is checked by `checkDataArea`.
  ///
  /// - Parameters:
  ///   - bytes: The bytes of the manifest.
  ///   - path: The file's path, for errors.
  ///   - offset: Where they stand in the file, for errors.
  init(unpacking bytes: ByteRegion, path: String, offset: Int) throws(FileError) {
    let reader = MessageReader(path: path, offset: offset)
    let memory = BoundedMemory(forUnpacking: bytes.count)
    var allocator = memory.allocator
    let unpacked = bytes.withBytes { bytes in
      vggw__manifest__unpack(&allocator, bytes.count, bytes.assumingMemoryBound(to: UInt8.self).baseAddress)
    }
    guard let unpacked else {
      throw reader.failure("message", "is not a protobuf message of the expected form")
    }
    defer { vggw__manifest__free_unpacked(unpacked, &allocator) }
    try self.init(unpacked.pointee, reader)
  }

  private init(_ message: Vggw__Manifest, _ reader: MessageReader) throws(FileError) {
    tool = try reader.string(message.tool, "tool")
    network = try Network(reader.required(message.network, "network"), reader.within("network"))
    tensors = try reader.list(message.tensors, message.n_tensors, "tensors") {
      tensor throws(FileError) in
      let name = try reader.string(tensor.name, "tensors.name")
      return try TensorRecord(tensor, name: name, reader.within("tensor \(name)"))
    }
    if let preprocessing = message.preprocessing {
      self.preprocessing = try Preprocessing(preprocessing.pointee, reader.within("preprocessing"))
    }
    labels = try reader.strings(message.labels, message.n_labels, "labels")
    guard labels.isEmpty || labels.count == network.classCount else {
      throw reader.failure(
        "labels", "does not name as many classes as there are", seen: "\(labels.count)",
        allowed: "none, or \(network.classCount ?? 0)")
    }
    if let arithmetic = message.integer_arithmetic {
      integerArithmetic = try IntegerArithmetic(arithmetic.pointee, reader.within("integer_arithmetic"))
    }
    provenance = try Provenance(
      reader.required(message.provenance, "provenance"), reader.within("provenance"))
    try provenance.checkPasses(of: network, reader.within("provenance"))
    let stated = try reader.digest(message.weights_digest, "weights_digest")
    guard stated == weightsDigest else {
      throw reader.failure(
        "weights_digest", "has a wrong digest of all weights", seen: stated.description,
        allowed: weightsDigest.description)
    }
  }
}

/// Memory for unpacking: a small manifest can claim to hold millions of messages, so there is a limit.
private final class BoundedMemory {
  private var remaining: Int

  /// More than any manifest of a length needs: the arrays of C are little larger than their packed form.
  init(forUnpacking byteCount: Int) { remaining = 2 * byteCount + (4 << 20) }

  /// Valid as long as the object.
  var allocator: ProtobufCAllocator {
    ProtobufCAllocator(
      alloc: { data, size in
        guard let data else { return nil }
        let memory = Unmanaged<BoundedMemory>.fromOpaque(data).takeUnretainedValue()
        guard size <= memory.remaining else { return nil }
        memory.remaining -= size
        return UnsafeMutableRawPointer.allocate(byteCount: max(1, size), alignment: 16)
      },
      free: { _, pointer in pointer?.deallocate() },
      allocator_data: Unmanaged.passUnretained(self).toOpaque())
  }
}

extension TensorRecord {
  fileprivate init(_ message: Vggw__Tensor, name: String, _ reader: MessageReader) throws(FileError) {
    let shape = try UnsafeBufferPointer(start: message.shape, count: message.n_shape).map {
      axis throws(FileError) in try reader.number(axis, 1...1 << 36, "shape")
    }
    let count = shape.reduce(Int?(1)) { product, axis in
      guard let (value, overflow) = product?.multipliedReportingOverflow(by: axis) else { return nil }
      return overflow || value > 1 << 60 ? nil : value
    }
    guard let count, !shape.isEmpty else {
      throw reader.failure("shape", "has an impossible shape", seen: "\(shape)", allowed: "one to four axes")
    }
    let decodedLength = count * MemoryLayout<Float>.size
    guard message.decoded_length == UInt64(decodedLength) else {
      throw reader.failure(
        "decoded_length", "has a wrong length", seen: "\(message.decoded_length)", allowed: "\(decodedLength)"
      )
    }
    let storedBytes = try reader.number(message.stored_length, 1...Int.max, "stored_length")
    let stated = try reader.digest(message.stored_digest, "stored_digest")
    let type = try reader.choice(message.element_type, Manifest.elementTypes, "element_type")
    self.init(
      name: name, role: try reader.choice(message.role, Manifest.roles, "role"), shape: shape,
      layout: try reader.choice(message.layout, Manifest.layouts, "layout"),
      elementType: type, storage: try reader.choice(message.encoding, Manifest.storages, "encoding"),
      parameters: try CodeParameters(message, of: type, in: shape, reader),
      offset: try reader.number(message.offset, Header.byteCount...Int.max, "offset"),
      storedBytes: storedBytes,
      blockDigests: try TensorRecord.blockDigests(message, stated: stated, storedBytes: storedBytes, reader),
      valuesDigest: try reader.digest(message.values_digest, "values_digest"))
    guard storedDigest == stated else {
      throw reader.failure(
        "stored_digest", "is not the digest of the block digests", seen: stated.description,
        allowed: storedDigest.description)
    }
    // Then values and stored bytes are the same.
    guard isEncoded || valuesDigest == storedDigest else {
      throw reader.failure(
        "values_digest", "has a digest of values that is not that of the stored ones",
        seen: valuesDigest.description,
        allowed: storedDigest.description)
    }
  }

  private static func blockDigests(
    _ message: Vggw__Tensor, stated: Digest, storedBytes: Int, _ reader: MessageReader
  ) throws(FileError) -> [Digest] {
    let bytes = reader.bytes(message.block_digests)
    let count = BlockDigest.blockCount(storedBytes)
    let expected = count == 1 ? 0 : count.multipliedReportingOverflow(by: Digest.byteCount).partialValue
    guard bytes.count == expected else {
      throw reader.failure(
        "block_digests", "has a wrong number of block digests", seen: "\(bytes.count) bytes",
        allowed: "\(expected)")
    }
    if count == 1 { return [stated] }
    return stride(from: 0, to: bytes.count, by: Digest.byteCount).compactMap {
      Digest(Array(bytes[$0..<$0 + Digest.byteCount]))
    }
  }
}

extension IntegerArithmetic {
  /// Whether all of it fits the network and its tensors is for the model to find out.
  fileprivate init(_ message: Vggw__IntegerArithmetic, _ reader: MessageReader) throws(FileError) {
    self.init(
      rounding: try reader.choice(message.requantization, Manifest.requantizations, "requantization"),
      input: try ActivationQuantization(reader.required(message.input, "input"), reader),
      outputs: try reader.list(message.outputs, message.n_outputs, "outputs") { codes throws(FileError) in
        try ActivationQuantization(codes, reader)
      })
  }
}

extension ActivationQuantization {
  fileprivate init(_ message: Vggw__ActivationCodes, _ reader: MessageReader) throws(FileError) {
    self.init(
      scale: message.scale,
      zeroPoint: Int8(try reader.number(message.zero_point, -128...127, "zero_point")))
  }
}

extension Preprocessing {
  fileprivate init(_ message: Vggw__Preprocessing, _ reader: MessageReader) throws(FileError) {
    func numbers(
      _ values: UnsafeMutablePointer<Double>?, _ count: Int, _ field: String
    ) throws(FileError) -> [Double] {
      try UnsafeBufferPointer(start: values, count: count).map { value throws(FileError) in
        try reader.finite(value, field)
      }
    }
    let side = try reader.number(message.shorter_side, 0...Network.largestInputSide, "shorter_side")
    self.init(
      channelOrder: try reader.choice(message.channel_order, Manifest.channelOrders, "channel_order"),
      mean: try numbers(message.mean, message.n_mean, "mean"),
      scale: try numbers(message.scale, message.n_scale, "scale"),
      resize: side == 0 ? .stretch : .shorterSide(side))
    let channelCount = channelOrder == .gray ? 1 : 3
    for (field, values) in [("mean", mean), ("scale", scale)] where values.count != channelCount {
      throw reader.failure(
        field, "has a wrong number of channels", seen: "\(values.count)", allowed: "\(channelCount)")
    }
  }
}

extension Provenance {
  /// The passes of a manifest; up to version 1.2 they were text.
  private static func passes(
    _ message: Vggw__Provenance, _ reader: MessageReader
  ) throws(FileError) -> [Pass] {
    let texts = try reader.strings(message.pass_texts, message.n_pass_texts, "pass_texts")
    // Who verifies a model repeats each of them with all weights.
    guard texts.count <= mostPasses, message.n_passes <= mostPasses - texts.count else {
      throw reader.failure(
        "passes", "has too many passes", seen: "\(texts.count) and \(message.n_passes)",
        allowed: "\(mostPasses)")
    }
    return texts.map(Pass.init(textOfVersion1_2:))
      + (try reader.list(message.passes, message.n_passes, "passes") { pass throws(FileError) in
        try Pass(pass, reader)
      })
  }

  /// More than anybody runs over one model.
  static let mostPasses = 64

  fileprivate init(_ message: Vggw__Provenance, _ reader: MessageReader) throws(FileError) {
    self.init(
      sourceName: try reader.string(message.source_name, "source_name"),
      sourceByteCount: try reader.number(message.source_length, 0...Int.max, "source_length"),
      sourceSHA256: try reader.optionalDigest(message.source_digest, "source_digest"),
      format: try reader.string(message.format, "format"),
      generation: try reader.string(message.generation, "generation"),
      decisions: try reader.list(message.decisions, message.n_decisions, "decisions") {
        decision throws(FileError) in
        Decision(
          recorded: try reader.string(decision.subject, "subject"),
          try reader.string(decision.choice, "choice"),
          because: try reader.string(decision.evidence, "evidence"))
      },
      dropped: try reader.list(message.dropped, message.n_dropped, "dropped") { dropped throws(FileError) in
        DroppedTensor(
          try reader.string(dropped.name, "name"), because: try reader.string(dropped.reason, "reason"))
      },
      passes: try Provenance.passes(message, reader))
    companions = try reader.list(message.companions, message.n_companions, "companions") {
      file throws(FileError) in
      SourceFile(
        try reader.string(file.name, "companions.name"),
        byteCount: try reader.number(file.length, 0...Int.max, "companions.length"),
        sha256: try reader.optionalDigest(file.digest, "companions.digest"))
    }
    folded = try reader.list(message.folded, message.n_folded, "folded") { tensor throws(FileError) in
      FoldedTensor(
        try reader.string(tensor.name, "folded.name"), into: try reader.string(tensor.layer, "folded.layer"),
        valuesDigest: try reader.optionalDigest(tensor.values_digest, "folded.values_digest"))
    }
  }
}
