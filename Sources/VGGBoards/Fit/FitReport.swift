public import VGGModel
public import VGGTensors

/// Whether a network fits a board, and what would make it fit.
public struct FitReport: Equatable, Sendable {
  /// The extent of the pictures.
  public let extent: Extent
  /// What it needs.
  public let needs: BoardNeeds
  /// How its memory is used: the plan of the smallest arena.
  public let plan: BoardPlan
  /// Where it lies.
  public let placement: BoardPlacement
  /// What it computes for one picture.
  public let work: [BoardWork]
  /// What would make it take less where it does not fit, the least harmful first; only what saves some of what is missing.
  public let remedies: [Remedy]

  /// Whether it fits, as far as memory is known.
  public var fits: Bool { placement.fits }

  /// Looks whether a network fits.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - extent: The extent of the pictures.
  ///   - build: How it is made.
  ///   - limits: The memory that there is.
  /// - Throws: Where the picture does not fit the network, a layer is none that boards compute, or the window is too small for one.
  public init(
    of network: Network, for extent: Extent, as build: BoardBuild, in limits: BoardLimits
  ) throws(ShapeError) {
    self.extent = extent
    (needs, plan) = try build.needs(of: network, for: extent)
    placement = BoardPlacement(of: needs, in: limits)
    work = try network.boardWork(for: extent)
    remedies =
      placement.fits
      ? []
      : try RemedySearch(
        network: network, extent: extent, build: build, limits: limits, needs: needs, plan: plan,
        placement: placement
      ).remedies()
  }
}
