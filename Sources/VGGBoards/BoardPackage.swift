internal import CVGGRuntime
public import VGGBytes
internal import VGGEngine
public import VGGModel
internal import VGGTensors

/// A model as a folder of C sources for boards: the runtime, the model as constants, the image of its weights, a self-test.
public struct BoardPackage: Sendable {
  /// The files, with their lengths, in the order of their names.
  public let files: [(name: String, byteCount: Int)]
  /// The plans to choose from, the smallest arena first.
  public let front: [BoardPlan]
  /// The plan that was taken.
  public let plan: BoardPlan
  /// The layers, as they lie in the image.
  public let layers: [BoardLayer]
  /// The memory that it takes, of a Cortex-M4.
  public let needs: BoardNeeds
  /// What was proven.
  public let proof: BoardProof

  /// Writes the package of a model.
  ///
  /// - Parameters:
  ///   - model: A model that computes in integers.
  ///   - path: The folder. It appears when it is complete and proven, or not at all.
  ///   - options: What else is decided.
  ///   - overwrites: Whether a package of that name is replaced.
  ///   - progress: Is told how many bytes of the image were written since the last call.
  /// - Throws: `unsupported` where boards cannot run the model or there is no plan for it; `fault` where the runtime computes
  ///   something else than the host.
  public init(
    writing model: Model, to path: String, _ options: BoardOptions, overwrites: Bool = false,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) {
    let folder = try AtomicFolder(path: path, replacing: overwrites ? "vggrt.h" : nil)
    let board = try BoardModel(model, options, path: path)
    guard let arithmetic = model.integerArithmetic else { preconditionFailure("BoardModel requires it") }
    let runtime = RuntimeModel(board)
    var files: [(name: String, byteCount: Int)] = []
    func write(_ name: String, _ content: FileContent) throws(FileError) -> AtomicFile {
      let file = try folder.file(named: name)
      try content.write(to: file)
      files.append((name, content.byteCount))
      return file
    }
    let imageFile = try folder.file(named: "model_weights.bin")
    try board.image(planCRC32: runtime.model.pointee.plan_crc32).write(to: imageFile, progress: progress)
    files.append(("model_weights.bin", board.imageByteCount))
    let image = try imageFile.mapped().bytes
    let inputs = SelfTestInputs(model, board.layers)
    let prover = try BoardProver(model, arithmetic, path: path)
    let result = try image.withBytes { (bytes) throws(FileError) in
      runtime.sign(bytes)
      return try prover.prove(runtime, image: bytes, inputs: inputs.codes)
    }
    let source = ModelSource(
      model, arithmetic, board, runtime.model.pointee, selfTest: (inputs.codes[0], result.digests),
      options.embedding)
    for (name, text) in [
      ("model.h", source.header), ("model.c", source.source), ("vggrt_config.h", source.configuration),
    ] {
      _ = try write(name, FileContent([.bytes(Array(text.utf8))]))
    }
    switch options.embedding {
    case .array: _ = try write("model_weights.c", ImageArray.content(of: image))
    case .incbin:
      _ = try write("model_weights.S", FileContent([.bytes(Array(ModelSource.includedImage.utf8))]))
    case .none: break
    }
    for (name, bytes) in BoardPackage.runtimeFiles {
      _ = try write(name, FileContent([.bytes(bytes)]))
    }
    try folder.publish()
    self.files = files.sorted { $0.name < $1.name }
    (front, plan, layers, proof) = (board.front, board.plan, board.layers, result.proof)
    var build = BoardBuild(processor: .cortexM4)
    (build.rounding, build.labels) = (arithmetic.rounding, source.labels)
    build.preparesPictures = source.inputCodes != nil
    needs = BoardNeeds(of: board.layers, by: board.plan, in: build)
  }

  /// The files that are the same for every model.
  static var runtimeFiles: [(name: String, bytes: [UInt8])] {
    var count: UInt32 = 0
    guard let sources = vggrt_sources(&count) else { return [] }
    return UnsafeBufferPointer(start: sources, count: Int(count)).map { source in
      (
        String(cString: source.name),
        Array(UnsafeBufferPointer(start: source.bytes, count: Int(source.count)))
      )
    }
  }
}

/// The codes of inputs that a package is proven with; the first one is its self-test's.
private struct SelfTestInputs {
  /// More multiplications than these are done for one input only.
  private static let mostMultiplications = 200_000_000

  let codes: [[Int8]]

  init(_ model: Model, _ layers: [BoardLayer]) {
    let count = layers[0].input.count
    var state: UInt64 = 0x5647_4721
    let noise = (0..<count).map { _ in
      // A linear congruential generator (Knuth, MMIX): the same input for the same model.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int8(truncatingIfNeeded: state >> 56)
    }
    let ramp = (0..<count).map { Int8(truncatingIfNeeded: $0 * 255 / count - 128) }
    let extremes = (0..<count).map { $0 % 7 < 4 ? Int8.min : Int8.max }
    let multiplications = layers.reduce(0) { $0 + $1.multiplicationCount }
    codes = multiplications > SelfTestInputs.mostMultiplications ? [noise] : [noise, ramp, extremes]
  }
}

extension BoardLayer {
  /// The multiplications with weights of a picture.
  fileprivate var multiplicationCount: Int {
    switch kind {
    case .convolution: output.count * kernel.height * kernel.width * input.channels
    case .dense: output.count * input.count
    default: 0
    }
  }
}
