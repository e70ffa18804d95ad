public import VGGBytes
public import VGGEngine
public import VGGModel

/// What a model's layers put out for pictures like those that it is made for.
///
/// Each picture is run once. All that is kept are a histogram and the means of the channels for each layer; both are the same for
/// every number of threads and every division into batches.
public struct Calibration: Sendable {
  /// The network that was run.
  public let network: Network
  /// The number of pictures.
  public let pictureCount: Int
  /// What goes into the network, under the name ``inputName``, then what each layer puts out, in order: behind its ReLU.
  public let layers: [LayerActivations]
  /// What the user should know about the pictures.
  public let warnings: [CalibrationWarning]
  /// The model's source, for errors.
  private let file: String

  /// What the network's input is called among the layers.
  public static let inputName = "input"

  /// Runs a model on pictures.
  ///
  /// - Parameters:
  ///   - model: The model, with the weights that it had before quantisation.
  ///   - pictures: The pictures; a layer's outputs for one batch are in memory at a time.
  ///   - options: How the network is run.
  ///   - progress: Is told the number of pictures that were done since the last call.
  /// - Throws: `malformed` where there are no pictures, or a layer puts out NaN or infinity; what reading them throws.
  public init(
    of model: Model, on pictures: PictureBatches, engine options: EngineOptions = EngineOptions(),
    progress: (Int) -> Void = { _ in }
  ) throws(FileError) {
    let file = model.provenance.sourceName
    var (layers, tally): ([LayerActivations], PictureTally) = ([], PictureTally())
    do throws(EngineError) {
      let engine = try options.engine(for: model)
      for index in 0..<pictures.count {
        let input = try pictures.batch(index)
        guard input.count > 0 else { continue }
        var place = 0
        func add(_ name: String, _ map: FeatureMap) throws(FileError) {
          if tally.count == 0 {
            layers.append(LayerActivations(name: name, channelCount: map.shape.channels))
          }
          if let picture = layers[place].add(map) {
            throw FileError(
              .malformed, code: "calibrate.nonfinite", file: file,
              "computes values that are no numbers, so no scale suits them", place: "layer \(name)",
              seen: "picture \(tally.count + picture)", allowed: "finite numbers",
              advice: name == Self.inputName ? nil : "look for NaN or infinity among the weights")
          }
          place += 1
        }
        do throws(FileError) { try add(Self.inputName, input) } catch { throw .input(error) }
        _ = try engine.run(input) { layer, output in try add(layer.name, output) }
        tally.add(input)
        progress(input.count)
      }
    } catch {
      throw FileError(error, file: file)
    }
    try tally.requireAny(for: file)
    (self.network, self.pictureCount, self.layers, self.file) = (model.network, tally.count, layers, file)
    warnings =
      tally.warnings
      + layers.filter { $0.histogram.zeroCount == $0.histogram.count }.map { .alwaysZero($0.name) }
  }

  /// What is known of a layer, or of the input.
  public func layer(_ name: String) -> LayerActivations? { layers.first { $0.name == name } }

  /// The integers of the input and of all layers.
  ///
  /// Poolings keep those of their input, for their outputs are inputs or means of these; behind a softmax or sigmoid they are
  /// `ActivationQuantization/probabilities`. All others are those that cover the range of the rule.
  ///
  /// - Throws: `unsupported` where a layer's range is so small that its scale would be subnormal, naming the layer.
  public func quantizations(by rule: ActivationRangeRule) throws(FileError) -> CalibratedActivations {
    var calibrated: [CalibratedActivations.Layer] = []
    for (index, layer) in layers.enumerated() {
      let (range, quantization): (ActivationRange, ActivationQuantization)
      switch index == 0 ? nil : network.layers[index - 1].operation {
      case .pooling: (range, quantization) = (calibrated[index - 1].range, calibrated[index - 1].quantization)
      case .softmax, .sigmoid:
        (range, quantization) = (ActivationRange(low: 0, high: 255 / 256), .probabilities)
      case .convolution, .dense, .normalization, nil:
        range = layer.histogram.range(by: rule)
        guard let covering = ActivationQuantization(covering: range) else {
          throw FileError(
            .unsupported, code: "calibrate.range", file: file,
            "has outputs that are too small for int8: their scale would be subnormal",
            place: "layer \(layer.name)", seen: "\(range.low) to \(range.high)",
            allowed: "a range of at least \(255 * Float.leastNormalMagnitude)")
        }
        quantization = covering
      }
      let histogram = layer.histogram
      calibrated.append(
        CalibratedActivations.Layer(
          name: layer.name, range: range, quantization: quantization,
          clippedFraction: Double(histogram.count(outside: range)) / Double(histogram.count)))
    }
    return CalibratedActivations(rule: rule, layers: calibrated)
  }
}

/// The integers that calibration found for a model's layers.
public struct CalibratedActivations: Equatable, Sendable {
  /// The integers of a layer, or of the input.
  public struct Layer: Equatable, Sendable {
    /// The layer's name, or ``Calibration/inputName``.
    public let name: String
    /// The range that the rule gave.
    public let range: ActivationRange
    /// The integers that cover it.
    public let quantization: ActivationQuantization
    /// The part of the values that lie outside the range.
    public let clippedFraction: Double
  }

  /// How the ranges were found.
  public let rule: ActivationRangeRule
  /// The input and all layers, in order.
  public let layers: [Layer]

  /// The integers of each layer, and of the input, by name.
  public var quantizations: [String: ActivationQuantization] {
    Dictionary(uniqueKeysWithValues: layers.map { ($0.name, $0.quantization) })
  }
}

/// What the user should know about the pictures that a model was calibrated with.
public enum CalibrationWarning: Equatable, Sendable, CustomStringConvertible {
  /// There is one only: its ranges need not be those of others.
  case singlePicture
  /// Each picture, and all together, have one colour, such as black: nothing is known of real ones.
  case uniformPictures
  /// A layer, or the input, gives zeros only: its scale of 1 is arbitrary.
  case alwaysZero(String)

  /// One line for people.
  public var description: String {
    switch self {
    case .singlePicture: "there is one picture only: the ranges may not suit others"
    case .uniformPictures: "all pictures have the same single colour: the ranges will not suit others"
    case .alwaysZero(let name): "layer \(name) gives zeros only: its scale is arbitrary"
    }
  }
}
