internal import VGGBytes
internal import VGGInterchange

/// Interprets a Python pickle as far as a PyTorch state dict needs it: it builds numbers, texts, tuples, lists, dictionaries and
/// descriptions of tensors, and nothing else.
///
/// A pickle is a program. This interpreter knows no instruction that calls, imports or looks up anything: names of classes and
/// functions are compared with a list, and each of them stands for a case of ``PickleGlobal``. Whatever is not on the list ends
/// the reading, and the error says what it was. Instructions: CPython's `pickletools`, protocols 2 to 5.
struct Unpickler {
  private let bytes: ByteRegion
  private let file: String
  /// Where the bytes begin in the file.
  private let start: Int
  /// How far the bytes have been read.
  private(set) var position = 0
  /// What the values refer to.
  private(set) var heap = PickleHeap()

  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  /// The number of members of all collections: the same ones can be copied again and again.
  private var memberCount = 0

  /// The longest pickle: a state dict has about 200 bytes for each tensor.
  static let mostBytes = 4 << 20
  /// More marks, values on the stack, memoised ones and members of collections together than any state dict has: one of a VGG has
  /// a few thousand.
  static let mostObjects = 9 << 16

  /// Creates an interpreter.
  ///
  /// - Parameters:
  ///   - bytes: The pickle, perhaps with something behind it.
  ///   - file: The file's path, for errors.
  ///   - start: Where the bytes begin in the file.
  init(_ bytes: ByteRegion, file: String, start: Int) {
    (self.bytes, self.file, self.start) = (bytes, file, start)
  }

  /// Reads one pickle, from the position up to its end.
  mutating func next() throws(FileError) -> PickleValue {
    (stack, marks, memo) = ([], [], [:])
    while true {
      guard position < Unpickler.mostBytes else { throw failure("length", "is longer than any state dict") }
      let code = try byte()
      guard code != UInt8(ascii: ".") else { break }
      try execute(code)
      guard stack.count + marks.count + memo.count + memberCount <= Unpickler.mostObjects else {
        throw failure("count", "builds more objects than any state dict has")
      }
    }
    return try pop()
  }

