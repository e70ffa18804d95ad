import TestSupport
import VGGBytes
import VGGCaffe
import VGGModel
import VGGSources

/// A layer to be written in any generation.
struct TestLayer {
  enum Kind {
    case input([Int])
    case convolution(outputs: Int, kernel: Int, pad: Int)
    case innerProduct(outputs: Int)
    case pooling
    case lrn(size: Int, alpha: Float, beta: Float, k: Float?)
    case relu
    case dropout
    case softmax
    /// Any type, by its name in the generation that is written.
    case other(String, number: Int = 0)
  }

  var name: String
  var kind: Kind
  var bottom: String
  var top: String
  var blobs: [Message] = []
  /// Fields of the layer's message besides.
  var extra = Message()
  /// Fields of the settings' message besides.
  var extraSettings = Message()
  /// Whether the layer's settings are left out.
  var lacksSettings = false
}

/// A network A of a few channels, to be changed in some way and written in any generation.
struct TestNet {
  enum Generation: Int, CaseIterable {
    case v0
    case v1
    case v2
  }

  static let widths = [2, 3, 4, 5, 6]
  static let denseWidths = [7, 8, 9]

  var generation = Generation.v2
  var layers: [TestLayer] = []
  /// Fields of the file besides.
  var extra = Message()
  var extent = 64
  /// The values of the blobs, by their names.
  var values: [String: [Float]] = [:]

  init(_ generation: Generation = .v2, lrn: TestLayer.Kind? = nil) {
    self.generation = generation
    var generator = SeededGenerator(seed: 7)
    var bottom = "data"
    if generation == .v2 {
      layers.append(TestLayer(name: "data", kind: .input([1, 3, 64, 64]), bottom: "", top: "data"))
    }
    func values(_ count: Int) -> [Float] {
      (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
    }
    func append(_ name: String, _ kind: TestLayer.Kind, inPlace: Bool = false, weight: [Int] = []) {
      var layer = TestLayer(name: name, kind: kind, bottom: bottom, top: inPlace ? bottom : name)
      if !weight.isEmpty {
        for (index, shape) in [weight, [weight[0]]].enumerated() {
          let numbers = values(shape.reduce(1, *))
          self.values["\(name)/\(index)"] = numbers
          layer.blobs.append(generation == .v2 ? .blob(shape, numbers) : .oldBlob(shape, numbers))
        }
      }
      layers.append(layer)
      if !inPlace { bottom = name }
    }
    var channels = 3
    for (block, count) in [1, 1, 2, 2, 2].enumerated() {
      for index in 1...count {
        let (name, width) = ("\(block + 1)_\(index)", Self.widths[block])
        append(
          "conv\(name)", .convolution(outputs: width, kernel: 3, pad: 1), weight: [width, channels, 3, 3])
        append("relu\(name)", .relu, inPlace: true)
        channels = width
      }
      if block == 0, let lrn { append("norm1", lrn) }
      append("pool\(block + 1)", .pooling)
    }
    channels *= 4
    for (index, width) in Self.denseWidths.enumerated() {
      append("fc\(index + 6)", .innerProduct(outputs: width), weight: [width, channels])
      if index < 2 {
        append("relu\(index + 6)", .relu, inPlace: true)
        append("drop\(index + 6)", .dropout, inPlace: true)
      }
      channels = width
    }
    append("prob", .softmax)
  }

  /// Changes one layer.
  mutating func change(_ name: String, _ change: (inout TestLayer) -> Void) {
    for index in layers.indices where layers[index].name == name { change(&layers[index]) }
  }

  var bytes: [UInt8] {
    var net = Message { $0.text(1, "test") }
    if generation != .v2 {
      net.text(3, "data")
      for length in [1, 3, extent, extent] { net.varint(4, length) }
    }
    for layer in layers { net.message(generation == .v2 ? 100 : 2, layer.message(generation)) }
    return net.bytes + extra.bytes
  }

  func model(prototxt: String? = nil, options: ImportOptions = ImportOptions()) throws -> Model {
    try CaffeImporter.model(
      of: CaffeFile(path: "folder/test.caffemodel", bytes: ByteRegion(copying: bytes)),
      prototxt: prototxt.map {
        CaffeFile(path: "test.prototxt", bytes: ByteRegion(copying: Array($0.utf8)))
      }, options: options)
  }
}

extension TestLayer {
  func message(_ generation: TestNet.Generation) -> Message {
    switch generation {
    case .v2: current
    case .v1: old(type: typeV1) { if let (_, field, settings) = settings { $0.message(field, settings) } }
    case .v0: oldest
    }
  }

