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
  let plan: BoardPlan
  let placement: BoardPlacement

  /// The parts of the dense weights that are tried: the smallest one that is enough is proposed, or the last.
  private static let prunedFractions = [0.5, 0.6, 0.7, 0.8, 0.9]

  /// Whatever saves some of what is missing, the least harmful first.
  func remedies() throws(ShapeError) -> [Remedy] {
    var found: [Remedy] = []
    if placement.flash.isMissing, build.windowByteCount == nil {
      let window = try window()
      var build = build
      build.windowByteCount = window
      found.append(try remedy(.readWeights(window: window), network, build))
    }
    if network.layers.contains(where: \.isDense) {
      if placement.flash.isMissing, let remedy = try pruning() { found.append(remedy) }
      found.append(try remedy(.dropDense, network.withoutDense, build))
    }
    return found.filter(savesWhatIsMissing)
  }

  /// A window that every layer can be read through: 4 KiB, a page of most flash chips, or what the longest row needs.
  private func window() throws(ShapeError) -> Int {
    var build = build
    build.windowByteCount = nil
    let least = try build.layers(of: network, for: extent).map(\.leastWindowByteCount).max() ?? 0
    return max(4096, least.roundedUp(to: 1024))
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
      // Where maps lie does not depend on the weights.
      let needs = BoardNeeds(of: try build.layers(of: network, for: extent), by: plan, in: build)
      let remedy = Remedy(
        step: .pruneDense(fraction: fraction), needs: needs, placement: BoardPlacement(of: needs, in: limits))
      if !remedy.placement.flash.isMissing { return remedy }
      last = remedy
    }
    return last
  }

  private func remedy(
    _ step: Remedy.Step, _ network: Network, _ build: BoardBuild
  ) throws(ShapeError) -> Remedy {
    let needs = try build.needs(of: network, for: extent).0
    return Remedy(step: step, needs: needs, placement: BoardPlacement(of: needs, in: limits))
  }
}
