internal import CVGGRuntime
internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// What came of running a package's model with the board's runtime here, before the package got its name.
public struct BoardProof: Equatable, Sendable {
  /// The number of inputs.
  public let inputCount: Int
  /// The number of layers, all of which gave the host's codes.
  public let layerCount: Int
  /// The number of codes that were compared.
  public let codeCount: Int
  /// Whether weights were read to the window too.
  public let readsWeights: Bool
}

/// Runs the model with the runtime and with the host's engine, and compares each row of each layer.
struct BoardProver {
  /// What is proven, and the CRC-32 of each layer's output of the first input.
  typealias Result = (proof: BoardProof, digests: [UInt32])

  private let model: Model
  private let arithmetic: IntegerArithmetic
  private let engine: any Engine
  private let path: String

  init(_ model: Model, _ arithmetic: IntegerArithmetic, path: String) throws(FileError) {
    (self.model, self.arithmetic, self.path) = (model, arithmetic, path)
    do throws(EngineError) {
      engine = try EngineOptions(savesMemory: true).engine(for: model)
    } catch { throw FileError(error, file: path) }
  }

  /// Proves inputs.
  ///
  /// - Parameters:
  ///   - runtime: The model as the runtime has it.
  ///   - image: The image of the weights.
  ///   - inputs: The codes of inputs; there is one at least.
  /// - Throws: `fault` where a layer's output is another one, or memory beside the arena was written.
  func prove(
    _ runtime: RuntimeModel, image: UnsafeRawBufferPointer, inputs: [[Int8]]
  ) throws(FileError) -> Result {
    let reads = runtime.model.pointee.window_size > 0
    var digests: [UInt32] = []
    var codeCount = 0
    for (index, input) in inputs.enumerated() {
      let expected = try maps(of: input)
      for isRead in reads ? [false, true] : [false] {
        let comparison = Comparison(expected)
        // The digest is the same for all inputs.
        try run(runtime, image, isRead: isRead, checksWeights: index == 0, input, comparison)
        codeCount += comparison.codeCount
        if index == 0 { digests = comparison.digests }
      }
    }
    let proof = BoardProof(
      inputCount: inputs.count, layerCount: model.network.layers.count, codeCount: codeCount,
      readsWeights: reads)
    return (proof, digests)
  }

  /// What the host's engine makes of an input, layer by layer, and the widths of rows.
  private func maps(of input: [Int8]) throws(FileError) -> [Comparison.Map] {
    let extent = model.network.inputExtent ?? Extent(side: 0)
    let shape = FeatureShape(extent: extent, channels: model.network.inputChannels)
    var maps: [Comparison.Map] = []
    do throws(EngineError) {
      let values = input.map { arithmetic.input.value(of: $0) }
      _ = try engine.run(FeatureMap(count: 1, shape: shape, values: values)) { _, map in
        maps.append(
          Comparison.Map(
            codes: arithmetic.outputs[maps.count].codes(of: map.values), rowByteCount: map.shape.rowByteCount)
        )
      }
    } catch { throw FileError(error, file: path) }
    return maps
  }

  /// Runs an input in an arena of exactly the size that is said, between bytes that must stay as they are.
  private func run(
    _ runtime: RuntimeModel, _ image: UnsafeRawBufferPointer, isRead: Bool, checksWeights: Bool,
    _ input: [Int8], _ comparison: Comparison
  ) throws(FileError) {
    let margin = 4096
    let size = Int(runtime.model.pointee.arena_size)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size + 2 * margin, alignment: 16)
    defer { memory.deallocate() }
    _ = memory.initializeMemory(as: UInt8.self, repeating: 0xA5)
    let arena = UnsafeMutableRawBufferPointer(rebasing: memory[margin..<margin + size])
    var image = image
    var board = vggrt()
    let status = withUnsafeMutablePointer(to: &image) { image in
      var weights = vggrt_weights(
        memory: isRead ? nil : image.pointee.baseAddress, read: readImage, context: image,
        length: UInt32(image.pointee.count))
      var status = vggrt_init(&board, runtime.model, arena.baseAddress, size, &weights, checksWeights ? 1 : 0)
      guard status == VGGRT_OK else { return status }
      // Nothing may depend on what lies in the arena but the input.
      _ = arena.initializeMemory(as: UInt8.self, repeating: 0xA5)
      vggrt_input(&board).update(from: input, count: input.count)
      vggrt_observe(&board, compareRow, Unmanaged.passUnretained(comparison).toOpaque())
      status = vggrt_run(&board)
      return status
    }
    withExtendedLifetime((runtime, comparison)) {}
    guard status == VGGRT_OK else {
      throw fault("its own runtime does not run it", seen: String(cString: vggrt_status_text(status)))
    }
    if let wrong = comparison.wrongLayer {
      throw fault("on a board, it would compute something else", place: model.network.layers[wrong].name)
    }
    guard comparison.sawAll else { throw fault("on a board, a layer would give no output") }
    let (before, after) = (memory[..<margin], memory[(margin + size)...])
    guard before.allSatisfy({ $0 == 0xA5 }), after.allSatisfy({ $0 == 0xA5 }) else {
      throw fault("a run writes beside the arena")
    }
  }

  private func fault(_ problem: String, place: String? = nil, seen: String? = nil) -> FileError {
    FileError(
      .fault, code: "export.board", file: path, "was not written: \(problem)", place: place, seen: seen)
  }
}

/// Compares rows as the runtime gives them with the host's.
private final class Comparison {
  struct Map {
    let codes: [Int8]
    let rowByteCount: Int
  }

  private let maps: [Map]
  private var places: [Int]
  private(set) var digests: [UInt32]
  private(set) var wrongLayer: Int?

  init(_ maps: [Map]) {
    self.maps = maps
    places = Array(repeating: 0, count: maps.count)
    digests = Array(repeating: 0, count: maps.count)
  }

  var codeCount: Int { places.reduce(0, +) }

  /// Whether each layer gave rows, and the last one all.
  var sawAll: Bool { places.allSatisfy { $0 > 0 } && places.last == maps.last?.codes.count }

  func add(_ layer: Int, _ row: UnsafeBufferPointer<Int8>) {
    let (map, start) = (maps[layer], places[layer])
    digests[layer] = vggrt_crc32(digests[layer], row.baseAddress, row.count)
    places[layer] += row.count
    let isRight =
      row.count == map.rowByteCount && places[layer] <= map.codes.count
      && row.elementsEqual(map.codes[start..<start + row.count])
    if !isRight { wrongLayer = min(wrongLayer ?? layer, layer) }
  }
}

private func compareRow(
  _ context: UnsafeMutableRawPointer?, _ layer: UInt32, _ row: UnsafePointer<Int8>?, _ count: UInt32
) {
  guard let context else { return }
  let comparison = Unmanaged<Comparison>.fromOpaque(context).takeUnretainedValue()
  comparison.add(Int(layer), UnsafeBufferPointer(start: row, count: Int(count)))
}

private func readImage(
  _ context: UnsafeMutableRawPointer?, _ offset: UInt32, _ destination: UnsafeMutableRawPointer?,
  _ count: UInt32
) -> Int32 {
  guard let context, let destination else { return 1 }
  let image = context.assumingMemoryBound(to: UnsafeRawBufferPointer.self).pointee
  guard Int(offset) + Int(count) <= image.count, let source = image.baseAddress else { return 1 }
  destination.copyMemory(from: source + Int(offset), byteCount: Int(count))
  return 0
}
