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
  /// The number of pictures in front that are generated.
  static let generatedCount = 1
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
    if let calibration { add(someOf: calibration) }
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

  /// Takes the first batch of pictures.
  private mutating func add(someOf pictures: PictureSet) {
    let batches = pictures.batches
    add(PictureBatches(count: min(1, batches.count), batch: batches.batch))
  }

  private mutating func add(_ batches: PictureBatches) {
    let earlier = data
    data = PictureBatches(count: earlier.count + batches.count) { (index) throws(EngineError) in
      try index < earlier.count ? earlier.batch(index) : batches.batch(index - earlier.count)
    }
  }
}