  private mutating func execute(_ code: UInt8) throws(FileError) {
    switch code {
    // What stands in front of the values.
    case 0x80:
      let version = try byte()
      guard (2...5).contains(version) else {
        throw failure("protocol", "is of an unsupported protocol", seen: "\(version)", allowed: "2 to 5")
      }
    case 0x95: _ = try integer(UInt64.self)
    // Values.
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.integer(Int(try byte())))
    case UInt8(ascii: "M"): stack.append(.integer(Int(try integer(UInt16.self))))
    case UInt8(ascii: "J"): stack.append(.integer(Int(try integer(Int32.self))))
    case 0x8A: stack.append(try longInteger())
    case UInt8(ascii: "G"):
      stack.append(.real(Double(bitPattern: try integer(UInt64.self).byteSwapped)))
    case UInt8(ascii: "X"), UInt8(ascii: "T"): stack.append(try text(Int(try integer(UInt32.self))))
    case 0x8C, UInt8(ascii: "U"): stack.append(try text(Int(try byte())))
    // Collections.
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: ")"): push(tuple: [])
    case UInt8(ascii: "t"): push(tuple: try popToMark())
    case 0x85...0x87: push(tuple: try pop(Int(code) - 0x84))
    case UInt8(ascii: "]"):
      stack.append(.list(heap.lists.count))
      heap.lists.append([])
    case UInt8(ascii: "}"): push(dictionary: [])
    case UInt8(ascii: "a"): try append([try pop()])
    case UInt8(ascii: "e"): try append(try popToMark())
    case UInt8(ascii: "s"): try setItems(try pop(2))
    case UInt8(ascii: "u"): try setItems(try popToMark())
    // Values once more.
    case UInt8(ascii: "q"): try memoize(Int(try byte()))
    case UInt8(ascii: "r"): try memoize(Int(try integer(UInt32.self)))
    case 0x94: try memoize(memo.count)
    case UInt8(ascii: "h"): try recall(Int(try byte()))
    case UInt8(ascii: "j"): try recall(Int(try integer(UInt32.self)))
    // Names, and what stands in the place of calls.
    case UInt8(ascii: "c"):
      let (module, name) = (try line(), try line())
      try pushGlobal(module, name)
    case 0x93:
      let names = try pop(2)
      guard let module = names[0].text, let name = names[1].text else { throw misuse("STACK_GLOBAL") }
      try pushGlobal(module, name)
    case UInt8(ascii: "R"): try reduce()
    case UInt8(ascii: "b"):
      // The attributes of an OrderedDict, such as the versions of modules, say nothing of weights.
      _ = try pop()
      guard case .dictionary? = stack.last else { throw misuse("BUILD") }
    case UInt8(ascii: "Q"): try pushStorage()
    default:
      let name = Unpickler.otherInstructions[code] ?? "0x" + String(code, radix: 16)
      throw codeWouldRun("has the instruction \(name)", position - 1)
    }
  }

  /// Instructions that no state dict has, for errors.
  private static let otherInstructions: [UInt8: String] = [
    0x81: "NEWOBJ", 0x92: "NEWOBJ_EX", UInt8(ascii: "i"): "INST", UInt8(ascii: "o"): "OBJ",
    UInt8(ascii: "P"): "PERSID", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", UInt8(ascii: "B"): "BINBYTES",
    UInt8(ascii: "C"): "SHORT_BINBYTES", 0x8E: "BINBYTES8", 0x96: "BYTEARRAY8", 0x8F: "EMPTY_SET",
    UInt8(ascii: "S"): "STRING", UInt8(ascii: "V"): "UNICODE", UInt8(ascii: "I"): "INT",
    UInt8(ascii: "2"): "DUP", UInt8(ascii: "0"): "POP", UInt8(ascii: "1"): "POP_MARK",
  ]

  // MARK: Names and calls

  private mutating func pushGlobal(_ module: String, _ name: String) throws(FileError) {
    guard let global = PickleGlobal(module: module, name: name) else {
      throw codeWouldRun(
        "names \(module.prefix(100)).\(name.prefix(100)), which no state dict does", position)
    }
    stack.append(.global(global))
  }

  private mutating func reduce() throws(FileError) {
    let values = try pop(2)
    guard case .global(let global) = values[0], case .tuple(let index) = values[1] else {
      throw misuse("REDUCE")
    }
    let arguments = heap.tuples[index]
    switch global {
    case .orderedDictionary:
      var items: [(key: PickleValue, value: PickleValue)] = []
      // Python 2 wrote a list of pairs.
      for pair in try arguments.first.map({ (pairs) throws(FileError) in try sequence(pairs) }) ?? [] {
        let pair = try sequence(pair)
        guard pair.count == 2 else { throw misuse("OrderedDict") }
        items.append((pair[0], pair[1]))
      }
      push(dictionary: items)
    case .rebuildTensor: try pushTensor(arguments, isSecond: false)
    case .rebuildTensor2: try pushTensor(arguments, isSecond: true)
    case .rebuildParameter:
      guard case .tensor? = arguments.first else { throw misuse("_rebuild_parameter") }
      stack.append(arguments[0])
    case .storage: throw misuse("REDUCE")
    }
  }

  /// A tuple ("storage", type, key, location, count), and in files of PyTorch up to 1.5 a view, which is None.
  private mutating func pushStorage() throws(FileError) {
    let parts = try sequence(try pop())
    guard parts.count >= 5, parts[0].text == "storage", case .global(.storage(let type)) = parts[1],
      let key = parts[2].text, let count = parts[4].integer, count >= 0
    else { throw misuse("BINPERSID") }
    guard parts.count == 5 || parts[5] == .none else {
      throw failure(
        "view", "has a storage that is a part of another one, as PyTorch 0.1 wrote them", seen: key,
        advice: "load it in PyTorch where you trust it, and save the state dict again")
    }
    stack.append(.storage(heap.storages.count))
    heap.storages.append(PickledStorage(key: key, type: type, count: count))
  }

  /// The arguments are the storage, the offset of the first number, the shape and the strides; whether it is trained, what is called
  /// when it is, which is nothing; and perhaps what else is done to the numbers, which is nothing either.
  private mutating func pushTensor(_ arguments: [PickleValue], isSecond: Bool) throws(FileError) {
    let counts = isSecond ? 6...7 : 4...4
    guard counts.contains(arguments.count) else {
      throw failure(
        "tensor", "has a tensor that PyTorch does not build", seen: "\(arguments.count) arguments",
        allowed: "\(counts)")
    }
    if isSecond {
      guard case .bool = arguments[4], heap.isEmpty(arguments[5]),
        arguments.count == 6 || heap.isEmpty(arguments[6])
      else {
        throw failure(
          "tensor", "has a tensor whose numbers are not what is stored, such as a conjugate or negative view",
          allowed: "tensors without hooks and without settings",
          advice: "save {name: tensor.clone() for each tensor of the state dict}")
      }
    }
    guard case .storage(let index) = arguments[0], let offset = arguments[1].integer,
      offset >= 0
    else { throw misuse("_rebuild_tensor_v2") }
    let storage = heap.storages[index]
    let shape = try sequence(arguments[2]).compactMap(\.integer)
    let strides = try sequence(arguments[3]).compactMap(\.integer)
    guard shape.count == strides.count, shape.count == heap.sequence(arguments[2])?.count, shape.count <= 32,
      (shape + strides).allSatisfy({ $0 >= 0 })
    else { throw misuse("_rebuild_tensor_v2") }
    var (count, last, isTooLarge) = (1, offset, false)
    for (length, stride) in zip(shape, strides) {
      let product = count.multipliedReportingOverflow(by: length)
      let distance = max(0, length - 1).multipliedReportingOverflow(by: stride)
      let sum = last.addingReportingOverflow(distance.partialValue)
      isTooLarge = isTooLarge || product.overflow || distance.overflow || sum.overflow
      (count, last) = (product.partialValue, sum.partialValue)
    }
    // More numbers than there are would be one several times: a file of weights has no such tensor.
    guard !isTooLarge, count <= storage.count, count == 0 || last < storage.count else {
      throw failure(
        "tensor", "has a tensor that does not lie within its storage",
        seen: "shape \(shape), strides \(strides) from \(offset)", allowed: "\(storage.count) numbers")
    }
    stack.append(.tensor(heap.tensors.count))
    heap.tensors.append(PickledTensor(storage: storage, offset: offset, shape: shape, strides: strides))
  }

  // MARK: Stack and memo

  private mutating func push(tuple: [PickleValue]) {
    memberCount += tuple.count + 1
    stack.append(.tuple(heap.tuples.count))
    heap.tuples.append(tuple)
  }

  private mutating func push(dictionary: [(key: PickleValue, value: PickleValue)]) {
    memberCount += dictionary.count + 1
    stack.append(.dictionary(heap.dictionaries.count))
    heap.dictionaries.append(dictionary)
  }

  private mutating func pop() throws(FileError) -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
      throw failure("stack", "takes a value where there is none")
    }
    return value
  }

  private mutating func pop(_ count: Int) throws(FileError) -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else {
      throw failure("stack", "takes a value where there is none")
    }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(FileError) -> [PickleValue] {
    guard let mark = marks.popLast() else {
      throw failure("stack", "takes values up to a mark that is not there")
    }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private mutating func append(_ values: [PickleValue]) throws(FileError) {
    guard case .list(let index)? = stack.last else { throw misuse("APPENDS") }
    memberCount += values.count
    heap.lists[index] += values
  }

  private mutating func setItems(_ values: [PickleValue]) throws(FileError) {
    guard case .dictionary(let index)? = stack.last, values.count % 2 == 0 else { throw misuse("SETITEMS") }
    memberCount += values.count
    for place in stride(from: 0, to: values.count, by: 2) {
      heap.dictionaries[index].append((values[place], values[place + 1]))
    }
  }

  private mutating func memoize(_ place: Int) throws(FileError) {
    guard stack.count > marks.last ?? 0, let value = stack.last else { throw misuse("BINPUT") }
    memo[place] = value
  }

  private mutating func recall(_ place: Int) throws(FileError) {
    guard let value = memo[place] else { throw misuse("BINGET") }
    stack.append(value)
  }

  private func sequence(_ value: PickleValue) throws(FileError) -> [PickleValue] {
    guard let members = heap.sequence(value) else { throw misuse("a tuple") }
    return members
  }

  // MARK: Bytes

  private mutating func byte() throws(FileError) -> UInt8 { try integer(UInt8.self) }

  private mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws(FileError) -> Value {
    guard let value = bytes.integer(at: position, as: type) else { throw cutOff }
    position += MemoryLayout<Value>.size
    return value
  }

  private mutating func longInteger() throws(FileError) -> PickleValue {
    let count = Int(try byte())
    guard let digits = bytes.slice(at: position, count: count)?.withBytes({ Array($0) }) else { throw cutOff }
    position += count
    guard count <= 8 else { return .longInteger(digits) }
    // Little-endian, two's complement, the sign in the last byte.
    let isNegative = (digits.last ?? 0) >= 0x80
    let bits = digits.enumerated().reduce(isNegative && count < 8 ? UInt64.max << (8 * UInt64(count)) : 0) {
      $0 | UInt64($1.element) << (8 * UInt64($1.offset))
    }
    return .integer(Int(Int64(bitPattern: bits)))
  }

  private mutating func text(_ count: Int) throws(FileError) -> PickleValue {
    guard let slice = bytes.slice(at: position, count: count) else { throw cutOff }
    guard !slice.withBytes({ $0.contains(0) }) else { throw failure("text", "has a text with a zero in it") }
    position += count
    return .text(slice.withBytes { String(decoding: $0, as: UTF8.self) })
  }

  private mutating func line() throws(FileError) -> String {
    let start = position
    while let byte = bytes.byte(at: position), byte != UInt8(ascii: "\n") {
      position += 1
      guard position - start <= 1024 else { throw misuse("GLOBAL") }
    }
    guard let slice = bytes.slice(at: start, count: position - start), position < bytes.count else {
      throw cutOff
    }
    position += 1
    return slice.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  // MARK: Errors

  private var cutOff: FileError { failure("end", "ends within its pickle") }

  private func misuse(_ what: String) -> FileError {
    failure("misuse", "has a pickle that is no state dict's", seen: "\(what) of something else")
  }

  private func failure(
    _ code: String, _ problem: String, seen: String? = nil, allowed: String? = nil, advice: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "pickle.\(code)", file: file, problem, offset: start + min(position, bytes.count),
      seen: seen, allowed: allowed, advice: advice)
  }

  private func codeWouldRun(_ what: String, _ position: Int) -> FileError {
    FileError(
      .unsupported, code: "pickle.code", file: file,
      "\(what); making such an object would run code, which is never done",
      offset: start + position, place: "pickle", allowed: "a state dict: tensors, numbers, texts",
      advice: "where you trust the file, load it in PyTorch and save only the weights: "
        + "torch.save(model.state_dict(), \"weights.pth\")")
  }
}
