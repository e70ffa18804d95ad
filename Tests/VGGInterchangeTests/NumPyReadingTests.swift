import TestSupport
import Testing
import VGGBytes
import VGGInterchange

@Suite("Reading NumPy files")
struct NumPyReadingTests {
  private func read(_ bytes: [UInt8]) throws -> NumericArray {
    try NumericArray(npy: ByteRegion(copying: bytes), file: "x.npy")
  }

  /// A `.npy` file with a header of one's own.
  private func file(_ header: String, version: UInt8 = 1, data: [UInt8] = []) -> [UInt8] {
    let count = header.utf8.count
    let length: [UInt8] = [UInt8(count & 255), UInt8(count >> 8)] + (version == 1 ? [] : [0, 0])
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + Array(header.utf8) + data
  }

  @Test("Every type, order of bytes and order of axes gives NumPy's own values")
  func types() throws {
    let program = """
      import numpy as np
      rng = np.random.default_rng(1)
      out = {}
      for t in ['b1', 'u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f2', 'f4', 'f8']:
          for e in '<>':
              for order in 'CF':
                  a = rng.integers(0, 2, (2, 3, 4, 5)) if t == 'b1' else rng.integers(0 if t[0] == 'u' else -100, 100, (2, 3, 4, 5))
                  if t[0] == 'f': a = a / 3
                  a = np.array(a.astype(e + t if t[1] != '1' else t), order=order)
                  name = f'{t}_{"big" if e == ">" else "little"}_{order}'
                  out[name] = a
                  out['values_' + name] = a.astype('<f4', order='C')
      out['scalar'] = np.array(2.5)
      out['empty'] = np.zeros((3, 0, 2), '<i4')
      out['vector_F'] = np.asfortranarray(np.arange(5, dtype='<i2'))
      np.savez('plain.npz', **out)
      np.savez_compressed('packed.npz', **out)
      """
    try withTemporaryFolder { folder in
      try python(program, in: folder)
      for name in ["plain.npz", "packed.npz"] {
        let archive = try NumPyArchive(try MappedFile(path: "\(folder)/\(name)"))
        #expect(archive.names.count == 99)
        for name in archive.names where !name.hasPrefix("values_") {
          let array = try #require(try archive.array(name))
          let values = try array.values()
          #expect(array.isInteger == !(name.contains("f") || name == "scalar"), "\(name)")
          if let expected = try archive.array("values_\(name)") {
            #expect(array.shape == [2, 3, 4, 5])
            #expect(array.count == 120)
            #expect(try values == expected.values(), "\(name)")
            if array.isInteger { #expect(try array.integers().map(Float.init) == values) }
          }
        }
        #expect(try archive.array("scalar")?.values() == [2.5])
        #expect(try archive.array("scalar")?.shape == [])
        #expect(try archive.array("empty")?.shape == [3, 0, 2])
        #expect(try archive.array("empty")?.values() == [])
        #expect(try archive.array("vector_F")?.integers() == [0, 1, 2, 3, 4])
        #expect(try archive.array("none") == nil)
      }
    }
  }

  @Test("All versions of the format are read", arguments: [1, 2, 3] as [UInt8])
  func versions(version: UInt8) throws {
    let header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2L, 1), }\n"
    let array = try read(file(header, version: version, data: [1, 0, 0xFF, 0xFF]))
    #expect(array.shape == [2, 1])
    #expect(try array.integers() == [1, -1])
  }

  @Test("The fixtures' arrays are read")
  func fixtures() throws {
    let archive = try NumPyArchive(try MappedFile(path: fixture("digits_test.npz")))
    let labels = try #require(try archive.array("labels"))
    #expect(labels.shape == [360])
    #expect(try labels.integers().allSatisfy { (0...9).contains($0) })
    #expect(try archive.array("mean_bgr")?.values() == [103.939, 116.779, 123.68])
  }

  @Test(
    "Headers that say anything else are refused",
    arguments: [
      ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "npy.pickle"),
      ("{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }", "npy.pickle"),
      ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "npy.type"),
      ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "npy.type"),
      ("{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", "npy.type"),
      ("{'descr': '=f4', 'fortran_order': False, 'shape': (1,), }", "npy.type"),
      ("{'descr': '<f3', 'fortran_order': False, 'shape': (1,), }", "npy.type"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "npy.length"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}", "npy.header"),
      ("{'descr': '<f4', 'fortran_order': False}", "npy.header"),
      ("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", "npy.header"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "npy.header"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': [1], }", "npy.header"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': ('1',), }", "npy.shape"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "npy.header"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "npy.length"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } + 1", "npy.header"),
      ("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", "npy.header"),
      ("__import__('os')", "npy.header"), ("", "npy.header"), ("{", "npy.header"),
      ("{'a': ((((((((((((((((((", "npy.header"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (1 1), }", "npy.header"),
    ])
  func refusals(header: String, code: String) {
    let error = #expect(throws: FileError.self) { try read(file(header, data: [0, 0, 0, 0])) }
    #expect(error?.code == code)
  }

  @Test("Values that float32 or Int cannot hold are refused, not changed")
  func ranges() throws {
    let double = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }"
    func bits(_ value: Double) -> [UInt8] { withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
    #expect(throws: FileError.self) { try read(file(double, data: bits(1e300))).values() }
    #expect(try read(file(double, data: bits(.infinity))).values() == [.infinity])
    #expect(try read(file(double, data: bits(.nan))).values()[0].isNaN)
    #expect(throws: FileError.self) { try read(file(double, data: bits(1))).integers() }
    let unsigned = "{'descr': '<u8', 'fortran_order': False, 'shape': (), }"
    let large = try read(file(unsigned, data: Array(repeating: 0xFF, count: 8)))
    #expect(throws: FileError.self) { try large.integers() }
    #expect(try large.values() == [0x1p64])
  }

  @Test(
    "Damage gives an array or an error",
    arguments: [
      "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3), }\n",
      "{'descr': '|u1', 'fortran_order': False, 'shape': (24,), }",
    ])
  func damage(header: String) {
    forEachDamage(of: file(header, data: Array(0..<24)), seed: 3, mutations: 2000) { damaged in
      guard let array = try? read(damaged) else { return }
      #expect((try? array.values())?.count ?? array.count == array.count)
      _ = try? array.integers()
    }
  }

  @Test("A damaged archive gives arrays or an error")
  func damagedArchive() throws {
    try withTemporaryFolder { folder in
      try python(
        "import numpy as np\nnp.savez_compressed('a.npz', a=np.arange(6.0).reshape(2, 3))", in: folder)
      let path = "\(folder)/b.npz"
      try forEachDamage(of: try bytes(of: "\(folder)/a.npz"), seed: 4, mutations: 100) { damaged in
        let file = try AtomicFile(path: path, overwrite: true)
        try damaged.withUnsafeBytes { try file.write($0, at: 0) }
        try file.publish()
        guard let archive = try? NumPyArchive(try MappedFile(path: path)) else { return }
        for name in archive.names { _ = try? archive.array(name)?.values() }
      }
    }
  }
}
