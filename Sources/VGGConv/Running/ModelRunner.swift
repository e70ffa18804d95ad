public import VGGBytes
public import VGGEngine
internal import VGGInterchange
internal import VGGModel
internal import VGGTensors

/// Runs a model on pictures and arrays, one file after the other.
public struct ModelRunner {
  /// What is run.
  public let opened: OpenedModel
  private let inputOptions: InputOptions
  private var engineOptions: EngineOptions
  /// Prepared for the first input.
  private var engine: (any Engine)?

  /// Chooses how a model is run; nothing is prepared yet.
  public init(
    _ opened: OpenedModel, inputs: InputOptions = InputOptions(), engine: EngineOptions = EngineOptions()
  ) {
    (self.opened, inputOptions, engineOptions) = (opened, inputs, engine)
  }

  /// Reads a picture, or an array of preprocessed ones; the content of the file says which.
  public func read(_ path: String) throws(FileError) -> ModelInput {
    try InputReader(
      model: opened.model, options: inputOptions, scratchFolder: opened.options.scratchFolder
    ).read(path)
  }

  /// Runs the model.
  ///
  /// - Parameters:
  ///   - input: What to run it on.
  ///   - activationsPath: Where to write every layer's output, NHWC and after its ReLU, as `.npz`.
  ///   - overwrites: Whether a file of that name is replaced.
  public mutating func run(
    _ input: ModelInput, savingActivationsTo activationsPath: String? = nil, overwrites: Bool = false
  ) throws(FileError) -> ModelOutput {
    do throws(EngineError) {
      let engine = try preparedEngine(for: input)
      var saved: [NamedArray] = []
      let output: EngineOutput
      if let activationsPath {
        let network = opened.model.network
        output = try engine.run(input.batch) { layer, values in
          saved.append(
            NamedArray(
              name: activationName(layer, in: network), shape: values.arrayShape, values: values.values))
        }
        do throws(FileError) {
          try NumPyArchive.write(saved, to: activationsPath, overwrite: overwrites)
        } catch {
          throw .tap(error)
        }
      } else {
        output = try engine.run(input.batch)
      }
      return ModelOutput(
        input: input, output: output, average: try output.spatialAverage(), labels: opened.model.labels)
    } catch {
      throw FileError(error, file: opened.path)
    }
  }

  /// Reads a file and runs the model on it.
  public mutating func run(_ path: String) throws(FileError) -> ModelOutput { try run(read(path)) }

  /// The engine; the first input says what it is prepared for.
  private mutating func preparedEngine(for input: ModelInput) throws(EngineError) -> any Engine {
    if let engine { return engine }
    engineOptions.extent = input.batch.shape.extent
    let prepared = try engineOptions.engine(for: opened.model)
    engine = prepared
    return prepared
  }

  /// A layer's name in files of activations: its own, but the scores in front of `prob` are `logits`.
  private func activationName(_ layer: Layer, in network: Network) -> String {
    network.layers.last?.name == "prob" && layer == network.layers.dropLast().last ? "logits" : layer.name
  }
}

extension FeatureMap {
  /// The shape as an array: dense outputs are [N, classes], maps [N, H, W, C].
  public var arrayShape: [Int] {
    shape.extent == Extent(side: 1)
      ? [count, shape.channels] : [count, shape.extent.height, shape.extent.width, shape.channels]
  }
}
