public import VGGBytes
public import VGGEngine
internal import VGGModel
internal import VGGTensors
internal import VGGVerify

/// Pictures that somebody gives to measure or to calibrate a model with, preprocessed as the model says.
///
/// They are read when their batch's turn comes, so that their number costs no memory.
public struct PictureSet: Sendable {
  /// Where they come from; for errors.
  public let path: String
  /// The number of pictures, at least one.
  public let count: Int
  /// What the user should know about them.
  public let remarks: [PictureSetRemark]

  /// The number of pictures that are run at a time where only outputs are kept.
  static let batchSize = 24

  private let store: any PictureStore
  private let network: Network

  /// Opens pictures for a model.
  ///
  /// - Parameters:
  ///   - path: One of these:
  ///     - an `.npz` file whose `images` are [N, H, W, C] or [N, H, W]: whole numbers are pixels, which are preprocessed,
  ///       floats have been; `labels`, [N], is optional;
  ///     - a folder, all of whose PNG, JPEG and PPM pictures are taken in the order of their names' bytes;
  ///     - a folder with a sub-folder for each class and nothing but pictures in these.
  ///   - opened: The model.
  ///   - resizing: How pictures of a folder are brought to the model's extent; nil: as the model says.
  /// - Throws: `malformed` or `unsupported` where there is no picture, or they do not suit the model.
  public init(
    _ path: String, for opened: OpenedModel, resizing: PictureResizing? = nil
  ) throws(FileError) {
    let reader = InputReader(
      model: opened.model, options: InputOptions(resizing: resizing),
      scratchFolder: opened.options.scratchFolder)
    if PictureFolder.isFolder(path) {
      let folder = try PictureFolder(path)
      self.init(path, try FolderPictures(folder, reader: reader), reader, folder.remarks)
    } else {
      self.init(path, try ArchivedPictures(path, for: reader), reader)
    }
  }

  /// Makes pictures for a model, where nobody gave any: those that ``OpenedModel/verify(against:judging:recording:progress:)``
  /// generates.
  public init(derivedFor opened: OpenedModel, seed: UInt64 = JudgingOptions().seed) throws(FileError) {
    let model = opened.model
    let pictures: FeatureMap
    do throws(EngineError) {
      pictures = try VerificationInputs.generated(
        for: model.network, preprocessing: model.preprocessing, seed: seed)
    } catch {
      throw FileError(error, file: opened.path)
    }
    self.init(
      opened.path, MadePictures(pictures: pictures),
      InputReader(model: model, scratchFolder: opened.options.scratchFolder), [.derived])
  }

  /// The same for an `.npz` file that holds labelled pictures; nil for any other file.
  init?(labelledIn path: String, for reader: InputReader) throws(FileError) {
    guard let pictures = try ArchivedPictures(labelledIn: path, for: reader) else { return nil }
    self.init(path, pictures, reader)
  }

  private init(
    _ path: String, _ store: any PictureStore, _ reader: InputReader, _ remarks: [PictureSetRemark] = []
  ) {
    (self.path, count, self.remarks) = (path, store.count, remarks)
    (self.store, network) = (store, reader.model.network)
  }

  /// The pictures in batches, for a run that keeps only outputs.
  var batches: PictureBatches { batches(of: PictureSet.batchSize) }

  /// The pictures in batches for a run that looks at every layer: no map of a batch is larger than 64 MB, unless that of one
  /// picture is.
  public var layerBatches: PictureBatches {
    let extent = network.inputExtent ?? Extent(side: 224)
    let largest = (try? network.outputShapes(for: extent).map(\.count).max()) ?? 1
    return batches(of: min(PictureSet.batchSize, max(1, (1 << 24) / max(1, largest))))
  }

  /// As many pictures as a batch has, one by one, from all places of the set: neighbours are often of one class. None of a single
  /// picture, which says nothing of others.
  var sample: PictureBatches {
    let (store, count) = (store, count)
    let length = count > 1 ? min(count, PictureSet.batchSize) : 0
    return PictureBatches(count: length) { (index) throws(EngineError) in
      let place = index * count / length
      do throws(FileError) { return try store.batch(place..<place + 1) } catch { throw .input(error) }
    }
  }

