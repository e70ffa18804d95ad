internal import VGGInterchange

/// What a pickle builds: an index stands for something in the ``PickleHeap``, so that values refer to each other, in circles
/// too, without owning each other.
enum PickleValue: Hashable {
  case none
  case bool(Bool)
  case integer(Int)
  /// A number of more than 64 bits, as it is stored.
  case longInteger([UInt8])
  case real(Double)
  case text(String)
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(Int)

  var text: String? { if case .text(let text) = self { text } else { nil } }
  var integer: Int? { if case .integer(let value) = self { value } else { nil } }
}

/// The classes and functions that a state dict names. Nothing of Python is ever called: each stands for what is done here.
enum PickleGlobal: Hashable {
  case orderedDictionary
  case rebuildTensor
  case rebuildTensor2
  case rebuildParameter
  case storage(SafetensorsType)

  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor2
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", _), ("torch.storage", _):
      guard let type = PickleGlobal.storages[name] else { return nil }
      self = .storage(type)
    default: return nil
    }
  }

  private static let storages: [String: SafetensorsType] = [
    "DoubleStorage": .float64, "FloatStorage": .float32, "HalfStorage": .float16,
    "BFloat16Storage": .bfloat16,
    "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8,
    "ByteStorage": .uint8, "BoolStorage": .bool,
  ]
}

/// Where numbers are stored that a tensor, or several, refer to.
struct PickledStorage {
  var key: String
  var type: SafetensorsType
  /// The number of numbers.
  var count: Int
}

/// Which numbers of a storage a tensor is made of.
struct PickledTensor {
  var storage: PickledStorage
  /// The number of the first one.
  var offset: Int
  var shape: [Int]
  /// The distances of neighbours along each axis, in numbers.
  var strides: [Int]

  /// Whether the numbers are side by side, the last axis fastest.
  var isContiguous: Bool {
    guard !shape.contains(0) else { return true }
    var expected = 1
    for (length, stride) in zip(shape, strides).reversed() {
      if length != 1, stride != expected { return false }
      expected *= length
    }
    return true
  }
}

/// What the values of a pickle refer to.
struct PickleHeap {
  var tuples: [[PickleValue]] = []
  var lists: [[PickleValue]] = []
  var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  var storages: [PickledStorage] = []
  var tensors: [PickledTensor] = []

  /// The members of a tuple or a list; nil for other values.
  func sequence(_ value: PickleValue) -> [PickleValue]? {
    switch value {
    case .tuple(let index): tuples[index]
    case .list(let index): lists[index]
    default: nil
    }
  }

  /// Whether a value is nothing, or a collection of nothing.
  func isEmpty(_ value: PickleValue) -> Bool {
    value == .none || sequence(value)?.isEmpty == true || dictionary(value)?.isEmpty == true
  }

  /// The members of a dictionary; nil for other values.
  func dictionary(_ value: PickleValue) -> [(key: PickleValue, value: PickleValue)]? {
    if case .dictionary(let index) = value { dictionaries[index] } else { nil }
  }
}
