internal import VGGBytes
internal import Synchronization

/// The memory and the threads of one run, which the next run uses again.
final class Workspace: @unchecked Sendable {
  // Safe to share: one run at a time has it.

  /// What a piece of memory is for.
  enum Slot: Int, CaseIterable {
    case even
    case odd
    case batch
    case converted
    case scratch
  }

  /// Threads that stay at hand.
  let workers: Workers
  private var memory: [AlignedMemory<UInt8>] = Slot.allCases.map { _ in AlignedMemory<UInt8>() }

  init(threadCount: Int) { workers = Workers(ThreadPool(count: threadCount)) }

  /// Memory of so many bytes, undefined; what the slot held before is gone.
  func take(_ slot: Slot, byteCount: Int) throws(EngineError) -> UnsafeMutableRawPointer {
    if memory[slot.rawValue].buffer.count < max(1, byteCount) {
      memory[slot.rawValue] = AlignedMemory<UInt8>()
      memory[slot.rawValue] = try AlignedMemory<UInt8>(count: max(1, byteCount))
    }
    guard let start = memory[slot.rawValue].buffer.baseAddress else { throw .memory(byteCount: byteCount) }
    return UnsafeMutableRawPointer(start)
  }

  /// Runs a method, on a copy of its input where it reads another form.
  func run(_ method: any LayerMethod, _ input: MapView, into output: MapView) throws(EngineError) {
    var input = input
    if let format = method.inputFormat, !input.layout.has(format) {
      let layout = MapLayout(count: input.layout.count, shape: input.layout.shape, format)
      let copy = MapView(layout: layout, base: try take(.converted, byteCount: layout.byteCount))
      input.copy(into: copy)
      input = copy
    }
    let byteCount = method.scratchByteCount(
      for: input.layout, into: output.layout, threadCount: workers.count)
    let scratch = Scratch(try take(.scratch, byteCount: byteCount), byteCount: byteCount)
    try method.run(input, into: output, with: RunResources(workers: workers, scratch: scratch))
  }

  /// Runs a method from one map to another.
  func run(
    _ method: any LayerMethod, _ input: FeatureMap, into output: inout FeatureMap
  ) throws(EngineError) {
    try input.withView { (input) throws(EngineError) in
      try output.withMutableView { (output) throws(EngineError) in
        guard !output.layout.has(method.outputFormat) else { return try run(method, input, into: output) }
        let layout = MapLayout(count: output.layout.count, shape: output.layout.shape, method.outputFormat)
        let result = MapView(layout: layout, base: try take(.even, byteCount: layout.byteCount))
        try run(method, input, into: result)
        result.copy(into: output)
      }
    }
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
