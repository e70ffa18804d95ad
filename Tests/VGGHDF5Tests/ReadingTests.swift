import TestSupport
import Testing
import VGGBytes
import VGGTensors

@testable import VGGHDF5

/// The values in nearly every file of `fixtures/hdf5`; see `make_hdf5_cases.py`.
let expectedValues = (0..<24).map { Float($0) / 2 }

func openFixture(_ name: String) throws -> HDF5File {
  try HDF5File.open(MappedFile(path: fixture(name)).bytes, named: name)
}

func floats(of dataset: HDF5Dataset, in file: HDF5File) throws -> [Float] {
  let number = try #require(dataset.type.number)
  let bytes = try file.bytes(of: dataset, maximumBytes: 1_000_000)
  #expect(bytes.count == dataset.byteCount)
  return bytes.withBytes { bytes in
    guard let start = bytes.baseAddress else { return [] }
    return stride(from: 0, to: bytes.count, by: number.byteCount).map { number.load(start + $0) }
  }
}

@Suite struct ReadingTests {
  @Test(arguments: [
    "plain_v0", "plain_v1", "plain_v2", "plain_v3", "user_block",
  ])
  func plainFiles(name: String) throws {
    let file = try openFixture("hdf5/\(name).h5")
    #expect(file.root.path == "")
    #expect(file.root.names == ["a"])
    #expect(file.root.group("a")?.attributes == ["layer": .integers([7])])
    let dataset = try #require(file.root.dataset("a/b/values"))
    #expect(dataset.path == "a/b/values")
    #expect(dataset.shape == [2, 3, 4])
    guard case .contiguous(_, byteCount: 96) = dataset.storage else {
      Issue.record("stored as \(dataset.storage)")
      return
    }
    #expect(try floats(of: dataset, in: file) == expectedValues)
  }

  @Test(arguments: [
    ("float16", NumberFormat(.float16)), ("float64", NumberFormat(.float64)),
    ("float32_big_endian", NumberFormat(.float32, isBigEndian: true)),
  ])
  func numberFormats(name: String, format: NumberFormat) throws {
    let file = try openFixture("hdf5/\(name).h5")
    let dataset = try #require(file.root.dataset("values"))
    #expect(dataset.type.number == format)
    #expect(try floats(of: dataset, in: file) == expectedValues)
  }

  @Test func bfloat16() throws {
    let file = try openFixture("hdf5/bfloat16.h5")
    let opaque = try #require(file.root.dataset("values"))
    guard case .opaque(byteCount: 2, _) = opaque.type else {
      Issue.record("type is \(opaque.type)")
      return
    }
    #expect(opaque.type.number == nil)
    let floatClass = try #require(file.root.dataset("float_class"))
    #expect(floatClass.type.number == NumberFormat(.bfloat16))
    #expect(try floats(of: floatClass, in: file) == expectedValues)
    let bytes = try [opaque, floatClass].map { dataset in
      try file.bytes(of: dataset, maximumBytes: 48).withBytes { Array($0) }
    }
    #expect(bytes[0] == bytes[1])
  }

  @Test(arguments: [
    ("chunked", HDF5Storage.chunked(shape: [1, 2, 3], filters: [])),
    ("chunked_filters", .chunked(shape: [1, 2, 3], filters: [2, 1, 3])),
    ("chunk_single", .chunked(shape: [2, 3, 4], filters: [])),
    ("chunk_fixed", .chunked(shape: [1, 2, 3], filters: [2, 1, 3])),
    ("chunk_extensible", .chunked(shape: [1, 2, 3], filters: [])),
    ("chunk_tree", .chunked(shape: [1, 2, 3], filters: [])),
    ("compact", .compact),
  ])
  func decodedStorage(name: String, storage: HDF5Storage) throws {
    let file = try openFixture("hdf5/\(name).h5")
    let dataset = try #require(file.root.dataset("values"))
    #expect(dataset.storage == storage)
    #expect(try floats(of: dataset, in: file) == expectedValues)
  }