  private func batches(of size: Int) -> PictureBatches {
    let (store, count) = (store, count)
    return PictureBatches(count: (count + size - 1) / size) { (index) throws(EngineError) in
      do throws(FileError) {
        return try store.batch(index * size..<min(count, (index + 1) * size))
      } catch {
        throw .input(error)
      }
    }
  }

  /// The class of each picture among those of a model.
  ///
  /// - Parameters:
  ///   - classCount: The number of classes.
  ///   - names: What they are called; none where that is not known.
  /// - Throws: `malformed` where there are no labels, or they are no classes of the model.
  func labels(classCount: Int, names: [String]) throws(FileError) -> PictureLabels {
    try store.labels(classCount: classCount, names: names.count == classCount ? names : [])
  }
}

/// What the user should know about pictures that were given.
public enum PictureSetRemark: Equatable, Sendable {
  /// Nobody gave any: they are made up, and resemble no photographs.
  case derived
  /// So many symbolic links lead out of the folder, or to a folder, and were not followed.
  case linksLeftOut(Int, first: String)
  /// So many files are no pictures.
  case filesLeftOut(Int, first: String)
}

extension PictureSetRemark: CustomStringConvertible {
  /// A line for people.
  public var description: String {
    func what(_ count: Int, _ noun: String, _ first: String) -> String {
      count == 1 ? "1 \(noun) (\(first))" : "\(count) \(noun)s (the first is \(first))"
    }
    switch self {
    case .derived: return "no pictures were given: derived ones are used, which resemble no photographs"
    case .linksLeftOut(let count, let first):
      return "left out \(what(count, "symbolic link", first)): none is followed out of the folder"
    case .filesLeftOut(let count, let first): return "left out \(what(count, "file", first)): not pictures"
    }
  }
}

/// The class of each picture, and how it was found.
public struct PictureLabels: Equatable, Sendable {
  /// What says the class of a picture.
  public enum Rule: Equatable, Sendable {
    /// An array of labels.
    case array
    /// The sub-folder, which is called what the model calls the class.
    case names
    /// The sub-folder, whose name is the number of the class, counted from 0.
    case numbers
    /// The sub-folder's place among all, by number where all names are numbers and else by the names' bytes: assumed, for
    /// nothing says so.
    case order([String])
  }

  /// The class of each picture.
  public var classes: [Int]
  /// What says so.
  public var rule: Rule
}

/// Where pictures are kept.
protocol PictureStore: Sendable {
  /// The number of pictures.
  var count: Int { get }
  /// Reads and preprocesses the pictures of a range.
  func batch(_ range: Range<Int>) throws(FileError) -> FeatureMap
  /// The classes of all; `names` has one for each class, or none.
  func labels(classCount: Int, names: [String]) throws(FileError) -> PictureLabels
}

/// Pictures in memory, without labels.
private struct MadePictures: PictureStore {
  let pictures: FeatureMap
  var count: Int { pictures.count }

  func batch(_ range: Range<Int>) throws(FileError) -> FeatureMap {
    let values = pictures.withValues {
      Array($0[range.lowerBound * pictures.shape.count..<range.upperBound * pictures.shape.count])
    }
    return try FeatureMap(of: values, count: range.count, pictures.shape, file: "derived pictures")
  }

  func labels(classCount: Int, names: [String]) throws(FileError) -> PictureLabels {
    throw FileError(.unsupported, code: "data.labels", file: "derived pictures", "have no classes")
  }
}

extension FeatureMap {
  /// A batch of values that were read from a file.
  init(of values: [Float], count: Int, _ shape: FeatureShape, file: String) throws(FileError) {
    do throws(EngineError) { try self.init(count: count, shape: shape, values: values) } catch {
      throw FileError(error, file: file)
    }
  }
}
