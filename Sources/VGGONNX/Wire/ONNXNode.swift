internal import VGGBytes
internal import VGGInterchange
internal import VGGProtobuf

/// An operation.
struct ONNXNode {
  /// The types of attributes that a VGG has, by their numbers in `onnx.proto`.
  enum AttributeType: Int {
    case float = 1
    case integer = 2
    case string = 3
    case tensor = 4
    case floats = 6
    case integers = 7
  }

  /// An attribute as it stands in the file.
  struct Attribute {
    /// The type that it states; 0: none, as in files of 2017.
    var type: Int?
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
    try requireDefined(file)
  }

  /// Refuses what the operator's definition does not have.
  private func requireDefined(_ file: ONNXFile) throws(FileError) {
    guard ONNXNode.isStandard(domain), let definition = ONNXOperator(named: type) else { return }
    func refusal(_ seen: String, _ allowed: String) -> FileError {
      file.malformed(
        "attribute", "has a node that is not as its operator is defined", at: offset, place: place,
        seen: seen, allowed: allowed)
    }
    for (name, attribute) in attributes.sorted(by: { $0.key < $1.key }) {
      guard let type = definition.attributes[name] else {
        throw refusal(
          "the attribute \(name)", definition.attributes.keys.sorted().joined(separator: ", "))
      }
      guard attribute.fits(type) else {
        throw refusal("the attribute \(name) of another type", "\(type)")
      }
    }
    guard inputs.count <= definition.inputCount, outputs.count <= definition.outputCount else {
      throw refusal(
        "\(inputs.count) inputs and \(outputs.count) outputs",
        "at most \(definition.inputCount) and \(definition.outputCount)")
    }
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
      case (ONNXField.Attribute.type, .varint):
        guard attribute.type == nil else {
          throw file.malformed(
            "attribute", "has an attribute of two types", at: range.lowerBound, place: "the attribute \(name)"
          )
        }
        attribute.type = field.integer
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
    attribute.addZero()
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

extension ONNXNode.Attribute {
  /// Writers leave out numbers that are 0 and texts that are empty.
  fileprivate mutating func addZero() {
    switch type.flatMap(ONNXNode.AttributeType.init) {
    case .float: float = float ?? 0
    case .integer: integer = integer ?? 0
    case .string: string = string ?? ""
    case .tensor, .floats, .integers, nil: break
    }
  }

  /// Whether it has a value of a type, and of no other.
  fileprivate func fits(_ type: ONNXNode.AttributeType) -> Bool {
    guard self.type == nil || self.type == type.rawValue else { return false }
    let values: [ONNXNode.AttributeType: Bool] = [
      .float: float != nil, .integer: integer != nil, .string: string != nil, .tensor: tensor != nil,
      .floats: !floats.isEmpty, .integers: !integers.isEmpty,
    ]
    // Lists may be empty, where the type is stated.
    let isThere = values[type] == true || self.type != nil && (type == .integers || type == .floats)
    return isThere && !values.contains { $0.key != type && $0.value }
  }
}

extension ONNXFile {
  fileprivate func float(at offset: Int) -> Float? {
    bytes.integer(at: offset, as: UInt32.self).map { Float(bitPattern: $0) }
  }
}
