import Foundation
import TestSupport
import Testing

/// Files that are made to take memory or time without end: refused by name, in little memory, with nothing left behind.
@Suite struct HostileFileTests {
  /// A file, and what the command says of it.
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var message: String
    /// What the command and the process that parses HDF5 may have of private memory together, in MiB.
    var limit = 64
    /// Arguments in the place of `import FILE`.
    var arguments: [String]?
    var write: @Sendable (_ path: String) throws -> Void
    var testDescription: String { name }
  }

  @Test(arguments: caffe + text + hdf5 + archives + native)
  func isRefusedInLittleMemory(_ item: Case) throws {
    try withTemporaryFolder { folder in
      try item.write("\(folder)/\(item.name)")
      let model = "\(folder)/m.vggw"
      let (process, memory) = try MemoryWatch.run(
        item.arguments ?? ["import", item.name, "-o", "m.vggw"], in: folder)
      #expect(!memory.isHung)
      #expect(process.status == 65)
      #expect(process.errorLines.count == 1 && process.output.isEmpty)
      #expect(
        process.errors.hasPrefix("vggconv: \(item.name)") && process.errors.contains(item.message),
        "\(process.errors)")
      #expect(memory.peakPrivateBytes < item.limit << 20, "\(memory.peakPrivateBytes >> 20) MiB")
      // What takes more than others shows that the watch sees what is taken, also by a child.
      if item.limit > 64 { #expect(memory.peakPrivateBytes > 64 << 20 && !memory.descendants.isEmpty) }
      #expect(memory.remaining.isEmpty)
      #expect(!FileManager.default.fileExists(atPath: model))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [item.name])
    }
  }

  /// User case 40 in full size. The weights are a hole in the file, which is as good as any for this.
  @Test func aModelOfFullSizeIsImportedInLittleMemory() throws {
    try withTemporaryFolder { folder in
      try HostileFile.writeSparseVGG16("\(folder)/vgg16.caffemodel")
      let (process, memory) = try MemoryWatch.run(
        ["import", "vgg16.caffemodel", "-o", "m.vggw", "--no-verify"], in: folder)
      #expect(!memory.isHung && process.status == 0, "\(process.errors)")
      #expect(memory.peakPrivateBytes < 64 << 20, "\(memory.peakPrivateBytes >> 20) MiB")
      #expect(process.output.contains("138,357,544"), "\(process.output)")
    }
  }

  // MARK: Caffe

  static let caffe = [
    appended("layers.caffemodel", "more layers or blobs than any VGG", [0xA2, 0x06, 0x00], 1_000_000),
    appended(
      "named_layers.caffemodel", "more layers or blobs than any VGG",
      HostileFile.field(100, HostileFile.field(1, "l") + HostileFile.field(2, "ReLU")), 1_000_000),
    appended("inputs.caffemodel", "more settings than any VGG", [0x1A, 0x00], 1_000_000),
    appended("groups.caffemodel", "groups nested too deeply", HostileFile.tag(999, 3), 1_000_000),
    appended(
      "length.caffemodel", "is cut short", HostileFile.tag(100, 2) + HostileFile.varint(.max), 1000),
    Case(name: "blobs.caffemodel", message: "more layers or blobs than any VGG") { path in
      try HostileFile.write(path, layer(HostileFile.times(500_000, [0x3A, 0x00])))
    },
    Case(name: "axes.caffemodel", message: "impossible shape") { path in
      let axes = HostileFile.field(1, Array(repeating: 1, count: 1 << 20))
      try HostileFile.write(path, layer(HostileFile.field(7, HostileFile.field(7, axes))))
    },
    Case(name: "shape.caffemodel", message: "impossible shape") { path in
      let axes = HostileFile.field(1, HostileFile.times(4, HostileFile.varint(1 << 40)))
      try HostileFile.write(path, layer(HostileFile.field(7, HostileFile.field(7, axes))))
    },
    Case(name: "pieces.caffemodel", message: "wrong shape") { path in
      // A value in each of many fields, as no program writes them.
      let piece = HostileFile.field(5, [0, 0, 0, 0x3F])
      let values = HostileFile.times(200_000, piece)
      let axes = HostileFile.field(7, HostileFile.field(1, HostileFile.varint(200_000)))
      try HostileFile.write(path, layer(HostileFile.field(7, values + axes)))
    },
    Case(name: "name.caffemodel", message: "more settings than any VGG") { path in
      try HostileFile.write(path, layer(HostileFile.field(1, Array(repeating: 0x78, count: 20 << 20))))
    },
  ]

  private static func layer(_ fields: [UInt8]) -> [UInt8] {
    HostileFile.field(1, "net")
      + HostileFile.field(100, HostileFile.field(1, "conv1_1") + HostileFile.field(2, "Convolution") + fields)
  }

  private static func appended(_ name: String, _ message: String, _ bytes: [UInt8], _ count: Int) -> Case {
    Case(name: name, message: message) { path in
      try HostileFile.write(path, HostileFile.caffemodel(), repeating: bytes, count: count)
    }
  }

  // MARK: Text

  static let text = [
    index("values.weights.json", "more than 262144 values", "{\"weight_map\": [", "[],", 300_000),
    index("nested.weights.json", "not JSON", "{\"weight_map\": ", "[", 100_000),
    index("long.weights.json", "too large for an index", "{", " ", 5 << 20),
    prototxt("long.prototxt", "too long for a network's description", "layer { name: \"a\" }\n", 500_000),
    prototxt("layers.prototxt", "more layers or blobs than any VGG", "layer { }\n", 100_000),
    prototxt("inputs.prototxt", "more settings than any VGG", "input: \"\"\n", 200_000),
    prototxt("nested.prototxt", "nested too deeply", "layer {", 200_000),
    prototxt("unknown.prototxt", "nested too deeply", "x { ", 200_000),
  ]

  private static func index(
    _ name: String, _ message: String, _ start: String, _ text: String, _ count: Int
  ) -> Case {
    Case(name: name, message: message) { path in
      try HostileFile.write(path, Array(start.utf8), repeating: Array(text.utf8), count: count)
    }
  }

  private static func prototxt(_ name: String, _ message: String, _ text: String, _ count: Int) -> Case {
    let arguments = ["import", fixture("bad/control_ok.caffemodel"), "--prototxt", name, "-o", "m.vggw"]
    return Case(name: name, message: message, arguments: arguments) { path in
      try HostileFile.write(path, [], repeating: Array(text.utf8), count: count)
    }
  }

  // MARK: HDF5

  static let hdf5 = [
    copy("shape_contiguous", "impossible number of channels"),
    copy("shape_chunked", "impossible number of channels"),
    copy("virtual", "stored in other files"),
    copy("external", "stored in other files"),
    copy("cycle", "links are never followed"),
    copy("deep", "groups over 64 deep"),
    copy("attribute_bomb_texts", "belongs to no layer of a VGG"),
    copy("attribute_bomb_numbers", "takes over 16 MiB"),
    copy("chunk_bomb", "chunks that are larger than itself"),
    copy("deflate_bomb", "never written"),
    // In a file that is large enough to hold it, a chunk is unpacked, but only as far as the limit lets it.
    Case(name: "deflate_bomb_in_a_large_file.h5", message: "not a well-formed HDF5 file", limit: 1088) {
      path in
      try HostileFile.extend("hostile/deflate_bomb.h5", to: 2 << 20, at: path)
    },
  ]

  private static func copy(_ name: String, _ message: String) -> Case {
    Case(name: "\(name).h5", message: message) { path in
      try FileManager.default.copyItem(atPath: fixture("hostile/\(name).h5"), toPath: path)
    }
  }

  // MARK: Archives

  static let archives = [
    archive("nested.keras", "not JSON") {
      [.init("config.json", stored: HostileFile.times(100_000, Array("[".utf8)))]
    },
    archive("values.keras", "more than 262144 values") {
      [.init("config.json", stored: HostileFile.times(270_000, Array("[],".utf8)))]
    },
    archive("text.keras", "too large") { [.init("config.json", matches: 20_000)] },
    archive("name.keras", "leads out of the archive") { [.init("../config.json", stored: [])] },
    archive("members.keras", "not a .keras file") { (0..<20_000).map { .init("m\($0)", stored: []) } },
    Case(name: "bomb.keras", message: "unpacks to far more") { path in
      let configuration = Array(#"{"class_name": "Sequential", "config": {"layers": []}}"#.utf8)
      try HostileFile.write(
        path,
        HostileFile.zip([
          .init("config.json", stored: configuration), .init("model.weights.h5", matches: 8_000_000),
        ]))
    },
    Case(
      name: "bomb.npz", message: "unpacks to far more",
      arguments: ["run", fixture("native/vgg_a_lrn_1.0.vggw"), "bomb.npz"]
    ) { path in
      try HostileFile.write(path, HostileFile.zip([.init("input.npy", matches: 8_000_000)]))
    },
  ]

  private static func archive(
    _ name: String, _ message: String, _ members: @escaping @Sendable () -> [HostileFile.Member]
  ) -> Case {
    let weights: [UInt8] = [0x89] + Array("HDF\r\n\u{1A}\n".utf8)
    return Case(name: name, message: message) { path in
      try HostileFile.write(
        path, HostileFile.zip(members() + [.init("model.weights.h5", stored: weights)]))
    }
  }

  // MARK: Native files

  static let native = [1, 3, 100].map { field in
    Case(
      name: "manifest_\(field).vggw", message: "is not a protobuf message",
      arguments: ["inspect", "manifest_\(field).vggw"]
    ) { path in
      // Millions of empty messages, each of which takes a hundred times its place in memory.
      let tag = HostileFile.field(field, [])
      try HostileFile.writeNative(
        path, manifest: HostileFile.times((16 << 20) / tag.count, tag))
    }
  }
}
