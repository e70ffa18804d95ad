public import CommandLineKit
public import VGGConv

extension Console: ProgressMonitor {
  /// A progress bar for what the library does.
  public func begin(_ phase: WorkPhase, total: Int) -> any ProgressMeter {
    let unit: Progress.Unit =
      switch phase {
      case .checking, .writing, .exporting, .reading: .bytes
      case .choosing: .items("models")
      case .verifying: .items("steps")
      case .planting: .items("mistakes")
      case .evaluating: .items("pictures")
      case .measuring: .items("passes")
      }
    return progress(phase.rawValue, total: total, unit: unit)
  }
}

extension Progress: ProgressMeter {}
