import Foundation
import JSONKit
import TestSupport

/// As much of JSON Schema as the schemas of this package use.
struct JSONSchema {
  private let root: JSONValue

  init(_ name: String) throws {
    let data = try Data(contentsOf: URL(filePath: "\(packageRoot)/schemas/\(name)"))
    root = try JSONValue(parsing: Array(data))
  }

  /// What is wrong with a value; nothing where it fits.
  func problems(of value: JSONValue) -> [String] { problems(value, root, "$") }

  private func problems(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
    if let reference = schema["$ref"]?.string {
      let target = reference.dropFirst(2).split(separator: "/").reduce(Optional(root)) { $0?[String($1)] }
      return target.map { problems(value, $0, path) } ?? ["\(path): no schema \(reference)"]
    }
    var found: [String] = []
    if let types = schema["type"].map({ $0.array ?? [$0] })?.compactMap(\.string),
      !types.contains(where: value.isOfType)
    {
      found.append("\(path): is no \(types)")
    }
    if let choices = schema["enum"]?.array, !choices.contains(value) {
      found.append("\(path): is none of the choices")
    }
    if let minimum = schema["minimum"]?.number, let number = value.number, number < minimum {
      found.append("\(path): is below \(minimum)")
    }
    if let choices = schema["oneOf"]?.array {
      let fitting = choices.count { problems(value, $0, path).isEmpty }
      if fitting != 1 { found.append("\(path): fits \(fitting) of the alternatives") }
    }
    if let members = value.object {
      let properties = schema["properties"]
      for name in schema["required"]?.array?.compactMap(\.string) ?? [] where value[name] == nil {
        found.append("\(path).\(name): is missing")
      }
      for (name, member) in members {
        if let inner = properties?[name] {
          found += problems(member, inner, "\(path).\(name)")
        } else if schema["additionalProperties"]?.bool == false {
          found.append("\(path).\(name): is not known")
        }
      }
    }
    if let items = schema["items"], let elements = value.array {
      for (index, element) in elements.enumerated() { found += problems(element, items, "\(path)[\(index)]") }
    }
    return found
  }
}

extension JSONValue {
  fileprivate func isOfType(_ name: String) -> Bool {
    switch (self, name) {
    case (.null, "null"), (.bool, "boolean"), (.integer, "integer"), (.integer, "number"),
      (.number, "number"),
      (.string, "string"), (.array, "array"), (.object, "object"):
      true
    default: false
    }
  }
}
