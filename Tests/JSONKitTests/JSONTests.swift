import JSONKit
import TestSupport
import Testing

@Suite("JSON")
struct JSONTests {
  @Test("Members keep their order, numbers their kind")
  func parsing() throws {
    let text = #" {"z": 1, "a": [1.0, -2e3, true, null, "é\u0000\n\ud83d\ude00"], "m": {}} "#
    let value = try JSONValue(parsing: Array(text.utf8))
    #expect(
      value == [
        "z": 1, "a": [.number(1), .number(-2000), true, .null, "é\u{0}\n😀"], "m": [:],
      ])
    #expect(value["a"]?.array?[1].number == -2000)
    #expect(value["z"]?.integer == 1)
    #expect(value["none"] == nil)
    #expect(try JSONValue(parsing: Array("9223372036854775807".utf8)) == .integer(.max))
    #expect(try JSONValue(parsing: Array("true".utf8)) == true)
  }

  @Test(
    "Text that is not JSON is refused where it is wrong",
    arguments: [
      ("", 0), ("{", 1), ("{\"a\":1,\"a\":2}", 10), ("[1,]", 4), ("[1] x", 5), ("nul", 3), ("\"\u{1}\"", 1),
      ("1e999", 5), ("[9223372036854775808]", 20), ("'a'", 1),
    ])
  func refusals(text: String, offset: Int) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
    #expect(abs((error?.offset ?? .max) - offset) <= 1)
    #expect(error?.problem.isEmpty == false)
  }

  @Test("Invalid UTF-8 is refused")
  func invalidText() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xC3, 0x22]) }
  }

  @Test("Nesting is bounded")
  func depth() throws {
    func nested(_ depth: Int) -> [UInt8] {
      Array(repeating: UInt8(ascii: "["), count: depth) + Array(repeating: UInt8(ascii: "]"), count: depth)
    }
    #expect(throws: Never.self) { try JSONValue(parsing: nested(2000)) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: nested(3000)) }
    #expect(throws: JSONError.self) {
      try JSONValue(parsing: Array(repeating: UInt8(ascii: "["), count: 1_000_000))
    }
  }

  @Test("Written text is read back as the same value")
  func roundTrip() throws {
    let value: JSONValue = [
      "numbers": [
        .number(0.1), .number(-0.0), .number(.leastNonzeroMagnitude), .number(1.7976931348623157e308),
        .integer(.min),
      ],
      "text": "\"\\\u{8}\u{1F}\u{7F}\n\t/é😀", "": [], "nested": ["a": [["b": .null], false]],
    ]
    for text in [value.compact, value.pretty] {
      #expect(try JSONValue(parsing: Array(text.utf8)) == value)
      #expect(!text.unicodeScalars.contains { $0.value == 0x7F || ($0.value < 0x20 && $0 != "\n") })
    }
    #expect(!value.compact.contains("\n"))
  }

  @Test("What JSON cannot say is written as a string")
  func notFinite() {
    let value: JSONValue = [.number(.nan), .number(.infinity), .number(-.infinity)]
    #expect(value.compact == #"["NaN", "Infinity", "-Infinity"]"#)
  }

  @Test("Pretty text has a member a line, and plain arrays on one")
  func pretty() {
    let value: JSONValue = ["a": [1, 2], "b": ["c": true], "d": [["e": 1]], "f": [:]]
    #expect(
      value.pretty == """
        {
          "a": [1, 2],
          "b": {
            "c": true
          },
          "d": [
            {
              "e": 1
            }
          ],
          "f": {}
        }
        """)
  }

  @Test("Damaged text gives a value or an error")
  func damage() {
    let text = Array(#"{"a": [1, 2.5, "x\u00e9"], "b": {"c": null, "d": true}}"#.utf8)
    forEachDamage(of: text, seed: 1) { damaged in _ = try? JSONValue(parsing: damaged) }
  }
}
