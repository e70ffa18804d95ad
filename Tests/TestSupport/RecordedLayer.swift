import Foundation

/// A layer of integers and what runtimes made of it, from `fixtures/integer/layers.npz`.
public struct RecordedLayer: Sendable {
  /// Its kind comes first: `conv_same`, `dense_ties`, `average`, `softmax_steep`.
  public let name: String
  private let arrays: [String: NumPyArray]

  /// Those of a kind, in the order of the file.
  public static func all(_ kind: String) throws -> [RecordedLayer] {
    var layers: [(name: String, arrays: [String: NumPyArray])] = []
    for member in try storedMembers(ofZip: Data(contentsOf: URL(filePath: fixture("integer/layers.npz")))) {
      let parts = member.name.split(separator: "/").map(String.init)
      if layers.last?.name != parts[0] { layers.append((parts[0], [:])) }
      layers[layers.count - 1].arrays[parts[1].replacing(".npy", with: "")] = try NumPyArray(member.data)
    }
    return layers.filter { $0.name.hasPrefix(kind) }.map { RecordedLayer(name: $0.name, arrays: $0.arrays) }
  }

  /// The values of an array of integers.
  public func integers(_ part: String) throws -> [Int32] { try array(part).integers }

  /// The values of an array of float32.
  public func floats(_ part: String) throws -> [Float] { try array(part).floats }

  /// The length of each axis of an array.
  public func shape(_ part: String) throws -> [Int] { try array(part).shape }

  private func array(_ part: String) throws -> NumPyArray {
    guard let array = arrays[part] else { throw Unreadable(what: "\(name) has no \(part)") }
    return array
  }

  /// The exact sums with the bias; the channel varies fastest. They fit, though not every part of them does.
  public func accumulators() throws -> [Int32] {
    let (input, weights) = (try array("input"), try array("weights"))
    let zeroPoint = try integers("zero_points")[0]
    let (values, factors, bias) = (input.integers, weights.integers, try integers("bias"))
    // A dense layer is a convolution of one pixel.
    let isDense = input.shape.count == 2
    let shape = isDense ? [input.shape[0], 1, 1, input.shape[1]] : input.shape
    let geometry = isDense ? [1, 1, 1, 1, 0, 0, 0, 0] : try integers("geometry").map(Int.init)
    let (stride, dilation, top, left) = (geometry[2], geometry[3], geometry[4], geometry[5])
    let outputs = (0..<2).map { axis in
      let padded = shape[1 + axis] + geometry[4 + axis] + geometry[6 + axis]
      return (padded - (geometry[axis] - 1) * dilation - 1) / stride + 1
    }
    var sums: [Int32] = []
    for count in 0..<shape[0] {
      for row in 0..<outputs[0] {
        for column in 0..<outputs[1] {
          for channel in bias.indices {
            var sum = bias[channel]
            for kernelRow in 0..<geometry[0] {
              for kernelColumn in 0..<geometry[1] {
                let y = row * stride + kernelRow * dilation - top
                let x = column * stride + kernelColumn * dilation - left
                // Outside there is the zero point, which adds nothing.
                guard (0..<shape[1]).contains(y), (0..<shape[2]).contains(x) else { continue }
                let first = ((count * shape[1] + y) * shape[2] + x) * shape[3]
                let factor = ((channel * geometry[0] + kernelRow) * geometry[1] + kernelColumn) * shape[3]
                for index in 0..<shape[3] {
                  sum &+= (values[first + index] - zeroPoint) * factors[factor + index]
                }
              }
            }
            sums.append(sum)
          }
        }
      }
    }
    return sums
  }

  /// The codes that a rule makes of each sum and its channel.
  public func codes(_ rule: (Int32, Int) -> Int32) throws -> [Int32] {
    let channels = try integers("bias").count
    return try accumulators().enumerated().map { rule($1, $0 % channels) }
  }
}

private struct Unreadable: Error {
  let what: String
}

/// An array in NumPy's format 1.0, of int8, int32 or float32.
private struct NumPyArray: Sendable {
  let shape: [Int]
  private let kind: String
  private let bytes: Data

  init(_ data: Data) throws {
    let start = 10 + Int(data.littleEndian(8, UInt16.self))
    let header = String(decoding: data[data.startIndex + 10..<data.startIndex + start], as: UTF8.self)
    let pattern = /'descr': '(?<kind>[^']+)', 'fortran_order': False, 'shape': \((?<shape>[^)]*)\)/
    guard let found = try pattern.firstMatch(in: header) else { throw Unreadable(what: header) }
    kind = String(found.kind)
    shape = found.shape.split(separator: /[, ]+/).compactMap { Int($0) }
    bytes = data.dropFirst(start)
  }

  private func elements<Element>(_ size: Int, _ element: (Int) -> Element) -> [Element] {
    (0..<bytes.count / size).map { element($0 * size) }
  }

  var integers: [Int32] {
    kind == "|i1"
      ? bytes.map { Int32(Int8(bitPattern: $0)) } : elements(4) { bytes.littleEndian($0, Int32.self) }
  }
  var floats: [Float] { elements(4) { Float(bitPattern: bytes.littleEndian($0, UInt32.self)) } }
}

/// The members of an archive without compression.
private func storedMembers(ofZip data: Data) throws -> [(name: String, data: Data)] {
  let number = { (offset: Int) in Int(data.littleEndian(offset, UInt32.self)) }
  let short = { (offset: Int) in Int(data.littleEndian(offset, UInt16.self)) }
  let end = data.count - 22
  guard end >= 0, number(end) == 0x0605_4B50 else { throw Unreadable(what: "no archive") }
  var entry = number(end + 16)
  return try (0..<short(end + 10)).map { _ in
    let (size, local, nameLength) = (number(entry + 20), number(entry + 42), short(entry + 28))
    let name = String(decoding: data[entry + 46..<entry + 46 + nameLength], as: UTF8.self)
    guard short(entry + 10) == 0 else { throw Unreadable(what: "\(name) is compressed") }
    let start = local + 30 + short(local + 26) + short(local + 28)
    entry += 46 + nameLength + short(entry + 30) + short(entry + 32)
    return (name, data[start..<start + size])
  }
}

extension Data {
  /// A number at an offset from the first byte.
  fileprivate func littleEndian<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type) -> Number {
    withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
  }
}
