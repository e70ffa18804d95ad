internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// How a file stores kernels and the rows of the first dense layer: decided by evidence, with the evidence noted.
struct KernelConvention {
  /// The order of a kernel's axes.
  let layout: SourceLayout
  /// Whether kernels are rotated by 180 degrees, for the true convolution of Theano.
  let isRotated: Bool
  /// The order in which the map in front of the first dense layer is flattened.
  let flattenOrder: FlattenOrder
  /// What was decided and why.
  let decisions: [Provenance.Decision]

  /// What the decisions rest on.
  struct Evidence {
    var writer: Generation.Writer
    var backend: String?
    /// The shapes and names of the kernels of all convolutions.
    var kernels: [(shape: [Int], name: String)]
    /// Whether a dense layer reads a flattened map.
    var flattens: Bool
    /// What the configuration says, where there is one.
    var configuration: ConfiguredNetwork?
  }

  init(_ evidence: Evidence, options: ImportOptions) {
    var decisions: [Provenance.Decision] = []
    func decide<Value>(
      _ kind: (Value) -> Provenance.Decision.Kind, _ found: (value: Value, reason: String)
    ) -> Value {
      decisions.append(Provenance.Decision(kind(found.value), because: found.reason))
      return found.value
    }
    let layout = decide(Provenance.Decision.Kind.kernelLayout, KernelConvention.layout(of: evidence.kernels))
    self.layout = layout
    isRotated = decide(
      Provenance.Decision.Kind.kernelFlip, KernelConvention.rotation(evidence, layout, options))
    flattenOrder =
      evidence.flattens
      ? decide(Provenance.Decision.Kind.flattenOrder, KernelConvention.order(evidence, layout, options))
      : .hwc
    self.decisions = decisions
  }

  /// The sides of a kernel are equal and 1 or 3, and its input channels are what the layer before it gives.
  static func layout(
    of kernels: [(shape: [Int], name: String)]
  ) -> (value: SourceLayout, reason: String) {
    let shapes = kernels.map(\.shape)
    func count(_ height: Int, _ width: Int) -> Int {
      shapes.count { $0[height] == $0[width] && ($0[height] == 1 || $0[height] == 3) }
    }
    func chains(input: Int, output: Int) -> Bool {
      zip(shapes, shapes.dropFirst()).allSatisfy { $0[output] == $1[input] }
    }
    let (first, last) = (count(0, 1), count(2, 3))
    // Equal counts: widths of 1 or 3 make both ends look like sides, so the channels must decide.
    let isOIHW =
      last > first || (last == first && chains(input: 1, output: 0) && !chains(input: 2, output: 3))
    let example = kernels.first.map { "\($0.shape) of \($0.name)" } ?? "none"
    return isOIHW
      ? (.oihw, "the sides of the kernels come last: \(example)")
      : (.hwio, "the sides of the kernels come first: \(example)")
  }

  /// Only Theano computed a true convolution. Keras 2 names its backend; in Keras 1 the names of TensorFlow's variables end in
  /// `:0` and those of Theano's do not.
  private static func rotation(
    _ evidence: Evidence, _ layout: SourceLayout, _ options: ImportOptions
  ) -> (value: Bool, reason: String) {
    func found(_ isRotated: Bool, _ reason: String) -> (Bool, String) { (isRotated, reason) }
    if let wanted = options.kernelsAreRotated { return found(wanted, "asked for") }
    if evidence.writer == .keras3 { return found(false, "Keras 3 never rotates kernels") }
    if let backend = evidence.backend {
      return found(backend == "theano", "the backend is \(backend)")
    }
    guard evidence.writer == .keras0 || evidence.writer == .keras1 else {
      return found(false, "assumed: the file names no backend")
    }
    if evidence.writer == .keras1 {
      // Theano rotates whatever the order of the axes.
      let name = evidence.kernels.first(where: { $0.name.hasSuffix(":0") })?.name
      return name.map { found(false, "\($0) is a name of TensorFlow's") }
        ?? found(true, "names without TensorFlow's :0 are Theano's")
    }
    return layout == .oihw
      ? found(true, "assumed: kernels in Theano's order, by a release that ran on Theano")
      : found(false, "assumed: kernels in TensorFlow's order, no backend named")
  }

  /// The map is flattened as its axes stand, until `Flatten` learned to bring them to one order (Keras 2.1.6).
  private static func order(
    _ evidence: Evidence, _ layout: SourceLayout, _ options: ImportOptions
  ) -> (value: FlattenOrder, reason: String) {
    func found(_ order: FlattenOrder, _ reason: String) -> (FlattenOrder, String) { (order, reason) }
    if let wanted = options.flattenOrder { return found(wanted, "asked for") }
    if let configuration = evidence.configuration, evidence.writer != .keras0, evidence.writer != .keras1,
      layout == .hwio
    {
      guard configuration.isChannelsFirst else { return found(.hwc, "the configuration says channels_last") }
      return configuration.flattenFormat == "channels_first"
        ? found(.hwc, "channels_first, but Flatten knows it and puts the channels last")
        : found(.chw, "channels_first, and Flatten does not reorder")
    }
    switch evidence.writer {
    case .keras3, .keras3Legacy:
      return found(
        .hwc, "assumed: Keras 3 flattens row, column, channel unless its Flatten is told otherwise")
    case .keras0, .keras1, .keras2:
      if layout == .oihw { return found(.chw, "kernels OIHW: channels come first") }
      return evidence.writer == .keras2
        ? found(.hwc, "assumed: channels come last in Keras 2 unless configured otherwise")
        : found(.hwc, "kernels HWIO: channels come last")
    }
  }
}
