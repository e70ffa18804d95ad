internal import CommandLineKit
internal import VGGConv
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Options that several commands share, declared once so that they mean the same everywhere.
enum ModelOptions {
  static let output = Option(
    "output", short: "o", valueName: "OUT.vggw", help: "Write the model to this file")
  static let noCheck = Switch(
    "no-check", help: "Do not compare a native model with the digests in it first")
  static let requireSandbox = Switch(
    "require-sandbox", help: "Refuse to parse HDF5 where the system provides no sandbox for it")
  /// The options of commands that use the values of any file.
  static let using: [any OptionDeclaration] = [noCheck, requireSandbox]
  static let force = Switch("force", short: "f", help: "Replace the output if it exists")
  static let prototxt = Option(
    "prototxt", valueName: "FILE", help: "A deploy prototxt that belongs to a Caffe source")
  static let mean = Option<StatedMean>(
    "mean", valueName: "FILE|B,G,R",
    help:
      "The mean of the training pictures: a mean picture (binaryproto or .npy), or a number for each channel",
    allowed: "a file, or one number or three, blue, green, red", parse: StatedMean.init)
  static let scale = Option<[Double]>(
    "scale", valueName: "S|B,G,R", help: "What channels are multiplied by once the mean is subtracted",
    allowed: "one number other than 0, or three, blue, green, red", parse: scale(_:))
  static let pruneDense = Option<Double>(
    "prune-fc", valueName: "FRACTION",
    help: "Drop this part of each dense layer's weights, the smallest ones",
    range: 0...1)
  static let dropDense = Switch("drop-fc", help: "Leave out the dense layers: the model gives features")
  static let allowNonFinite = Switch("allow-nonfinite", help: "Accept NaN and infinity among the weights")
  static let normalization = Option<LocalResponseNormalization>(
    "lrn", valueName: "SIZE,ALPHA,BETA,K",
    help: "The constants of the normalisation layer in Caffe's terms, where the source cannot hold them",
    allowed: "four numbers such as 5,0.0005,0.75,2; SIZE is odd", parse: normalization(_:))
  static let normalizationSpread = Option<SpreadChoice>(
    choice: "bn-spread", valueName: "KIND",
    help: "What the running_std of a batch normalisation of Keras 0 or 1 is")
  static let normalizationEpsilon = Option<Double>(
    "bn-epsilon", valueName: "E", help: "What batch normalisations add to it, where the source does not tell",
    range: 0...1)
  static let normalizationFirst = Switch(
    "bn-before-activation",
    help: "Batch normalisations stand in front of the activations, if the source does not tell")
  static let normalizationBehind = Switch(
    "bn-after-activation",
    help: "Batch normalisations stand behind the activations, if the source does not tell")
  static let kernelFlip = Option<Decision>(
    choice: "kernel-flip", valueName: "WHETHER", help: "Whether kernels are stored rotated by 180 degrees")
  static let flattenOrder = Option<FlattenChoice>(
    choice: "flatten-order", valueName: "ORDER",
    help: "The order in which the first dense layer's inputs are flattened")
  static let channelOrder = Option<ChannelChoice>(
    choice: "channel-order", valueName: "ORDER",
    help: "The channel order of the pictures that the weights expect")
  static let headActivation = Option<HeadActivation>(
    choice: "head-activation", valueName: "WHICH",
    help: "What is applied to the last dense layer, where the source does not tell, or tells otherwise")
  static let architecture = Option<Architecture>(
    choice: "architecture", valueName: "NET", help: "Refuse a file that holds another network")

  static let foldChannelOrder = Option<FoldedOrder>(
    choice: "fold-channel-order", valueName: "ORDER",
    help: "Make the network take pictures in this channel order, by reversing conv1_1 where needed; exact")
  static let foldPreprocessing = Switch(
    "fold-preprocessing",
    help: "Make mean and scale part of conv1_1, so that the network takes plain pixels; inexact at the border"
  )

  static let labels = Option(
    "labels", valueName: "FILE",
    help: "The names of the classes: one a line, Keras' class_index.json or Caffe's synset_words.txt")
  static let resizing = Option<PictureResizing>(
    "resize", valueName: "HOW",
    help: "Bring pictures to the input's size like this instead of as the model says: scale the shorter side "
      + "and cut out the centre (shorter, shorter:SIDE), stretch them, or demand that they fit (none)",
    allowed: "shorter, shorter:SIDE, stretch, none", parse: PictureResizing.init(_:))

  static let inputExtent = Option<Extent>(
    "input", valueName: "SIDE|HxW", help: "The extent of the picture; 224 for a network of the paper",
    allowed: "a side such as 224, or height x width such as 480x640", parse: extent(_:))

  /// The options that decide how a source is read.
  static let reading: [any OptionDeclaration] = [
    prototxt, mean, scale, allowNonFinite, normalization, normalizationSpread, normalizationEpsilon,
    normalizationFirst, normalizationBehind,
    kernelFlip, flattenOrder, channelOrder, headActivation, architecture, requireSandbox,
  ]

