internal import VGGBytes
internal import VGGInterchange
internal import VGGProtobuf

/// An operation.
struct ONNXNode {
  /// An attribute as it stands in the file.
  struct Attribute {
    var float: Float?
    var integer: Int?
    var string: String?
    var integers: [Int] = []
    var floats: [Float] = []
    /// A tensor, as a message.
    var tensor: Range<Int>?
  }

  private(set) var name = ""
  /// The operator.
  private(set) var type = ""
  /// Whose operator it is; empty: ONNX's own.
  private(set) var domain = ""
  private(set) var inputs: [String] = []
  private(set) var outputs: [String] = []
  private(set) var attributes: [String: Attribute] = [:]
  /// Where it begins in the file.
  let offset: Int

  /// The most inputs, outputs, attributes and numbers in one of these.
  private static let mostParts = 256

  /// Reads a NodeProto.
  init(_ range: Range<Int>, _ file: ONNXFile) throws(FileError) {
    offset = range.lowerBound
    var reader = file.reader(range, "a node")
    var count = 0
    while let field = try reader.next() {
      guard let range = field.range else { continue }
      count += 1
      guard count <= ONNXNode.mostParts else {
        throw file.unsupported(
          "limit", "has a node with more parts than any of a VGG", at: offset, place: "node \(name)",
          allowed: "at most \(ONNXNode.mostParts)")
      }
      switch field.number {
      case ONNXField.Node.input: inputs.append(try file.text(range, "an input"))
      case ONNXField.Node.output: outputs.append(try file.text(range, "an output"))
      case ONNXField.Node.name: name = try file.text(range, "a node's name")
      case ONNXField.Node.type: type = try file.text(range, "a node's operator")
      case ONNXField.Node.domain: domain = try file.text(range, "a node's domain")
      case ONNXField.Node.attribute:
        let (name, attribute) = try ONNXNode.attribute(range, file)
        guard attributes.updateValue(attribute, forKey: name) == nil else {
          throw file.malformed(
            "attribute", "has a node with an attribute that is there twice", at: range.lowerBound,
            place: "node \(self.name)", seen: name)
        }
      default: continue
      }
    }
    if name.isEmpty { name = outputs.first ?? "" }
  }

  private static func attribute(
    _ range: Range<Int>, _ file: ONNXFile
  ) throws(FileError) -> (name: String, Attribute) {
    var name = ""
    var attribute = Attribute()
    var reader = file.reader(range, "an attribute")
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (ONNXField.Attribute.name, .bytes(let range)): name = try file.text(range, "an attribute's name")
      case (ONNXField.Attribute.float, .fixed32(let offset)): attribute.float = file.float(at: offset)
      case (ONNXField.Attribute.integer, .varint): attribute.integer = field.integer
      case (ONNXField.Attribute.string, .bytes(let range)):
        attribute.string = try file.text(range, "the attribute \(name)")
      case (ONNXField.Attribute.tensor, .bytes(let range)): attribute.tensor = range
      case (ONNXField.Attribute.floats, .fixed32(let offset)):
        if let number = file.float(at: offset) { attribute.floats.append(number) }
      case (ONNXField.Attribute.floats, .bytes(let range)):
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 4).prefix(mostParts + 1) {
          if let number = file.float(at: offset) { attribute.floats.append(number) }
        }
      case (ONNXField.Attribute.integers, .varint(let number)):
        attribute.integers.append(Int(truncatingIfNeeded: number))
      case (ONNXField.Attribute.integers, .bytes(let range)):
        var packed = file.reader(range, "the attribute \(name)")
        while !packed.isAtEnd, attribute.integers.count <= mostParts {
          attribute.integers.append(Int(truncatingIfNeeded: try packed.varint()))
        }
      default: continue
      }
      guard max(attribute.integers.count, attribute.floats.count) <= mostParts else {
        throw file.unsupported(
          "limit", "has an attribute with more numbers than any of a VGG", at: range.lowerBound,
          place: "the attribute \(name)", allowed: "at most \(mostParts)")
      }
    }
    return (name, attribute)
  }

  /// Whether operators of a domain are ONNX's own.
  static func isStandard(_ domain: String) -> Bool { domain.isEmpty || domain == "ai.onnx" }

  /// What errors call it.
  var place: String { "node \(name) (\(ONNXNode.isStandard(domain) ? type : "\(domain).\(type)"))" }

  /// The name of an input; nil where it is left out.
  func input(_ index: Int) -> String? {
    index < inputs.count && !inputs[index].isEmpty ? inputs[index] : nil
  }

  /// The value of an attribute, or what it is where it is left out.
  func integer(_ name: String, otherwise value: Int) -> Int { attributes[name]?.integer ?? value }

  /// The value of an attribute, or what it is where it is left out.
  func float(_ name: String, otherwise value: Float) -> Float { attributes[name]?.float ?? value }

  /// The numbers of an attribute; nil where it is left out.
  func integers(_ name: String) -> [Int]? { attributes[name]?.integers }
}

extension ONNXFile {
  fileprivate func float(at offset: Int) -> Float? {
    bytes.integer(at: offset, as: UInt32.self).map { Float(bitPattern: $0) }
  }
}
