/// Calls a function with the bytes cut off at every length, and with seeded changes of some bytes.
public func forEachDamage(
  of bytes: [UInt8], seed: UInt64, mutations: Int = 400, _ body: ([UInt8]) throws -> Void
) rethrows {
  for length in 0..<bytes.count { try body(Array(bytes[..<length])) }
  var random = SeededGenerator(seed: seed)
  for _ in 0..<mutations {
    var damaged = bytes
    for _ in 0...Int.random(in: 0...3, using: &random) {
      let index = Int.random(in: 0..<bytes.count, using: &random)
      damaged[index] =
        [0, 0xFF, 0x7F, damaged[index] ^ 1, .random(in: 0...255, using: &random)]
        .randomElement(using: &random) ?? 0
    }
    try body(damaged)
  }
}
