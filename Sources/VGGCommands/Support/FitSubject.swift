internal import CommandLineKit
internal import VGGBoards
internal import VGGConv
internal import VGGModel
internal import VGGTensors

/// What `fit` was asked about.
struct FitSubject {
  /// The network.
  let network: Network
  /// How it is made, for a processor and a window.
  private(set) var build: BoardBuild
  /// What makes a model of it that computes in integers, in order; nothing where it does.
  let preparation: [String]
  /// What that model is called.
  let modelName: String

  /// Opens a file, or takes a network of the paper.
  init(_ name: String, _ build: BoardBuild, _ arguments: Arguments, _ console: Console) throws {
    self.build = build
    if let named = Architecture.named(name) {
      let extent = arguments[ModelOptions.inputExtent] ?? Extent(side: 224)
      network = try fitting(extent) { (extent) throws(ShapeError) in try Network(named, inputExtent: extent) }
      modelName = "MODEL.vggw"
      preparation = [quantization(of: "FLOAT.vggw", to: modelName)]
      return
    }
    let opened = try OpenedModel(name, ModelOptions.sourceOptions(arguments), console)
    network = opened.model.network
    self.build.labels = opened.model.labels
    self.build.preparesPictures = opened.model.preprocessing != nil
    if let arithmetic = opened.model.integerArithmetic {
      self.build.rounding = arithmetic.rounding
      self.build.keptDenseFraction = try opened.model.keptDenseFraction()
      (modelName, preparation) = (name, [])
      return
    }
    let native = opened.native == nil ? name.replacingExtension(by: ".vggw") : name
    modelName = native.replacingExtension(by: "-int8.vggw")
    preparation =
      (opened.native == nil ? ["vggconv import \(word(name)) -o \(word(native))"] : [])
      + [quantization(of: native, to: modelName)]
  }
}

private func quantization(of model: String, to output: String) -> String {
  "vggconv quantize \(word(model)) --to int8 --activations int8 --rounding tflm --calibrate PICTURES -o \(word(output))"
}

extension Remedy {
  /// The commands that do it, to a model of a name.
  func commands(model: String) -> [String] {
    let name = model.replacingExtension(by: "")
    switch step {
    case .readWeights(let window):
      return [
        "vggconv export \(word(model)) --to c --window \(window) --ram \(needs.arenaByteCount) -o \(word(name))"
      ]
    case .pruneDense(let fraction):
      return ["vggconv prune \(word(model)) --fc \(fraction) -o \(word(name + "-pruned.vggw"))"]
    case .dropDense:
      return ["vggconv prune \(word(model)) --drop-fc -o \(word(name + "-features.vggw"))"]
    }
  }

  /// What it changes, and what that costs.
  var text: String {
    switch step {
    case .readWeights(let window):
      "read the weights from elsewhere, \(window) bytes at a time: the same bits, and the time that reading takes"
    case .pruneDense(let fraction):
      "drop the smallest \(Format.percent(fraction, decimals: 0)) of the dense layers' weights: 'prune' says what it costs"
    case .dropDense: "end in front of the dense layers: features, not classes"
    }
  }
}

/// A word of a command line that a shell takes as it is.
private func word(_ text: String) -> String {
  let isPlain = text.unicodeScalars.allSatisfy {
    ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
      || "+-./_=:@%".unicodeScalars.contains($0)
  }
  return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
}