  /// By evidence, or as the user says.
  enum Decision: String, CaseIterable, Sendable {
    case auto
    case yes
    case no
  }

  /// By evidence, or as the user says.
  enum FlattenChoice: String, CaseIterable, Sendable {
    case auto
    case hwc
    case chw
  }

  /// By evidence, or as the user says.
  enum ChannelChoice: String, CaseIterable, Sendable {
    case auto
    case bgr
    case rgb
  }

  /// The passes that `--drop-fc`, `--prune-fc`, `--equalize` and `--to` of `import` ask for.
  static func passes(_ arguments: Arguments) throws(UsageError) -> [Pass] {
    var passes: [Pass] = []
    if arguments[dropDense] { passes.append(.dropDense) }
    if let fraction = arguments[pruneDense] { passes.append(.prune(fraction: fraction)) }
    passes += QuantizationOptions.equalization(arguments)
    if let settings = try QuantizationOptions.settings(arguments), settings.precision != .fp32 {
      passes.append(.quantize(settings))
    }
    return passes
  }

  /// A channel order that a network can be made to take.
  enum FoldedOrder: String, CaseIterable, Sendable {
    case bgr
    case rgb
  }

  /// What the user wants to have folded into the first convolution.
  private static func inputFolding(_ arguments: Arguments) -> InputFolding {
    InputFolding(
      channelOrder: arguments[foldChannelOrder].flatMap { Preprocessing.ChannelOrder(rawValue: $0.rawValue) },
      includesMeanAndScale: arguments[foldPreprocessing])
  }

  /// By evidence, or as the user says.
  enum SpreadChoice: String, CaseIterable, Sendable {
    case auto
    case variance
    case deviation
  }

  /// How the model that a command is about is opened.
  static func modelOptions(_ arguments: Arguments) -> OpenOptions {
    var options = OpenOptions(checksDigests: !arguments[noCheck])
    options.scratchFolder = VGGCommands.scratchFolder
    options.importing.requiresSandbox = arguments[requireSandbox]
    return options
  }

  /// How a file is opened that the user may have decided about, without a look at its values.
  ///
  /// - Throws: A `UsageError` where options exclude each other.
  static func sourceOptions(_ arguments: Arguments) throws(UsageError) -> OpenOptions {
    OpenOptions(
      importing: try importOptions(arguments), prototxt: arguments[prototxt], mean: arguments[mean],
      checksDigests: false)
  }

  /// What the user decided about a source.
  private static func importOptions(_ arguments: Arguments) throws(UsageError) -> ImportOptions {
    var options = modelOptions(arguments).importing
    options.allowsNonFinite = arguments[allowNonFinite]
    options.normalization = arguments[normalization]
    options.architecture = arguments[architecture]
    options.headActivation = arguments[headActivation]
    options.scale = arguments[scale]
    options.normalizationSpread = arguments[normalizationSpread].flatMap {
      NormalizationSpread(rawValue: $0.rawValue)
    }
    options.normalizationPlace = try normalizationPlace(arguments)
    options.normalizationEpsilon = arguments[normalizationEpsilon]
    options.inputFolding = inputFolding(arguments)
    switch arguments[kernelFlip] {
    case .yes?: options.kernelsAreRotated = true
    case .no?: options.kernelsAreRotated = false
    case .auto?, nil: break
    }
    options.flattenOrder = arguments[flattenOrder].flatMap { FlattenOrder(rawValue: $0.rawValue) }
    options.channelOrder = arguments[channelOrder].flatMap {
      Preprocessing.ChannelOrder(rawValue: $0.rawValue)
    }
    return options
  }

  /// `0.017`, or a number each for blue, green and red.
  private static func scale(_ text: String) -> [Double]? {
    guard let numbers = StatedMean.numbers(text), !numbers.contains(0) else { return nil }
    return numbers
  }

  private static func normalizationPlace(_ arguments: Arguments) throws(UsageError) -> NormalizationPlace? {
    switch (arguments[normalizationFirst], arguments[normalizationBehind]) {
    case (true, true):
      throw UsageError("--bn-before-activation and --bn-after-activation exclude each other")
    case (true, false): return .beforeActivation
    case (false, true): return .behindActivation
    case (false, false): return nil
    }
  }

  /// `224` or `480x640`
  private static func extent(_ text: String) -> Extent? {
    let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard (1...2).contains(sides.count), sides.allSatisfy((1...Network.largestInputSide).contains) else {
      return nil
    }
    return Extent(height: sides[0], width: sides[sides.count - 1])
  }

  /// `5,0.0005,0.75,2`: Caffe's local_size, alpha (for the whole window), beta and k.
  private static func normalization(_ text: String) -> LocalResponseNormalization? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.dropFirst().compactMap { Double($0) }.filter(\.isFinite)
    guard
      parts.count == 4, numbers.count == 3, let size = Int(parts[0]), (1...1001).contains(size),
      size % 2 == 1,
      numbers[2] > 0
    else { return nil }
    return LocalResponseNormalization(
      size: size, scale: numbers[0] / Double(size), beta: numbers[1], k: numbers[2])
  }
}
