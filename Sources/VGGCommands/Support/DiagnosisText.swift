internal import VGGModel
internal import VGGVerify

/// What a diagnosis says to people: what is wrong, and the command that mends it.
struct DiagnosisText {
  let diagnosis: Diagnosis
  /// The paths of the two files.
  let source: String
  let model: String
  /// Whether it is a recording that says so, and not the source.
  let isAgainstRecording: Bool
  /// The source as it was imported, with what was decided then.
  private let imported: Model

  init(_ report: VerificationReport, _ diagnosis: Diagnosis) {
    self.diagnosis = diagnosis
    (source, model) = (report.sourcePath, report.modelPath)
    isAgainstRecording =
      report.verification.recorded.contains { !$0.passes }
      && report.verification.layers.allSatisfy(\.passes)
    imported = report.source
  }

  /// `kernels are turned by 180 degrees (conv1_1 and 12 more)`
  var explanation: String { "\(mistake) (\(place))" }

  private var place: String {
    let layers = diagnosis.layers
    return layers.count == 1 ? layers[0] : "\(layers[0]) and \(layers.count - 1) more"
  }

  private var mistake: String {
    switch diagnosis.change {
    case .rotatedKernels: "kernels are turned by 180 degrees"
    case .transposedKernels: "rows and columns of the kernels are exchanged"
    case .reversedInputChannels: "the input channels are in reverse order, RGB for BGR"
    case .flattenedByChannel:
      "the inputs are in the order channel, row, column where row, column, channel is right"
    case .flattenedByPixel:
      "the inputs are in the order row, column, channel where channel, row, column is right"
    case .transposedDense: "inputs and outputs are exchanged"
    case .shiftedBias(let distance): "the bias is shifted by \(distance)"
    case .missingBias, .bias: "the bias is missing"
    case .exchanged(let other): "weights and bias are those of \(other)"
    case .permutedOutputs(let order): "output channels are in another order\(movedText(order))"
    case .rounding(let rounding): "the pooling must round \(rounding == .floor ? "down" : "up")"
    case .normalization(let constants):
      "the constants must be \(constantsText(constants)) (size, alpha, beta, k in Caffe's terms)"
    case .flippedBit, .zeroedRow, .truncated, .scaled, .exchangedScales, .scaledGroup, .transposedGroups,
      .shiftedZeroPoint, .missingZeroPoints, .exchangedNibbles, .saturated, .zeroedWeight, .exchangedZero,
      .exchangedRows:
      "values are damaged"
    }
  }

  private func movedText(_ order: [Int]) -> String {
    let moved = order.indices.filter { order[$0] != $0 }
    guard let first = moved.first else { return "" }
    return ": \(moved.count) are elsewhere, \(first) is at \(order[first])"
  }

  private func constantsText(_ constants: LocalResponseNormalization) -> String {
    let alpha = constants.scale * Double(constants.size)
    return "\(constants.size),\(alpha),\(constants.beta),\(constants.k)"
  }

  /// The command that mends it: the import with another decision where a recording says so, else the import again; nil
  /// where the source itself is wrong and no option of the import makes it right.
  var command: String? {
    let command = "vggconv import \(source) -o \(model) --force"
    guard isAgainstRecording else { return command }
    return otherDecision.map { "\(command) \($0)" }
  }

  private var otherDecision: String? {
    switch diagnosis.change {
    case .rotatedKernels:
      "--kernel-flip \(imported.provenance.decisions.contains { $0.kind == .kernelFlip(true) } ? "no" : "yes")"
    case .reversedInputChannels:
      "--channel-order \(imported.preprocessing?.channelOrder == .rgb ? "bgr" : "rgb")"
    case .flattenedByChannel: "--flatten-order chw"
    case .flattenedByPixel: "--flatten-order hwc"
    case .rounding: "--prototxt deploy.prototxt"
    case .normalization(let constants): "--lrn \(constantsText(constants))"
    default: nil
    }
  }
}
