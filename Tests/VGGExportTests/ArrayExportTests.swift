import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGExport
import VGGInterchange
import VGGModel
import VGGTensors

@Suite("Arrays for other programs")
struct ArrayExportTests {
  /// A small network whose tensors have all encodings, with values that each can represent.
  private func model() throws -> Model {
    let network = try Network(
      .a, inputExtent: Extent(side: 32), widths: [1, 2, 2, 3, 3], denseWidths: [5, 4, 3])
    var random = SeededGenerator(seed: 5)
    let tensors = network.tensorRequirements.enumerated().map { index, requirement in
      let count = requirement.shape.reduce(1, *)
      let bytes = (0..<count).map { _ in Int8.random(in: -127...127, using: &random) }
      let values = MemoryValues(bytes.map { Float($0) / 64 })
      let contents: [Tensor.Content] = [
        .real(MemoryValues(bytes.map { Float($0) / 192 }), as: .float32), .real(values, as: .float16),
        .real(values, as: .bfloat16),
        .codes(
          MemoryCodes(bytes),
          Quantization(scales: Array(repeating: 1 / 64, count: requirement.shape.last ?? 0))),
      ]
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape,
        content: contents[index / 2 % (requirement.role == .bias ? 3 : 4)],
        storage: index % 3 == 0 ? .sparse : .raw)
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: .released(for: network.inputExtent),
      provenance: Provenance(sourceName: "x", sourceByteCount: 1, format: "test", generation: "test"))
  }

  private func export(
    _ model: Model, _ format: ExportFormat, _ path: String, overwrites: Bool = false,
    dequantizes: Bool = false
  ) throws {
    var options = ExportOptions()
    (options.overwrites, options.dequantizes) = (overwrites, dequantizes)
    try model.export(to: format, at: path, options: options)
  }

  @Test("Arrays in an npz have NumPy's values, and are the same bytes each time")
  func npz() throws {
    let model = try model()
    try withTemporaryFolder { folder in
      try export(model, .npz, "\(folder)/a.npz", dequantizes: true)
      try export(model, .npz, "\(folder)/b.npz", dequantizes: true)
      #expect(try bytes(of: "\(folder)/a.npz") == bytes(of: "\(folder)/b.npz"))
      let archive = try NumPyArchive(try MappedFile(path: "\(folder)/a.npz"))
      #expect(archive.names == model.tensors.map(\.name))
      for tensor in model.tensors {
        let array = try #require(try archive.array(tensor.name))
        #expect(array.shape == tensor.shape)
        #expect(try array.values() == tensor.values.array())
      }
      // NumPy itself says what it reads: name, type, shape, and the sum of positions times values.
      let printed = try python(
        """
        import numpy as np
        z = np.load('a.npz')
        for n in z.files:
            a = z[n].astype('f8').ravel()
            print(n, z[n].dtype, list(z[n].shape), z[n].flags.c_contiguous, int(round((a * np.arange(1, a.size + 1)).sum() * 192)))
        """, in: folder)
      let expected = try model.tensors.map { tensor in
        let sum = try tensor.values.array().enumerated().reduce(0.0) {
          $0 + Double($1.element) * Double($1.offset + 1)
        }
        return "\(tensor.name) float32 \(tensor.shape) True \(Int((sum * 192).rounded()))\n"
      }
      #expect(printed == expected.joined())
    }
  }

  @Test("One array as npy", arguments: [[], [0], [7], [2, 3], [4, 1, 2]])
  func npy(shape: [Int]) throws {
    let values = (0..<shape.reduce(1, *)).map { Float($0) - 0.5 }
    try withTemporaryFolder { folder in
      try NamedArray(name: "x", shape: shape, values: values).write(to: "\(folder)/x.npy", overwrite: false)
      let array = try NumericArray(npy: MappedFile(path: "\(folder)/x.npy").bytes, file: "x.npy")
      #expect(array.shape == shape)
      #expect(try array.values() == values)
      // NumPy writes the same bytes, but for more space in newer versions' headers.
      let printed = try python(
        "import numpy as np\na = np.load('x.npy')\nprint(list(a.shape), a.dtype, a.ravel().tolist())",
        in: folder)
      #expect(printed == "\(shape) float32 \(values)\n")
      #expect(try MappedFile(path: "\(folder)/x.npy").bytes.count % 64 == values.count * 4 % 64)
    }
  }

  @Test("Safetensors hold what the format asks for, and the model's values")
  func safetensors() throws {
    let model = try model()
    try withTemporaryFolder { folder in
      try export(model, .safetensors, "\(folder)/a.safetensors", dequantizes: true)
      try export(model, .safetensors, "\(folder)/b.safetensors", dequantizes: true)
      #expect(try bytes(of: "\(folder)/a.safetensors") == bytes(of: "\(folder)/b.safetensors"))
      let printed = try python(
        """
        import json, numpy as np
        b = open('a.safetensors', 'rb').read()
        n = int.from_bytes(b[:8], 'little')
        assert n % 8 == 0 and b[8:9] == b'{'
        h = json.loads(b[8:8 + n])
        meta = h.pop('__metadata__')
        assert all(type(v) is str for v in meta.values()) and meta['architecture'] == 'VGG A'
        end, order = 0, []
        for name, t in h.items():
            start, stop = t['data_offsets']
            size = {'F32': 4, 'F16': 2, 'BF16': 2}[t['dtype']]
            assert start == end and start % size == 0 and stop - start == size * int(np.prod(t['shape']))
            end = stop
            order.append((['F32', 'BF16', 'F16'].index(t['dtype']), name))
            raw = b[8 + n + start:8 + n + stop]
            if t['dtype'] == 'BF16':
                a = (np.frombuffer(raw, '<u2').astype('<u4') << 16).view('<f4')
            else:
                a = np.frombuffer(raw, {'F32': '<f4', 'F16': '<f2'}[t['dtype']]).astype('<f4')
            np.save(name.replace('/', '.') + '.npy', a.reshape(t['shape']))
        assert end == len(b) - 8 - n and order == sorted(order)
        print(' '.join(t['dtype'] for t in h.values()))
        """, in: folder)
      let types = printed.split { $0.isWhitespace }.map(String.init)
      #expect(types.count { $0 == "F16" } == model.tensors.count { $0.elementType == .real(.float16) })
      #expect(types.count { $0 == "BF16" } == model.tensors.count { $0.elementType == .real(.bfloat16) })
      for tensor in model.tensors {
        let path = "\(folder)/\(tensor.name.replacing("/", with: ".")).npy"
        let array = try NumericArray(npy: MappedFile(path: path).bytes, file: path)
        #expect(array.shape == tensor.shape)
        #expect(try array.values() == tensor.values.array(), "\(tensor.name)")
      }
    }
  }

  @Test("Codes, scales and zero points are arrays of their own")
  func codes() throws {
    // [7, 3] in groups of 5 inputs, and a tensor with one scale.
    let grouped = Quantization(
      .int4, by: .inputGroups(length: 5), scales: [1, 2, 3, 4, 5, 6], zeroPoints: [0, -8, 7, 1, 2, 3])
    let tensors = [
      Tensor(
        name: "a", role: .weight, shape: [7, 3],
        content: .codes(MemoryCodes((0..<21).map { Int8($0 % 16 - 8) }), grouped)),
      Tensor(
        name: "b", role: .weight, shape: [3],
        content: .codes(MemoryCodes([-128, 0, 127]), Quantization(by: .tensor, scales: [0.5])),
        storage: .sparse),
    ]
    try withTemporaryFolder { folder in
      let arrays = tensors.flatMap { NamedArray.arrays(of: $0, dequantized: false) }
      try NumPyArchive.write(arrays, to: "\(folder)/a.npz", overwrite: false)
      let printed = try python(
        """
        import numpy as np
        z = np.load('a.npz')
        for n in z.files: print(n, z[n].dtype, list(z[n].shape), z[n].ravel().tolist())
        """, in: folder)
      #expect(
        printed == """
          a int8 [7, 3] \((0..<21).map { $0 % 16 - 8 })
          a.scales float32 [2, 3] [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
          a.zero_points int8 [2, 3] [0, -8, 7, 1, 2, 3]
          a.group_size int64 [] [5]
          b int8 [3] [-128, 0, 127]
          b.scales float32 [1] [0.5]

          """)
      let values = tensors.flatMap { NamedArray.arrays(of: $0, dequantized: true) }
      try NumPyArchive.write(values, to: "\(folder)/v.npz", overwrite: false)
      let archive = try NumPyArchive(MappedFile(path: "\(folder)/v.npz"))
      #expect(archive.names == ["a", "b"])
      for tensor in tensors {
        #expect(try archive.array(tensor.name)?.values() == tensor.values.array())
      }
    }
  }

  @Test("Nothing is replaced unless that is asked for")
  func overwriting() throws {
    let model = try model()
    try withTemporaryFolder { folder in
      let path = "\(folder)/a"
      try export(model, .safetensors, path)
      let before = try bytes(of: path)
      let errors = [
        #expect(throws: FileError.self) { try export(model, .safetensors, path) },
        #expect(throws: FileError.self) { try export(model, .npz, path) },
      ]
      #expect(errors.allSatisfy { $0?.kind == .cannotCreate })
      #expect(try bytes(of: path) == before)
      try export(model, .npz, path, overwrites: true)
      #expect(try bytes(of: path) != before)
      #expect(try files(in: folder) == ["a"])
    }
  }
}