  @Test func shapes() throws {
    let file = try openFixture("hdf5/shapes.h5")
    let scalar = try #require(file.root.dataset("scalar"))
    #expect(scalar.shape == [])
    #expect(try floats(of: scalar, in: file) == [2.5])
    for name in ["empty", "null"] {
      let dataset = try #require(file.root.dataset(name))
      #expect(dataset.byteCount == 0)
      #expect(try file.bytes(of: dataset, maximumBytes: 0).count == 0)
    }
    let filled = try #require(file.root.dataset("filled"))
    #expect(filled.storage == .unallocated)
    #expect(try floats(of: filled, in: file) == [1.25, 1.25, 1.25])
    #expect(file.root.dataset("text")?.type == .string(byteCount: 3))
    #expect(file.root.dataset("texts")?.type == .string(byteCount: nil))
    #expect(file.root.dataset("texts")?.byteCount == nil)
    #expect(try floats(of: #require(file.root.dataset("int8")), in: file) == [-3, -2, -1, 0, 1, 2])
    #expect(
      file.root.dataset("uint16")?.type == .integer(byteCount: 2, isSigned: false, order: .bigEndian))
    guard case .namedType? = file.root[path: "named_type"] else {
      Issue.record("the named type is missing")
      return
    }
  }

  @Test func attributes() throws {
    let attributes = try openFixture("hdf5/attributes.h5").root.attributes
    let expected: [String: HDF5Attribute] = [
      "fixed": .strings(["tensorflow"]),
      "fixed_array": .strings(["conv1", "pool1", "a name with more"]),
      "variable": .strings(["ünïcode"]),
      "variable_array": .strings(["x", "", "kernel:0"]),
      "one_element": .strings(["only"]),
      "empty_floats": .floats([]),
      "empty_strings": .strings([]),
      "nothing": .strings([]),
      "int8": .integers([-5]),
      "int16_big_endian": .integers([1, -2, 300]),
      "uint64": .integers([Int.max]),
      "boolean": .integers([1]),
      "float16": .floats([1.5]),
      "float64": .floats([0.1, -.infinity]),
      "compound": .unreadable("neither text nor numbers"),
      "matrix": .integers([0, 1, 2, 3, 4, 5]),
      "long": .strings([String(repeating: "x", count: 70_000)]),
      "space_padded": .strings(["padded"]),
      "null_terminated": .strings(["padded"]),
    ]
    #expect(attributes == expected)
    #expect(attributes["empty_floats"]?.list == [])
    #expect(attributes["variable_array"]?.list == ["x", "", "kernel:0"])
    #expect(attributes["matrix"]?.list == nil)
    #expect(attributes["fixed"]?.string == "tensorflow")
    #expect(attributes["int8"]?.integer == -5)
  }

  @Test func manyAttributesAndLinks() throws {
    let dense = try openFixture("hdf5/attributes_dense.h5").root.attributes
    #expect(dense.count == 40)
    #expect(dense["attribute_39"] == .integers([39]))
    for name in ["many_links", "many_links_dense"] {
      let file = try openFixture("hdf5/\(name).h5")
      #expect(file.root.names == file.root.names.sorted())
      #expect(file.root.names.count == 300)
      #expect(try floats(of: #require(file.root.dataset("link_299")), in: file) == expectedValues)
    }
  }

  @Test func linksAreListedAndNeverFollowed() throws {
    let file = try openFixture("hdf5/links.h5")
    func link(_ path: String) -> HDF5Link? {
      guard case .link(let link)? = file.root[path: path] else { return nil }
      return link
    }
    #expect(link("soft") == HDF5Link(kind: .soft, target: "/inner/values"))
    #expect(link("soft_to_itself") == HDF5Link(kind: .soft, target: "/soft_to_itself"))
    #expect(link("dangling") == HDF5Link(kind: .soft, target: "/nowhere"))
    #expect(link("external") == HDF5Link(kind: .external, target: "plain_v0.h5"))
    #expect(link("inner/itself") == HDF5Link(kind: .repeated, target: ""))
    #expect(link("inner/root") == HDF5Link(kind: .repeated, target: ""))
    #expect(link("second_name") == HDF5Link(kind: .repeated, target: ""))
    // A data set may well have two names.
    for path in ["twice", "inner/values", "/inner//values"] {
      #expect(try floats(of: #require(file.root.dataset(path)), in: file) == expectedValues)
    }
    #expect(file.root[path: "external/a"] == nil)
    #expect(file.root[path: "nothing"] == nil)
  }

  @Test(arguments: [
    ("vgg_b.h5", "fc1/fc1/kernel:0"), ("vgg_d_digits_full.h5", "model_weights/fc1/fc1/kernel:0"),
    ("vgg_d_digits.weights.h5", "layers/dense/vars/0"),
  ])
  func kerasFiles(name: String, path: String) throws {
    let file = try openFixture("keras/\(name)")
    let dataset = try #require(file.root.dataset(path))
    #expect(dataset.shape == [256, 96])
    #expect(dataset.type.number == .float32)
    #expect(try floats(of: dataset, in: file).contains { $0 != 0 })
  }

  /// A `.keras` archive keeps its weights uncompressed, at no particular offset.
  @Test func aFileInsideAnotherOne() throws {
    let plain = try MappedFile(path: fixture("hdf5/chunked_filters.h5")).bytes.withBytes { Array($0) }
    let padded = ByteRegion(copying: [1, 2, 3] + plain + [4, 5])
    let file = try HDF5File.open(#require(padded.slice(at: 3, count: plain.count)), named: "inner")
    #expect(try floats(of: #require(file.root.dataset("values")), in: file) == expectedValues)
  }

  @Test func aUserBlockAndSomethingBehindTheEnd() throws {
    let plain = try MappedFile(path: fixture("hdf5/plain_v2.h5")).bytes.withBytes { Array($0) }
    let bytes = ByteRegion(copying: [UInt8](repeating: 0xAB, count: 1024) + plain + [9, 9, 9])
    let file = try HDF5File.open(bytes, named: "behind a user block")
    #expect(try floats(of: #require(file.root.dataset("a/b/values")), in: file) == expectedValues)
  }

  /// Every thread may read at the same time, and child processes do not disturb one another.
  @Test func manyAtATime() async throws {
    try await withThrowingTaskGroup { group in
      for index in 0..<24 {
        group.addTask {
          let file = try openFixture("hdf5/chunk_\(index % 2 == 0 ? "fixed" : "tree").h5")
          return try floats(of: #require(file.root.dataset("values")), in: file)
        }
      }
      for try await values in group { #expect(values == expectedValues) }
    }
  }
}
