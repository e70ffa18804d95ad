internal import VGGModel
internal import VGGTensors

/// Tries what makes a network take less of a board.
struct RemedySearch {
  let network: Network
  let extent: Extent
  let build: BoardBuild
  let limits: BoardLimits
  /// What it needs as it is, and where that lies.
  let needs: BoardNeeds
  let placement: BoardPlacement

  /// The window that is proposed: a page of most flash chips.
  private static let window = 4096
  /// The parts of the dense weights that are tried: the smallest one that is enough is proposed, or the last.
  private static let prunedFractions = [0.5, 0.6, 0.7, 0.8, 0.9]

  /// Whatever saves some of what is missing, the least harmful first.
  func remedies() throws(ShapeError) -> [Remedy] {
    var found: [Remedy] = []
    if placement.flash.isMissing, build.windowByteCount == nil {
      var build = build
      build.windowByteCount = Self.window
      found.append(try remedy(.readWeights(window: Self.window), network, build))
    }
    if network.layers.contains(where: \.isDense) {
      if placement.flash.isMissing, let remedy = try pruning() { found.append(remedy) }
      found.append(try remedy(.dropDense, network.withoutDense, build))
    }
    if placement.ram.isMissing, let remedy = try shrinking() { found.append(remedy) }
    return found.filter(savesWhatIsMissing)
  }

  private func savesWhatIsMissing(_ remedy: Remedy) -> Bool {
    (placement.flash.isMissing && remedy.needs.flashByteCount < needs.flashByteCount)
      || (placement.ram.isMissing && remedy.needs.ramByteCount < needs.ramByteCount)
  }

  /// Pruning as little as is enough.
  private func pruning() throws(ShapeError) -> Remedy? {
    var last: Remedy?
    for fraction in Self.prunedFractions where 1 - fraction < build.keptDenseFraction ?? 1 {
      var build = build
      build.keptDenseFraction = 1 - fraction
      let remedy = try remedy(.pruneDense(fraction: fraction), network, build)
      if !remedy.placement.flash.isMissing { return remedy }
      last = remedy
    }
    return last
  }

  /// The largest pictures whose maps fit, with sides that are multiples of what five poolings divide by.
  private func shrinking() throws(ShapeError) -> Remedy? {
    var build = build
    let features = try remedy(.dropDense, network.withoutDense, build)
    if features.placement.flash.isMissing { build.windowByteCount = build.windowByteCount ?? Self.window }
    let steps = extent.height / 32
    for step in stride(from: steps - 1, through: 1, by: -1) {
      let smaller = Extent(height: step * 32, width: max(1, extent.width * step / steps / 32) * 32)
      let remedy = try remedy(
        .shrinkInput(smaller, window: build.windowByteCount), network.withoutDense, build, extent: smaller)
      if !remedy.placement.ram.isMissing { return remedy }
    }
    return nil
  }

  private func remedy(
    _ step: Remedy.Step, _ network: Network, _ build: BoardBuild, extent: Extent? = nil
  ) throws(ShapeError) -> Remedy {
    let needs = try BoardNeeds(of: network, for: extent ?? self.extent, as: build)
    return Remedy(step: step, needs: needs, placement: BoardPlacement(of: needs, in: limits))
  }
}
