internal import VGGBytes
/// One way to compute one layer, prepared for it: with its weights in the form that the kernels read.
///
/// A method holds no state of a run: several threads may run one at the same time, each with resources of its own. It
/// computes each output completely, so that how work is split cannot change a bit. `Preparation` chooses methods.
protocol LayerMethod: Sendable {
  /// The form in which it reads its input; nil: float32 with any stride.
  var inputFormat: MapFormat? { get }
  /// The form in which it writes its output.
  var outputFormat: MapFormat { get }
  /// How sums of products with weights are rounded; nil: there are none.
  var rounding: SumRounding? { get }

  /// The bytes of scratch that a run needs.
  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int

  /// Computes the layer.
  ///
  /// - Parameters:
  ///   - input: Pictures in the input's form.
  ///   - output: Where the results go, with the shape that the layer gives them, in the output's form.
  ///   - resources: Workers, and as much scratch as was asked for.
  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError)
}

/// What a layer without weights needs as a rule.
extension LayerMethod {
  var rounding: SumRounding? { nil }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int { 0 }
}

/// What a method may use while it runs.
struct RunResources {
  let workers: Workers
  let scratch: Scratch
}

/// Memory that a method has for the time of a run, handed out in pieces that are aligned to 64 bytes.
struct Scratch {
  private var next: UnsafeMutableRawPointer
  private var byteCount: Int

  init(_ start: UnsafeMutableRawPointer, byteCount: Int) { (next, self.byteCount) = (start, byteCount) }

  /// Room for so many numbers, undefined.
  mutating func take<Element: BitwiseCopyable>(
    _ count: Int, of type: Element.Type
  ) -> UnsafeMutablePointer<Element> {
    let taken = Scratch.byteCount(count, of: type)
    precondition(taken <= byteCount, "a method takes what it asked for")
    let start = next.bindMemory(to: type, capacity: count)
    next += taken
    byteCount -= taken
    return start
  }

  /// Room for a map.
  mutating func take(_ layout: MapLayout) -> MapView {
    MapView(layout: layout, base: UnsafeMutableRawPointer(take(layout.byteCount, of: UInt8.self)))
  }

  /// The bytes that room for so many numbers takes.
  static func byteCount<Element: BitwiseCopyable>(_ count: Int, of type: Element.Type) -> Int {
    (count * MemoryLayout<Element>.stride + 63) & ~63
  }
}

extension Workers {
  /// A length of pieces that gives each thread about four, so that one that is held up delays nobody for long.
  func pieceLength(_ total: Int, multiple: Int = 1) -> Int {
    let length = max(1, (total + 4 * count - 1) / (4 * count))
    return (length + multiple - 1) / max(1, multiple) * max(1, multiple)
  }
}
