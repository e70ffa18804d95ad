internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGTensors

/// Named tensors, as a file of PyTorch or safetensors holds them.
struct StateDict {
  /// A tensor: its numbers side by side, the last axis fastest.
  struct Tensor {
    var name: String
    var type: SafetensorsType
    var isBigEndian = false
    var shape: [Int]
    var bytes: ByteRegion
    /// Where the numbers stand in the file; nil where they were put in order first.
    var fileOffset: Int?

    /// The tensor as importers describe them; nil where its numbers are no reals and no signed bytes.
    ///
    /// - Parameters:
    ///   - shape: The shape, where it is another one with as many numbers.
    ///   - layout: The order of the axes.
    func source(_ shape: [Int]? = nil, _ layout: SourceLayout) -> SourceTensor? {
      let kind: NumberFormat.Kind
      switch type {
      case .float64: kind = .float64
      case .float32: kind = .float32
      case .float16: kind = .float16
      case .bfloat16: kind = .bfloat16
      case .int8: kind = .int8
      default: return nil
      }
      return SourceTensor(
        name: name, shape: shape ?? self.shape, format: NumberFormat(kind, isBigEndian: isBigEndian),
        bytes: bytes, layout: layout, fileOffset: fileOffset)
    }
  }

  /// The file's path, for errors.
  var file: String
  /// The tensors in the order of the file.
  var tensors: [Tensor]
  /// What a file of our own says besides.
  var metadata: ModelMetadata?
  /// What else is there, and why it is not needed.
  var dropped: [Provenance.DroppedTensor] = []
}

extension StateDict {
  /// Takes what a pickle built: a dictionary of tensors, or one that has it under a name that training programs use.
  ///
  /// - Parameters:
  ///   - root: What the pickle built.
  ///   - heap: What that refers to.
  ///   - file: The file's path, for errors.
  ///   - isBigEndian: Whether the numbers begin with their most significant bytes.
  ///   - scratchFolder: Where numbers go that have to be put in order.
  ///   - mostCopiedBytes: How many of these there may be: as many as the file has.
  ///   - numbers: Finds the bytes of a storage, and their offset in the file.
  init(
    _ root: PickleValue, _ heap: PickleHeap, file: String, isBigEndian: Bool, scratchFolder: String,
    mostCopiedBytes: Int,
    _ numbers: (PickledStorage) throws(FileError) -> (bytes: ByteRegion, fileOffset: Int?)
  ) throws(FileError) {
    (self.file, tensors) = (file, [])
    func hasTensors(_ value: PickleValue) -> Bool {
      heap.dictionary(value)?.contains { if case .tensor = $0.value { true } else { false } } == true
    }
    /// The members of a dictionary; of a name that is there twice Python would take the second one.
    func members(of value: PickleValue) throws(FileError) -> [(key: PickleValue, value: PickleValue)] {
      let members = heap.dictionary(value) ?? []
      var names: Set<PickleValue> = []
      for member in members {
        guard names.insert(member.key).inserted else {
          throw FileError(
            .malformed, code: "pickle.duplicate", file: file, "has a name twice", place: "state dict",
            seen: member.key.text.map { String($0.prefix(80)) })
        }
      }
      return members
    }
    var copiedByteCount = 0
    var found = try members(of: root)
    if !hasTensors(root) {
      let wrapped = StateDict.wrapperKeys.lazy.compactMap { key in
        found.first { $0.key == .text(key) && hasTensors($0.value) }
      }.first
      guard let wrapped else {
        throw FileError(
          .unsupported, code: "pickle.statedict", file: file, "holds no state dict",
          seen: heap.dictionary(root).map { "a dictionary of \($0.count) members, none of them a tensor" }
            ?? "something else than a dictionary",
          allowed: "names and tensors, or these under \(StateDict.wrapperKeys.joined(separator: ", "))")
      }
      for member in found where member.key != wrapped.key {
        dropped.append(
          Provenance.DroppedTensor(
            member.key.text ?? "a member", because: "stands beside the weights in a checkpoint"))
      }
      found = try members(of: wrapped.value)
    }
    for (key, value) in found {
      guard let name = key.text else {
        throw FileError(
          .malformed, code: "pickle.name", file: file, "has a tensor whose name is no text",
          place: "state dict")
      }
      guard case .tensor(let index) = value else {
        dropped.append(Provenance.DroppedTensor(name, because: "is no tensor"))
        continue
      }
      let (bytes, fileOffset) = try numbers(heap.tensors[index].storage)
      if !heap.tensors[index].isContiguous {
        copiedByteCount += bytes.count
        guard copiedByteCount <= mostCopiedBytes else {
          throw FileError(
            .malformed, code: "torch.overlap", file: file,
            "has tensors that share numbers in different orders",
            place: "tensor \(name)", seen: "more bytes to put in order than there are",
            allowed: "\(mostCopiedBytes)")
        }
      }
      tensors.append(
        try Tensor(
          name, heap.tensors[index], bytes, fileOffset, file: file, isBigEndian: isBigEndian,
          scratchFolder: scratchFolder))
    }
  }

  /// Under which names checkpoints keep their weights.
  private static let wrapperKeys = ["state_dict", "model_state_dict", "model", "net", "weights", "params"]
}

extension StateDict.Tensor {
  /// Finds a tensor's numbers in those of its storage; those of another order are copied to a temporary file.
  fileprivate init(
    _ name: String, _ tensor: PickledTensor, _ storage: ByteRegion, _ fileOffset: Int?, file: String,
    isBigEndian: Bool, scratchFolder: String
  ) throws(FileError) {
    let size = tensor.storage.type.bitCount / 8
    let count = tensor.shape.reduce(1, *)
    guard storage.count / size >= tensor.storage.count else {
      throw FileError(
        .malformed, code: "torch.storage", file: file, "has a storage that is shorter than it says",
        offset: fileOffset, place: "tensor \(name), storage \(tensor.storage.key.prefix(40))",
        seen: "\(storage.count) bytes", allowed: "\(tensor.storage.count) numbers of \(size) bytes")
    }
    self.init(
      name: name, type: tensor.storage.type, isBigEndian: isBigEndian, shape: tensor.shape, bytes: storage,
      fileOffset: nil)
    guard !tensor.isContiguous, count > 0 else {
      let offset = count == 0 ? 0 : tensor.offset * size
      guard let slice = storage.slice(at: offset, count: count * size) else { preconditionFailure() }
      (bytes, self.fileOffset) = (slice, fileOffset.map { $0 + offset })
      return
    }
    let scratch = try ScratchFile(byteCount: count * size, in: scratchFolder, for: file)
    storage.withBytes { source in
      guard let from = source.baseAddress, let to = scratch.mutableBytes.baseAddress else { return }
      var index = Array(repeating: 0, count: tensor.shape.count)
      var place = tensor.offset
      for number in 0..<count {
        (to + number * size).copyMemory(from: from + place * size, byteCount: size)
        for axis in index.indices.reversed() {
          index[axis] += 1
          place += tensor.strides[axis]
          if index[axis] < tensor.shape[axis] { break }
          place -= tensor.strides[axis] * tensor.shape[axis]
          index[axis] = 0
        }
      }
    }
    bytes = scratch.bytes
  }
}
