package import VGGBytes

/// A number for each group of a quantised tensor: an array, or part of a mapped file where they are many.
package enum ParameterTable<Element: BitwiseCopyable & Equatable & Sendable>: Equatable, Sendable {
  case array([Element])
  /// Little-endian and aligned.
  case mapped(ByteRegion)

  /// Takes numbers from a region: as they lie there, or copied where they are not aligned.
  package init(_ region: ByteRegion) {
    let isAligned = region.withBytes {
      UInt(bitPattern: $0.baseAddress) % UInt(MemoryLayout<Element>.alignment) == 0
    }
    self = isAligned ? .mapped(region) : .mapped(ByteRegion(copying: region.withBytes { Array($0) }))
  }

  /// The number of numbers.
  package var count: Int {
    switch self {
    case .array(let elements): elements.count
    case .mapped(let region): region.count / MemoryLayout<Element>.size
    }
  }

  /// All numbers.
  package var array: [Element] {
    if case .array(let elements) = self { elements } else { withElements { Array($0) } }
  }

  /// Lends the numbers for the time of the call.
  package func withElements<Result>(_ body: (UnsafeBufferPointer<Element>) -> Result) -> Result {
    switch self {
    case .array(let elements): elements.withUnsafeBufferPointer(body)
    case .mapped(let region): region.withBytes { body($0.assumingMemoryBound(to: Element.self)) }
    }
  }

  package static func == (left: ParameterTable, right: ParameterTable) -> Bool {
    left.count == right.count
      && left.withElements { left in right.withElements { left.elementsEqual($0) } }
  }
}
