internal import VGGBytes
public import VGGEngine
internal import VGGModel
internal import VGGVerify

/// What a model is judged with: generated pictures, and what somebody gives.
public struct JudgementInputs {
  /// Pictures that are judged layer by layer: the generated ones and what was given, file by file.
  public private(set) var pictures: [FeatureMap]
  /// What they are called, in order.
  public private(set) var names: [String]
  /// The files of labelled data, of which only outputs are compared.
  public private(set) var dataPaths: [String] = []
  /// The images of these.
  private(set) var data = PictureBatches.none

  /// Generates pictures for a source and reads those that are given, preprocessed as the source says.
  ///
  /// - Parameters:
  ///   - source: What is judged against.
  ///   - options: What is given.
  ///   - calibration: Pictures that the model was calibrated with; some of them are judged with.
  ///   - file: The judged model's path, for errors.
  init(
    for source: OpenedModel, _ options: JudgingOptions, calibration: PictureSet? = nil, file: String
  ) throws(FileError) {
    let model = source.model
    do throws(EngineError) {
      pictures = [
        try VerificationInputs.generated(
          for: model.network, preprocessing: model.preprocessing, seed: options.seed)
      ]
    } catch {
      throw FileError(error, file: file)
    }
    names = VerificationInputs.names
    let reader = InputReader(
      model: model, options: InputOptions(resizing: options.resizing),
      scratchFolder: source.options.scratchFolder)
    if let calibration { add(calibration.sample) }
    for path in options.inputs {
      if let labelled = try PictureSet(labelledIn: path, for: reader) {
        add(labelled.batches)
        dataPaths.append(path)
        continue
      }
      let batch = try reader.read(path).batch
      pictures.append(batch)
      names += batch.count == 1 ? [path] : (1...batch.count).map { "\(path) [\($0)]" }
    }
  }

  /// The number of generated batches in front that need not be judged with, because others are there that tell more: none
  /// where all of these have one colour, for which almost any model gives the same.
  func replaceableCount() throws(FileError) -> Int {
    for batch in pictures.dropFirst() where !ColourSpread(batch).isUniform { return 1 }
    guard data.count > 0 else { return 0 }
    do throws(EngineError) {
      return ColourSpread(try data.batch(0)).isUniform ? 0 : 1
    } catch {
      throw FileError(error, file: dataPaths.first ?? "")
    }
  }

  /// What a source gives for all that the outputs of models that are made of it are compared for.
  ///
  /// - Parameters:
  ///   - source: The source.
  ///   - model: A model of the layers that they have; of one that computes in integers generated pictures count only where
  ///     there are no others.
  ///   - engine: How networks are run.
  func outputs(
    of source: OpenedModel, for model: Model, engine: EngineOptions
  ) throws(FileError) -> SourceOutputs {
    let replaced = model.integerArithmetic == nil ? 0 : try replaceableCount()
    var all = self
    all.data = PictureBatches(Array(pictures.dropFirst(replaced)))
    all.add(data)
    do throws(EngineError) {
      return try SourceOutputs(of: source.model, for: model.network, on: all.data, options: engine)
    } catch {
      throw FileError(error, file: source.path)
    }
  }

  private mutating func add(_ batches: PictureBatches) {
    let earlier = data
    data = PictureBatches(count: earlier.count + batches.count) { (index) throws(EngineError) in
      try index < earlier.count ? earlier.batch(index) : batches.batch(index - earlier.count)
    }
  }
}
