internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Follows a chain of layers once, from front to back.
struct GrammarParser {
  let grammar: VGGGrammar
  let layers: [NeutralLayer]
  var found = ParsedNetwork()
  /// The zeros that a padding has added in front of the next convolution.
  var zeros: Extent?
  /// The number of convolutions since the last pooling.
  private var openConvolutions = 0
  /// Whether a pooling came since the last layer with weights.
  private(set) var hasPooled = false
  private var flattening: Int?

  init(grammar: VGGGrammar, layers: [NeutralLayer]) {
    (self.grammar, self.layers) = (grammar, layers)
  }

  mutating func network() throws(GrammarRefusal) -> ParsedNetwork {
    for index in layers.indices { try take(index) }
    guard let last = found.weighted.last else { throw refusal(nil, .noConvolutions) }
    if !last.isHead { try requireActivation(before: nil) }
    if zeros != nil {
      throw misplaced(
        layers.count - 1, "the end, behind a padding", allowed: "a convolution behind a padding")
    }
    return found
  }

  private mutating func take(_ index: Int) throws(GrammarRefusal) {
    switch layers[index].operation {
    case .identity: break
    case .refused(let error): throw refusal(index, .refused(error))
    case .inputTransformation:
      if let first = found.weighted.first {
        throw misplaced(
          index, "behind \(layers[first.layer].name)", allowed: "one in front of the first convolution")
      }
    case .padding(let extent):
      guard zeros == nil else {
        throw misplaced(index, "behind a padding", allowed: "one padding in front of a convolution")
      }
      if extent != Extent(side: 0) { zeros = extent }
    case .convolution(let window): try takeConvolution(index, window)
    case .dense: try takeDense(index)
    case .pooling(let pooling): try takePooling(index, pooling)
    case .flatten: try takeFlatten(index)
    case .localResponseNormalization: try takeLocalNormalization(index)
    case .batchNormalization, .scale: try takeNormalization(index)
    case .activation(let kind): try takeActivation(index, kind)
    case .loss(let kind): try takeLoss(index, kind)
    }
  }

  // MARK: Layers with weights

  private mutating func takeConvolution(
    _ index: Int, _ declared: NeutralLayer.Window
  ) throws(GrammarRefusal) {
    try requireActivation(before: index)
    var window = declared
    if let zeros {
      let own = window.padding ?? Extent(side: 0)
      let (height, isTooHigh) = own.height.addingReportingOverflow(zeros.height)
      let (width, isTooWide) = own.width.addingReportingOverflow(zeros.width)
      guard !isTooHigh, !isTooWide else {
        throw misplaced(index, "behind more zeros than fit any picture", allowed: "padding of 1, or none")
      }
      window.padding = Extent(height: height, width: width)
    }
    let isHead = isHead(window, at: index)
    if let pooling = found.headPooling, pooling.pooling.isGlobal, window.kernel != Extent(side: 1) {
      throw misplaced(
        index, "behind \(layers[pooling.layer].name), which leaves one pixel",
        allowed: "only dense layers there")
    }
    if let flattening {
      throw misplaced(
        index, "behind \(layers[flattening].name)", allowed: "convolutions in front of what flattens the map")
    }
    if let pooling = found.headPooling, !isHead {
      throw misplaced(
        index, "behind \(layers[pooling.layer].name), which belongs to no block",
        allowed: "only dense layers there")
    }
    try isHead ? requireHead(window, at: index) : requireBlock(window, at: index)
    zeros = nil
    if !isHead { openConvolutions += 1 }
    found.weighted.append(ParsedNetwork.Weighted(layer: index, isHead: isHead))
    hasPooled = false
  }

  /// Whether a convolution is a dense layer: over all that is left of the map, or over one pixel behind such a layer.
  ///
  /// No block begins with a kernel of 1x1, or with one that is not padded, unless it goes on with larger ones; and there
  /// are but five blocks.
  private func isHead(_ window: NeutralLayer.Window, at index: Int) -> Bool {
    if hasHead || found.headPooling?.pooling.isGlobal == true { return true }
    guard let kernel = window.kernel else { return false }
    guard grammar.listsAllLayers else { return ![1, 3].contains(kernel.height) }
    guard openConvolutions == 0, !found.poolings.isEmpty else { return false }
    if found.poolings.count >= 5 { return !window.isOfBlock }
    return window.isUnpadded && kernel.height == kernel.width
      && layers[(index + 1)...].allSatisfy { layer in
        if case .convolution(let next) = layer.operation { next.kernel == Extent(side: 1) } else { true }
      }
  }

  private func requireHead(_ window: NeutralLayer.Window, at index: Int) throws(GrammarRefusal) {
    if window.groups != 1 { throw refusal(index, .setting(.groups, allowed: "1")) }
    guard let kernel = window.kernel else { return }
    guard kernel.height == kernel.width, window.isUnpadded, !hasHead || kernel == Extent(side: 1) else {
      throw refusal(index, .reducedHead)
    }
  }

