/// The memory that a model takes of a board, in bytes.
public struct BoardNeeds: Equatable, Sendable {
  /// The image of weights, in flash, or where they are read from.
  public var weightByteCount: Int
  /// Whether the weights lie elsewhere and are read through a window, instead of in flash.
  public var readsWeights = false
  /// Constants: layers, plan, tables.
  public var tableByteCount: Int
  /// The runtime's instructions, about.
  public var codeByteCount: Int
  /// All memory that a run writes, but the stack.
  public var arenaByteCount: Int
  /// The stack of a run, about.
  public var stackByteCount: Int

  /// Creates needs.
  public init(
    weightByteCount: Int, tableByteCount: Int, codeByteCount: Int, arenaByteCount: Int, stackByteCount: Int
  ) {
    self.weightByteCount = weightByteCount
    self.tableByteCount = tableByteCount
    self.codeByteCount = codeByteCount
    self.arenaByteCount = arenaByteCount
    self.stackByteCount = stackByteCount
  }

  /// What must be in flash.
  public var flashByteCount: Int {
    tableByteCount + codeByteCount + (readsWeights ? 0 : weightByteCount)
  }
  /// What must be in RAM.
  public var ramByteCount: Int { arenaByteCount + stackByteCount }
}

/// The memory that there is.
public struct BoardLimits: Equatable, Sendable {
  /// The flash; nil: nothing is known of it; empty: all is loaded into RAM.
  public var flash: [Board.Memory]?
  /// The RAM; nil: nothing is known of it.
  public var ram: [Board.Memory]?

  /// Limits of a board, or of a part of one.
  ///
  /// - Parameters:
  ///   - board: The board.
  ///   - flash: How many bytes of flash there are instead.
  ///   - ram: How many bytes of RAM there are instead.
  public init(board: Board? = nil, flash: Int? = nil, ram: Int? = nil) {
    self.flash = flash.map { [Board.Memory("flash", byteCount: $0)] } ?? board?.flash
    self.ram = ram.map { [Board.Memory("RAM", byteCount: $0)] } ?? board?.ram
  }
}

/// Where on a board a model lies.
public struct BoardPlacement: Equatable, Sendable {
  /// A memory that something was looked for.
  public enum Place: Equatable, Sendable {
    /// Nothing is known of the memory.
    case unknown
    /// The memory, by its name.
    case memory(String)
    /// There is none; so many bytes are missing in the one that comes nearest.
    case none(missing: Int)

    /// Whether there is no place.
    public var isMissing: Bool { if case .none = self { true } else { false } }
  }

  /// Where code, tables and weights that are not read lie. Weights may lie in another memory than the rest; then it is theirs.
  public let flash: Place
  /// Where the arena lies; the stack may lie beside it or in another memory.
  public let ram: Place

  /// Whether all has a place, as far as is known.
  public var fits: Bool { !flash.isMissing && !ram.isMissing }

  /// Finds a place: the first memory that has room.
  public init(of needs: BoardNeeds, in limits: BoardLimits) {
    var needsRAM = [needs.arenaByteCount, needs.stackByteCount]
    if limits.flash?.isEmpty == true {
      flash = limits.ram == nil ? .unknown : .memory("RAM")
      needsRAM += [needs.flashByteCount]
    } else {
      let weights = needs.readsWeights ? 0 : needs.weightByteCount
      flash = Self.place([weights, needs.flashByteCount - weights], in: limits.flash)
    }
    ram = Self.place(needsRAM, in: limits.ram)
  }

  /// The place of the first of some parts, each of which lies in one piece, the largest of them first.
  private static func place(_ parts: [Int], in memories: [Board.Memory]?) -> Place {
    guard let memories else { return .unknown }
    var free = memories.map(\.byteCount)
    var places = parts.map { _ in 0 }
    for part in parts.indices.sorted(by: { parts[$0] > parts[$1] }) {
      guard let place = free.firstIndex(where: { $0 >= parts[part] }) else {
        return .none(missing: parts[part] - (free.max() ?? 0))
      }
      free[place] -= parts[part]
      places[part] = place
    }
    return .memory(memories[places[0]].name)
  }
}
