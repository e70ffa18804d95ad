/// What stands under a name in a group.
public enum HDF5Node: Sendable {
  /// A group with further names.
  case group(HDF5Group)
  /// An array of numbers or texts.
  case dataset(HDF5Dataset)
  /// A link that is not followed.
  case link(HDF5Link)
  /// A type that is stored under a name.
  case namedType
}

/// A group: attributes, and nodes under names.
public struct HDF5Group: Sendable {
  /// The names from the root, such as `model_weights/fc1`; empty for the root.
  public let path: String
  /// The attributes by name.
  public let attributes: [String: HDF5Attribute]
  /// The names of the children in the order of their bytes, which says nothing of the order of layers.
  public let names: [String]
  private let nodes: [String: HDF5Node]

  /// The children with their names, in order.
  public var children: [(name: String, node: HDF5Node)] {
    names.compactMap { name in nodes[name].map { (name, $0) } }
  }

  /// The node at a path below this group, such as `fc1/fc1/kernel:0`; nil where there is none or a link is
  /// on the way.
  public subscript(path path: String) -> HDF5Node? {
    var node = HDF5Node.group(self)
    for name in path.split(separator: "/") {
      guard case .group(let group) = node, let next = group.nodes[String(name)] else { return nil }
      node = next
    }
    return node
  }

  /// The group at a path, or nil where there is none.
  public func group(_ path: String) -> HDF5Group? {
    guard case .group(let group) = self[path: path] else { return nil }
    return group
  }

  /// The data set at a path, or nil where there is none.
  public func dataset(_ path: String) -> HDF5Dataset? {
    guard case .dataset(let dataset) = self[path: path] else { return nil }
    return dataset
  }

  init(
    path: String, attributes: [String: HDF5Attribute], names: [String], nodes: [String: HDF5Node]
  ) {
    self.path = path
    self.attributes = attributes
    self.names = names
    self.nodes = nodes
  }
}

/// A link that is named but never followed: what it leads to may be outside of the file, or lead back.
public struct HDF5Link: Equatable, Sendable {
  /// What a link is.
  public enum Kind: String, Sendable {
    /// The name of another object of the file.
    case soft
    /// The name of an object in another file.
    case external
    /// A link of some program's own making.
    case userDefined = "user-defined"
    /// A second way to a group that stands elsewhere already, perhaps around the link itself.
    case repeated
  }
  /// What the link is.
  public let kind: Kind
  /// The path or the file that it names; empty where it is not known.
  public let target: String
}

/// A data set: its type, its shape, and where its bytes are.
public struct HDF5Dataset: Sendable {
  /// The names from the root, such as `fc1/fc1/kernel:0`.
  public let path: String
  /// The attributes by name.
  public let attributes: [String: HDF5Attribute]
  /// The sizes of the axes, the slowest first; empty for a single value. Whatever the file says, up to
  /// `Int.max`.
  public let shape: [Int]
  /// The type of an element.
  public let type: HDF5Type
  /// Where the bytes are.
  public let storage: HDF5Storage
  /// Where the library finds the object.
  let address: UInt64

  /// The size of all elements in bytes; nil where they have no fixed size, or one that no memory holds.
  public var byteCount: Int? { byteCount(of: shape) }

  /// The size of a chunk in bytes, 0 where there are none; nil where it is one that no memory holds.
  var chunkByteCount: Int? {
    guard case .chunked(let shape, _) = storage else { return 0 }
    return byteCount(of: shape)
  }

  private func byteCount(of shape: [Int]) -> Int? {
    guard let elementSize = type.byteCount else { return nil }
    if shape.contains(0) { return 0 }
    var total = elementSize
    for size in shape {
      let (product, overflows) = total.multipliedReportingOverflow(by: size)
      if overflows { return nil }
      total = product
    }
    return total
  }
}

/// Where the bytes of a data set are.
public enum HDF5Storage: Equatable, Sendable {
  /// In one run, as they are; the offset counts from the beginning of the file, a user block included.
  case contiguous(offset: Int, byteCount: Int)
  /// Nowhere: every element has the fill value.
  case unallocated
  /// In the header of the data set.
  case compact
  /// In blocks, passed through filters when written: 1 is deflate, 2 shuffle, 3 Fletcher's checksum.
  case chunked(shape: [Int], filters: [Int])
  /// In other files, as they are.
  case external
  /// Put together from other data sets, perhaps of other files.
  case virtual
  /// In a way that the library knows by number only.
  case other
}

/// The value of an attribute.
public enum HDF5Attribute: Equatable, Sendable {
  /// One text, or an array in row-major order; padding is taken off, and ill-formed UTF-8 repaired.
  case strings([String])
  /// Whole numbers of any width, and enumerations (as which h5py writes booleans).
  case integers([Int])
  /// Floating-point numbers of any width.
  case floats([Double])
  /// Something else, or nothing that can be read; why.
  case unreadable(String)

  /// The text, where the value is a single one.
  public var string: String? {
    guard case .strings(let values) = self, values.count == 1 else { return nil }
    return values.first
  }

  /// The number, where the value is a single whole number.
  public var integer: Int? {
    guard case .integers(let values) = self, values.count == 1 else { return nil }
    return values.first
  }

  /// The texts; none also where the array is empty, for Keras writes an empty list of names as an array of
  /// numbers.
  public var list: [String]? {
    switch self {
    case .strings(let values): values
    case .integers(let values): values.isEmpty ? [] : nil
    case .floats(let values): values.isEmpty ? [] : nil
    case .unreadable: nil
    }
  }
}
