internal import Synchronization
internal import VGGModel
internal import VGGTensors

/// The memory and the threads of one run, which the next run uses again.
final class Workspace: @unchecked Sendable {
  // Safe to share: one run at a time has it.

  /// What a piece of memory is for.
  enum Slot: Int, CaseIterable {
    case even
    case odd
    case batch
    case converted
    case windows
    case weights
    case scratch
  }

  let pool: ThreadPool
  private var memory: [AlignedMemory<Float>] = Slot.allCases.map { _ in AlignedMemory<Float>() }

  init(threadCount: Int) { pool = ThreadPool(count: threadCount) }

  /// Memory for so many numbers, undefined; what the slot held before is gone.
  func take(_ slot: Slot, _ count: Int) throws(EngineError) -> UnsafeMutablePointer<Float> {
    if memory[slot.rawValue].buffer.count < max(1, count) {
      memory[slot.rawValue] = AlignedMemory<Float>()
      memory[slot.rawValue] = try AlignedMemory<Float>(count: max(1, count))
    }
    guard let start = memory[slot.rawValue].buffer.baseAddress else { throw .memory(byteCount: count * 4) }
    return start
  }
}

/// Workspaces that are not in use: as many as runs that ever took place at the same time.
final class WorkspaceStore: Sendable {
  private let threadCount: Int
  private let idle = Mutex<[Workspace]>([])

  init(threadCount: Int) { self.threadCount = threadCount }

  /// Lends a workspace for the time of the call.
  func withWorkspace<Result>(
    _ body: (Workspace) throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    let workspace = idle.withLock { $0.popLast() } ?? Workspace(threadCount: threadCount)
    defer { idle.withLock { $0.append(workspace) } }
    return try body(workspace)
  }
}

/// Values between two layers, in memory that somebody else owns: NHWC, each pixel at a stride.
struct ActivationMap {
  var count: Int
  var shape: FeatureShape
  /// Floats from one pixel to the next: the channels, or these rounded up to a multiple of 16 ("padded").
  var stride: Int
  var base: UnsafeMutablePointer<Float>

  var pixelCount: Int { count * shape.extent.height * shape.extent.width }
  var isPacked: Bool { stride == shape.channels }
}

extension FeatureMap {
  /// Copies what a run has put out.
  init(_ map: ActivationMap) throws(EngineError) {
    self.init()
    try reshape(count: map.count, shape: map.shape)
    withMutableValues { target in
      guard let target = target.baseAddress else { return }
      if map.isPacked {
        target.update(from: map.base, count: map.pixelCount * map.stride)
        return
      }
      for pixel in 0..<map.pixelCount {
        (target + pixel * map.shape.channels).update(
          from: map.base + pixel * map.stride, count: map.shape.channels)
      }
    }
  }
}