  /// The settings: their field in V2, in V1, and the message, which is the same in both.
  private var settings: (v2: Int, v1: Int, Message)? {
    if lacksSettings { return nil }
    var settings = Message()
    var fields: (Int, Int)
    switch kind {
    case .input(let shape):
      settings.message(1, .shape(shape))
      fields = (143, 0)
    case .convolution(let outputs, let kernel, let pad):
      settings.varint(1, outputs)
      settings.varint(3, pad)
      settings.varint(4, kernel)
      fields = (106, 10)
    case .innerProduct(let outputs):
      settings.varint(1, outputs)
      fields = (117, 17)
    case .pooling:
      settings.varint(1, 0)
      settings.varint(2, 2)
      settings.varint(3, 2)
      fields = (121, 19)
    case .lrn(let size, let alpha, let beta, let k):
      settings.varint(1, size)
      settings.float(2, alpha)
      settings.float(3, beta)
      if let k { settings.float(5, k) }
      fields = (118, 18)
    case .relu, .dropout, .softmax, .other: return nil
    }
    settings.bytes += extraSettings.bytes
    return (fields.0, fields.1, settings)
  }

  private var current: Message {
    let type =
      switch kind {
      case .input: "Input"
      case .convolution: "Convolution"
      case .innerProduct: "InnerProduct"
      case .pooling: "Pooling"
      case .lrn: "LRN"
      case .relu: "ReLU"
      case .dropout: "Dropout"
      case .softmax: "Softmax"
      case .other(let name, _): name
      }
    return Message {
      $0.text(1, name)
      $0.text(2, type)
      if !bottom.isEmpty { $0.text(3, bottom) }
      $0.text(4, top)
      for blob in blobs { $0.message(7, blob) }
      if let (field, _, settings) = settings { $0.message(field, settings) }
      $0.bytes += extra.bytes
    }
  }

  private var typeV1: Int {
    switch kind {
    case .input: 0
    case .convolution: 4
    case .innerProduct: 14
    case .pooling: 17
    case .lrn: 15
    case .relu: 18
    case .dropout: 6
    case .softmax: 20
    case .other(_, let number): number
    }
  }

  private func old(type: Int?, _ write: (inout Message) -> Void) -> Message {
    Message {
      $0.text(2, bottom)
      $0.text(3, top)
      if let type {
        $0.text(4, name)
        $0.varint(5, type)
        for blob in blobs { $0.message(6, blob) }
        for rate in [Float(1), 2] { $0.float(7, rate) }
      }
      write(&$0)
      $0.bytes += extra.bytes
    }
  }

  private var oldest: Message {
    old(type: nil) {
      $0.message(
        1,
        Message {
          $0.text(1, name)
          switch kind {
          case .input: break
          case .convolution(let outputs, let kernel, let pad):
            $0.text(2, "conv")
            $0.varint(3, outputs)
            if pad > 0 { $0.varint(7, pad) }
            $0.varint(8, kernel)
          case .innerProduct(let outputs):
            $0.text(2, "innerproduct")
            $0.varint(3, outputs)
          case .pooling:
            $0.text(2, "pool")
            $0.varint(8, 2)
            $0.varint(10, 2)
            $0.varint(11, 0)
          case .lrn(let size, let alpha, let beta, let k):
            $0.text(2, "lrn")
            $0.varint(13, size)
            $0.float(14, alpha)
            $0.float(15, beta)
            if let k { $0.float(22, k) }
          case .relu: $0.text(2, "relu")
          case .dropout: $0.text(2, "dropout")
          case .softmax: $0.text(2, "softmax")
          case .other(let type, _): $0.text(2, type)
          }
          $0.bytes += extraSettings.bytes
          for blob in blobs { $0.message(50, blob) }
        })
    }
  }
}
