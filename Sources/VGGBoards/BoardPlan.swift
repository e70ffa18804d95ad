/// Where the maps of a model lie in the memory of a board, and in which order their rows are computed; `vggrt.h` says how a plan
/// is carried out.
///
/// Map 0 is the input, map *i* + 1 the output of layer *i*.
public struct BoardPlan: Equatable, Sendable {
  /// The rows of a map in the arena.
  public struct Map: Equatable, Sendable {
    /// Where row 0 begins.
    public var offset: Int
    /// How many rows there is room for: all of them, or the last ones, in a ring.
    public var rows: Int
  }

  /// Layers that take turns strip by strip.
  public struct Group: Equatable, Sendable {
    /// The layers, by their index.
    public var layers: Range<Int>
    /// How many rows of the last one's output are computed at a time.
    public var stripRows: Int
    /// Where there is room for what the kernels need besides.
    public var scratchOffset: Int
    /// Where weights are read to.
    public var windowOffset: Int
  }

  /// The maps.
  public var maps: [Map]
  /// The groups, in the order of their layers.
  public var groups: [Group]
  /// The bytes of all memory that a run writes, but the stack.
  public var arenaByteCount: Int
  /// The bytes that weights are read to at a time; 0: they lie in memory.
  public var windowByteCount: Int
  /// The bytes of weights that a run goes through: a layer's for each strip of its group.
  public var weightBytesRead: Int
}
