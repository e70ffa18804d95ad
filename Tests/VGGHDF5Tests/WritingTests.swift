import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGTensors

@testable import VGGHDF5

@Suite("Writing HDF5") struct WritingTests {
  /// Numbers that are made as they are read: however many there are, they take no memory.
  private struct Ramp: TensorValues {
    var count: Int
    func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
      for (index, value) in range.enumerated() { destination[index] = Float(value % 8191) }
    }
  }

  private func description(scale: Int = 1) -> HDF5Description {
    var file = HDF5Description()
    file.addGroup("/layers/empty/vars")
    file.setAttribute("name", of: "/layers/empty/vars", to: "Größe", hasFixedLength: false)
    for index in 0..<30 {
      file.addDataset(
        "/layers/layer_\(index)/vars/0", shape: [index + 1, 3, scale],
        values: Ramp(count: (index + 1) * 3 * scale))
      file.addDataset("/layers/layer_\(index)/vars/1", shape: [index + 1], values: Ramp(count: index + 1))
    }
    file.setAttribute("names", of: "/", to: ["a", "longer", ""])
    file.setAttribute("none", of: "/layers", to: [])
    file.setAttribute("text", of: "/", to: String(repeating: "configuration", count: 4000))
    return file
  }

  private func write(_ content: FileContent, to path: String) throws {
    let file = try AtomicFile(path: path, overwrite: true)
    try content.write(to: file)
    try file.publish()
  }

  @Test("Our reader and h5py find what was described")
  func readBack() throws {
    try withTemporaryFolder { (folder) throws in
      let path = "\(folder)/a.h5"
      try write(try description().content(named: path), to: path)
      let file = try HDF5File.open(MappedFile(path: path).bytes, named: path)
      #expect(file.root.attributes["names"] == .strings(["a", "longer", ""]))
      #expect(file.root.attributes["text"]?.string?.count == 52000)
      #expect(file.root.group("layers")?.attributes["none"] == .floats([]))
      let vars = file.root.group("layers")?.group("empty")?.group("vars")
      #expect(vars?.attributes["name"]?.string == "Größe")
      let printed = try python(
        """
        import h5py, numpy as np
        f = h5py.File('a.h5', 'r')
        assert f.attrs['names'].tolist() == [b'a', b'longer', b''], f.attrs['names']
        assert f['layers/empty/vars'].attrs['name'] == 'Größe'
        assert f['layers'].attrs['none'].shape == (0,)
        n = 0
        for i in range(30):
            for k, shape in ('0', (i + 1, 3, 1)), ('1', (i + 1,)):
                d = f[f'layers/layer_{i}/vars/{k}']
                assert d.shape == shape and d.dtype == '<f4' and d.chunks is None
                assert (d[...].ravel() == np.arange(d.size)).all()
                n += 1
        print(n, open('a.h5', 'rb').read()[8])
        """, in: folder)
      #expect(printed == "60 0\n")
    }
  }

  @Test("Equal descriptions give equal bytes")
  func determinism() throws {
    let contents = try [description(), description()].map { try $0.content(named: "a.h5") }
    let bytes = try contents.map { try $0.bytes(0..<$0.byteCount) }
    #expect(bytes[0] == bytes[1])
  }

  @Test("The bytes around the numbers of gigabytes are few")
  func largeData() throws {
    let content = try description(scale: 1 << 20).content(named: "a.h5")
    #expect(content.byteCount > 5 << 30)
    let around = content.pieces.reduce(0) {
      if case .bytes(let bytes) = $1 { $0 + bytes.count } else { $0 }
    }
    #expect(around < 200_000)
    #expect(content.pieces.allSatisfy { if case .zeros = $0 { false } else { true } })
  }

  @Test("What the library refuses is a fault of ours, said in its words")
  func refusal() {
    var twice = HDF5Description()
    twice.addGroup("/a")
    twice.addGroup("/a")
    var long = HDF5Description()
    long.setAttribute("text", of: "/", to: String(repeating: "x", count: 70000))
    for description in [twice, long] {
      let error = #expect(throws: FileError.self) { try description.content(named: "a.h5") }
      #expect(error?.kind == .fault)
      #expect(error?.code == "hdf5.write.layout")
    }
  }
}
