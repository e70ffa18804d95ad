import Foundation
import TestSupport
import Testing
import VGGBytes

/// Calls a function with the bytes cut off at every length, and with seeded changes of some bytes.
func forEachDamage(of bytes: [UInt8], seed: UInt64, mutations: Int = 400, _ body: ([UInt8]) throws -> Void)
  rethrows
{
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

/// The bytes of a region.
func array(_ region: ByteRegion) -> [UInt8] { region.withBytes { Array($0) } }

/// The bytes of a file.
func bytes(of path: String) throws -> [UInt8] { array(try MappedFile(path: path).bytes) }

/// Runs a Python program in a folder and returns what it printed; numpy must be there.
@discardableResult
func python(_ program: String, in folder: String) throws -> String {
  let interpreter = try #require(
    pythonInterpreter, "python3 with numpy and protobuf is needed: run .ci/install-packages")
  let process = try CommandProcess.run(
    interpreter, ["-c", program], in: folder, environment: ProcessInfo.processInfo.environment)
  try #require(process.status == 0, "\(process.errors)")
  return process.output
}