  private func requireBlock(_ window: NeutralLayer.Window, at index: Int) throws(GrammarRefusal) {
    let kernel = window.kernel
    if let kernel, kernel != Extent(side: 3), kernel != Extent(side: 1) {
      throw refusal(index, .setting(.kernel, allowed: "3x3 or 1x1"))
    }
    guard window.stride == Extent(side: 1) else { throw refusal(index, .setting(.stride, allowed: "1x1")) }
    guard window.dilation == Extent(side: 1) else {
      throw refusal(index, .setting(.dilation, allowed: "1x1"))
    }
    guard window.groups == 1 else { throw refusal(index, .setting(.groups, allowed: "1")) }
    guard let kernel, let padding = window.padding, padding != kernel.paddingThatKeepsTheMap else { return }
    throw refusal(index, .setting(.padding, allowed: "\(kernel.paddingThatKeepsTheMap)"))
  }

  private mutating func takeDense(_ index: Int) throws(GrammarRefusal) {
    try requireActivation(before: index)
    guard !found.weighted.isEmpty else { throw refusal(index, .noConvolutions) }
    guard zeros == nil else {
      throw misplaced(index, "behind a padding", allowed: "a convolution behind a padding")
    }
    guard flattening != nil || grammar.denseLayersFlatten || found.headPooling?.pooling.isGlobal == true
    else {
      throw refusal(index, .unflattened)
    }
    found.weighted.append(ParsedNetwork.Weighted(layer: index, isHead: true))
    hasPooled = false
  }

  // MARK: Layers without weights

  private mutating func takePooling(_ index: Int, _ pooling: Pooling) throws(GrammarRefusal) {
    try requireActivation(before: index)
    guard !found.weighted.isEmpty || !pooling.isGlobal else { throw refusal(index, .noConvolutions) }
    guard !found.weighted.isEmpty, zeros == nil, !hasHead, flattening == nil, found.headPooling == nil else {
      let heads = found.weighted.count(where: \.isHead)
      throw misplaced(
        index, "pooling number \(found.poolings.count + 1), behind \(heads) dense layers",
        allowed: "one pooling at the end of each block, and one in front of the dense layers")
    }
    if pooling.isGlobal || openConvolutions == 0 {
      found.headPooling = ParsedNetwork.HeadPooling(layer: index, pooling: pooling)
    } else {
      if !grammar.allowsAnyPooling {
        let usual = Extent(side: 2)
        guard pooling.kernel == usual else {
          throw refusal(index, .setting(.poolingWindow, allowed: "\(usual)"))
        }
        guard pooling.stride == usual else {
          throw refusal(index, .setting(.poolingStride, allowed: "\(usual)"))
        }
      }
      found.poolings.append(FoundNetwork.PlacedPooling(pooling, behind: found.weighted.count))
    }
    openConvolutions = 0
    hasPooled = true
  }

  private mutating func takeFlatten(_ index: Int) throws(GrammarRefusal) {
    guard !found.weighted.isEmpty else { throw refusal(index, .noConvolutions) }
    guard zeros == nil else {
      throw misplaced(index, "behind a padding", allowed: "a convolution behind a padding")
    }
    if flattening == nil, !hasHead, found.headPooling?.pooling.isGlobal != true { found.flatten = index }
    flattening = flattening ?? index
  }

  private mutating func takeLocalNormalization(_ index: Int) throws(GrammarRefusal) {
    let count = found.weighted.count
    guard count == 1, let first = found.weighted.first, first.activation?.kind == .relu, !hasPooled,
      found.localResponseNormalization == nil
    else {
      try requireActivation(before: index)
      throw misplaced(
        index, "behind \(count) convolutions and \(found.poolings.count) poolings",
        allowed: "one normalisation, behind the ReLU of the first convolution")
    }
    found.localResponseNormalization = index
  }

  // MARK: What must hold

  /// Whether a layer of the head has come.
  var hasHead: Bool { found.weighted.last?.isHead ?? false }

  /// The layer with weights before another one must have had its activation, which must not be the end.
  func requireActivation(before index: Int?) throws(GrammarRefusal) {
    guard let last = found.weighted.last else { return }
    if let activation = last.activation {
      guard activation.kind != .relu, let index else { return }
      throw refusal(index, .behindEnd(activation: activation.layer, of: last.layer))
    }
    guard grammar.listsAllLayers, !(last.isHead && grammar.allowsLinearHiddenLayers) else { return }
    throw refusal(last.layer, .noActivation(before: index))
  }

  func refusal(_ index: Int?, _ reason: GrammarRefusal.Reason) -> GrammarRefusal {
    GrammarRefusal(layer: index, reason: reason)
  }

  func misplaced(_ index: Int, _ seen: String, allowed: String) -> GrammarRefusal {
    refusal(index, .misplaced(seen: seen, allowed: allowed))
  }
}
