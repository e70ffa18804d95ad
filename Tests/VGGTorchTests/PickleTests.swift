import TestSupport
import Testing
import VGGBytes

@testable import VGGTorch

/// The interpreter of pickles: what it builds, and that nothing else gets through.
@Suite struct PickleTests {
  private func read(_ program: [UInt8]) throws -> (PickleValue, PickleHeap) {
    var unpickler = Unpickler(ByteRegion(copying: program), file: "x", start: 100)
    return (try unpickler.next(), unpickler.heap)
  }

  private func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func whatPythonWrites() throws {
    // Every protocol that torch.save can be asked for gives the same values.
    for version in 2...5 {
      let program = try withTemporaryFolder { folder in
        try python(
          """
          import pickle, sys
          from collections import OrderedDict
          value = OrderedDict([('a', (1, -2, 300, 70000, 1 << 40, -(1 << 40), 0.5, True, False, None, 'ä', ())), ('b', [[], {}, [1]])])
          value['b'].append(value['a'])
          sys.stdout.write(pickle.dumps(value, protocol=\(version)).hex())
          """, in: folder)
      }
      let bytes = stride(from: 0, to: program.count, by: 2).map { index -> UInt8 in
        let start = program.index(program.startIndex, offsetBy: index)
        return UInt8(program[start..<program.index(start, offsetBy: 2)], radix: 16) ?? 0
      }
      let (value, heap) = try read(bytes)
      let members = try #require(heap.dictionary(value))
      #expect(members.map(\.key) == [.text("a"), .text("b")])
      let tuple = try #require(heap.sequence(members[0].value))
      #expect(
        tuple.prefix(11) == [
          .integer(1), .integer(-2), .integer(300), .integer(70000), .integer(1 << 40), .integer(-(1 << 40)),
          .real(0.5), .bool(true), .bool(false), .none, .text("ä"),
        ])
      #expect(heap.sequence(tuple[11]) == [])
      let list = try #require(heap.sequence(members[1].value))
      #expect(list.count == 4 && list[3] == members[0].value)
    }
  }

  @Test func whatWouldRunCodeIsNamed() throws {
    let cases: [(program: [UInt8], phrase: String)] = [
      (text("cos\nsystem\n."), "names os.system"), (text("c__builtin__\neval\n."), "names __builtin__.eval"),
      ([0x80, 4, 0x8C, 2] + text("os") + [0x8C, 4] + text("exec") + [0x93, 0x2E], "names os.exec"),
      (text("ctorch\nload\n."), "names torch.load"), (text("(ios\nsystem\n."), "the instruction INST"),
      (text("(o."), "the instruction OBJ"), ([0x80, 2, 0x81, 0x2E], "the instruction NEWOBJ"),
      ([0x82, 1, 0x2E], "the instruction EXT1"), (text("P1\n."), "the instruction PERSID"),
      ([0xFF], "the instruction 0xff"),
    ]
    for (program, phrase) in cases {
      let error = try #require(throws: FileError.self) { try read(program) }
      #expect(error.kind == .unsupported && error.code == "pickle.code")
      #expect(error.description.contains(phrase) && (error.offset ?? 0) >= 100, "\(error)")
    }
  }

  @Test func nonsenseIsRefused() throws {
    let storage = text("(X\u{07}\0\0\0storagectorch\nFloatStorage\nX\u{01}\0\0\00X\u{03}\0\0\0cpuK\u{04}tQ")
    let good =
      text("ctorch._utils\n_rebuild_tensor\n(") + storage + text("K\0K\u{02}K\u{02}") + [0x86]
      + text("K\u{02}K\u{01}") + [0x86] + text("tR.")
    #expect(try read(good).1.tensors.count == 1)
    // The second form says besides what is done to the numbers, which must be nothing.
    func second(_ rest: [UInt8]) -> [UInt8] {
      Array("ctorch._utils\n_rebuild_tensor_v2\n(".utf8) + storage + text("K\0K\u{02}K\u{02}") + [0x86]
        + text("K\u{02}K\u{01}") + [0x86] + rest + text("tR.")
    }
    let hooks = text("ccollections\nOrderedDict\n)R")
    #expect(try read(second([0x89] + hooks)).1.tensors.count == 1)
    #expect(try read(second([0x88] + hooks + text("}"))).1.tensors.count == 1)
    let negative = text("}X\u{03}\0\0\0neg") + [0x88] + text("s")
    for rest in [[], [0x89], [0x89] + hooks + negative, text("N") + hooks, [0x89] + text("K\u{01}")] {
      let error = #expect(throws: FileError.self) { try read(second(rest)) }
      #expect(error?.code == "pickle.tensor")
    }
    let cases: [(program: [UInt8], code: String)] = [
      ([], "pickle.end"), (text("."), "pickle.stack"), (text("t."), "pickle.stack"),
      ([0x85, 0x2E], "pickle.stack"),
      (text("(N") + [0x86, 0x2E], "pickle.stack"), (text("h\0."), "pickle.misuse"),
      (text("q\0."), "pickle.misuse"),
      (text("Na."), "pickle.misuse"), (text("NNa."), "pickle.misuse"), (text("}(Nu."), "pickle.misuse"),
      (text("NNR."), "pickle.misuse"), (text("NNb."), "pickle.misuse"), (text("NQ."), "pickle.misuse"),
      (text("X\u{7F}\u{7F}\u{7F}\u{7F}abc."), "pickle.end"), ([0x80, 9, 0x2E], "pickle.protocol"),
      (text("ccollections\nOrderedDict\n(NtR."), "pickle.misuse"),
      // Outside of the storage: 2x2 numbers from the second of four on; and 5 of 4.
      (
        text("ctorch._utils\n_rebuild_tensor\n(") + storage + text("K\u{01}K\u{02}K\u{02}") + [0x86]
          + text("K\u{02}K\u{01}") + [0x86] + text("tR."), "pickle.tensor"
      ),
      (
        text("ctorch._utils\n_rebuild_tensor\n(") + storage + text("K\0K\u{05}") + [0x85] + text("K\0") + [
          0x85
        ]
          + text("tR."), "pickle.tensor"
      ),
      // A product that overflows.
      (
        text("ctorch._utils\n_rebuild_tensor\n(") + storage + text("K\0") + [0x8A, 8]
          + Array(repeating: 0x7F, count: 8) + [0x8A, 8] + Array(repeating: 0x7F, count: 8) + [0x86]
          + text("K\u{02}K\u{01}") + [0x86] + text("tR."), "pickle.tensor"
      ),
    ]
    for (program, code) in cases {
      let error = try #require(throws: FileError.self) { try read(program) }
      #expect(error.kind == .malformed && error.code == code, "\(error)")
    }
  }

  @Test func whatGrowsWithoutEndIsRefused() throws {
    // A long list that is copied again and again; deep nesting; and circles, which are nothing special.
    let list = text("](") + Array(repeating: UInt8(ascii: "]"), count: 1 << 19) + text("eq\0")
    #expect(try read(list + text(".")).1.lists.count == (1 << 19) + 1)
    // OrderedDict of a list of pairs, copied once for each two bytes.
    let pairs =
      text("(](") + Array(repeating: [0x4E, 0x4E, 0x86], count: 1 << 18).flatMap(\.self) + text("etq\0")
    let copies = Array(repeating: text("ccollections\nOrderedDict\nh\0R"), count: 8).flatMap(\.self)
    #expect(throws: FileError.self) { try read(pairs + copies + text(".")) }
    let tooMany = Array(repeating: UInt8(ascii: "]"), count: (1 << 20) + 1)
    #expect(throws: FileError.self) { try read(tooMany + text(".")) }
    let deep = text(")") + Array(repeating: 0x85, count: 1 << 18) + text(".")
    #expect(try read(deep).1.tuples.count == (1 << 18) + 1)
    #expect(throws: FileError.self) {
      try read(text(")") + Array(repeating: 0x85, count: 1 << 20) + text("."))
    }
    let (value, heap) = try read(text("]q\0h\0a."))
    #expect(heap.sequence(value) == [value])
  }
}
