internal import CommandLineKit
internal import VGGModel
internal import VGGTensors

extension Architecture {
  /// The names of the networks of the paper that a command takes instead of a file.
  static let names = allCases.map(\.rawValue) + ["vgg11", "vgg13", "vgg16", "vgg19"]

  /// A network by the paper's letter or by its number of layers.
  static func named(_ name: String) -> Architecture? {
    let numbers: [String: Architecture] = ["VGG11": .a, "VGG13": .b, "VGG16": .d, "VGG19": .e]
    let upper = name.uppercased().replacing("-", with: "")
    return numbers[upper]
      ?? allCases.first {
        $0.rawValue == name.uppercased() || $0.rawValue.replacing("-", with: "") == upper
      }
  }
}

/// An input that the user chose and that does not fit is a mistake in the command line.
func fitting<Result>(
  _ extent: Extent, _ body: (Extent) throws(ShapeError) -> Result
) throws(UsageError) -> Result {
  do throws(ShapeError) {
    return try body(extent)
  } catch {
    throw UsageError("an input of \(extent) does not fit: \(error)")
  }
}
