internal import CCrypto
internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// What layers read for the pictures of a calibration, by which their codes are rounded so that errors make up for each other.
///
/// The memory is that of ``InputProducts``: for a VGG-16 68 MB, with its convolutions 136 MB, however many pictures there are. Codes lie
/// in a scratch file.
struct CompensatedRounding {
  private let products: [String: InputProducts]
  private let scratchFolder: String
  private let file: String

  /// Runs a model on pictures, each of them once: with the reference engine, whose bits are the same on every machine.
  ///
  /// - Parameters:
  ///   - model: The model, with the weights that it has before they are rounded.
  ///   - layers: The names of the layers whose inputs are wanted.
  ///   - context: The pictures.
  /// - Throws: `malformed` where there are no pictures, or a layer reads NaN or infinity; `unsupported` where pictures are not of the
  ///   network's own extent; what reading them throws.
  init(of model: Model, layers: Set<String>, in context: PassContext) throws(FileError) {
    let file = model.provenance.sourceName
    let samples = model.network.layers.filter { layers.contains($0.name) }.map(InputSample.init)
    let products = samples.map { InputProducts(inputCount: $0.inputCount) }
    let blocks = products.indices.flatMap { index in
      (0..<products[index].blockCount).map { (layer: index, block: $0) }
    }
    var tally = PictureTally()
    do throws(EngineError) {
      var options = context.engine
      options.kind = .reference
      let engine = try options.engine(for: model)
      for index in 0..<context.calibration.count {
        let pictures = try context.calibration.batch(index)
        guard pictures.count > 0 else { continue }
        var (input, place) = (pictures, 0)
        _ = try engine.run(pictures) { layer, output in
          defer { input = output }
          guard place < samples.count, samples[place].layer.name == layer.name else { return }
          guard let rows = samples[place].rows(of: input, firstPicture: tally.count) else {
            throw FileError(
              .unsupported, code: "quantize.calibration_size", file: file,
              "cannot be calibrated with pictures of another size than its own", place: "layer \(layer.name)")
          }
          let own = blocks.filter { $0.layer == place }
          Workers.current.perform(own.count) { products[place].add(rows, toBlock: own[$0].block) }
          place += 1
        }
        tally.add(pictures)
      }
    } catch {
      throw FileError(error, file: file)
    }
    try tally.requireAny(for: file)
    for (sample, products) in zip(samples, products) where !products.isFinite {
      throw FileError(
        .malformed, code: "calibrate.nonfinite", file: file,
        "computes values that are no numbers, so no weights suit them", place: "layer \(sample.layer.name)",
        allowed: "finite numbers")
    }
    tally.warnings.forEach(context.warn)
    self.products = Dictionary(uniqueKeysWithValues: zip(samples.map(\.layer.weightName), products))
    (scratchFolder, self.file) = (context.scratchFolder, file)
  }

  /// The codes of a weight; nil where its layer is none of those that were looked at.
  ///
  /// Blocks of inputs are independent of each other, and so are output channels: the codes are the same for any number of threads.
  func codes(of tensor: Tensor, by quantization: Quantization) throws(FileError) -> (any TensorCodes)? {
    guard let products = products[tensor.name] else { return nil }
    let outputs = tensor.shape[tensor.shape.count - 1]
    let scratch = try ScratchFile(byteCount: tensor.count, in: scratchFolder, for: file)
    guard let codes = scratch.mutableBytes.baseAddress?.assumingMemoryBound(to: Int8.self) else { return nil }
    nonisolated(unsafe) let target = codes
    try Workers.current.perform(products.blockCount) { block throws(FileError) in
      let rounding = BlockRounding(
        ErrorFeedback(products, block: block), quantization, rowLength: outputs)
      let rows = products.inputs(ofBlock: block)
      let values = UnsafeMutableBufferPointer<Float>.allocate(
        capacity: rows.count * BlockRounding.columnCount)
      defer { values.deallocate() }
      guard let first = values.baseAddress else { return }
      for start in stride(from: 0, to: outputs, by: BlockRounding.columnCount) {
        let tile = Tile(rows: rows, columns: start..<min(outputs, start + BlockRounding.columnCount))
        try tensor.values.read(tile, rowLength: outputs, into: first, rowStride: tile.columns.count)
        rounding.round(tile, first, into: target)
      }
    }
    return MemoryCodes(scratch.bytes)
  }
}

extension CalibrationData {
  /// Describes the pictures of some batches; however they are divided, the description is the same.
  init(_ pictures: PictureBatches, for file: String) throws(FileError) {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    var (count, success) = (0, EVP_DigestInit_ex(context, EVP_sha256(), nil))
    do throws(EngineError) {
      for index in 0..<pictures.count {
        let batch = try pictures.batch(index)
        count += batch.count
        batch.withValues { success &= EVP_DigestUpdate(context, $0.baseAddress, $0.count * 4) }
      }
    } catch {
      throw FileError(error, file: file)
    }
    let digest = [UInt8](unsafeUninitializedCapacity: Self.digestByteCount) { bytes, length in
      success &= EVP_DigestFinal_ex(context, bytes.baseAddress, nil)
      precondition(success == 1, "libcrypto has no SHA-256")
      length = Self.digestByteCount
    }
    self.init(pictureCount: count, sha256: digest)
  }
}
