internal import CVGGManifest
internal import VGGBytes
internal import VGGModel

extension ChannelEqualization {
  /// Reads a pass of a manifest; whether it suits the network is checked by `Provenance.checkPasses(of:_:)`.
  init(_ message: Vggw__Equalize, _ reader: MessageReader) throws(FileError) {
    let place = "passes.equalize.layers"
    let layers = try reader.list(message.layers, message.n_layers, place) { layer throws(FileError) in
      let exponents = try UnsafeBufferPointer(start: layer.exponents, count: layer.n_exponents).map {
        exponent throws(FileError) in
        try reader.number(exponent, ChannelEqualization.exponents, "\(place).exponents")
      }
      guard exponents.contains(where: { $0 != 0 }) else {
        throw reader.failure("\(place).exponents", "has a layer whose exponents are all 0")
      }
      return Layer(try reader.string(layer.name, "\(place).name"), exponents: exponents)
    }
    self.init(layers)
  }
}

extension InputMeans {
  /// Reads a pass of a manifest; whether it suits the network is checked by `Provenance.checkPasses(of:_:)`.
  init(_ message: Vggw__CorrectBiases, _ reader: MessageReader) throws(FileError) {
    let place = "passes.correct_biases"
    let layers = try reader.list(message.layers, message.n_layers, "\(place).layers") {
      layer throws(FileError) in
      let means = try UnsafeBufferPointer(start: layer.input_means, count: layer.n_input_means).map {
        mean throws(FileError) in try reader.finite(mean, "\(place).layers.input_means")
      }
      return Layer(try reader.string(layer.name, "\(place).layers.name"), means: means)
    }
    self.init(
      layers,
      roundingPassCount: try reader.number(
        message.rounding_passes, 1...Provenance.mostPasses, "\(place).rounding_passes"))
  }
}

extension Provenance {
  /// Requires that passes with numbers for each channel suit the network that has gone through them.
  func checkPasses(of network: Network, _ reader: MessageReader) throws(FileError) {
    for (index, pass) in passes.enumerated() {
      let (kind, found): (String, (layer: String, problem: String)?)
      switch pass {
      case .equalize(let equalization): (kind, found) = ("equalize", equalization?.problem(in: network))
      case .correctBiases(let means?):
        kind = "correct_biases"
        guard means.roundingPassCount <= index else {
          throw reader.failure(
            "passes.\(kind).rounding_passes", "has an impossible number", seen: "\(means.roundingPassCount)",
            allowed: "1 to the \(index) passes in front of it")
        }
        // Layers that a later pass left out are no longer there to be compared with.
        let isCut = passes[index...].contains(.dropDense)
        let layers = means.layers.filter { !isCut || !$0.name.hasPrefix("fc") }
        found = InputMeans(layers, roundingPassCount: means.roundingPassCount).problem(in: network)
      default: continue
      }
      if let found {
        throw reader.failure(
          "passes.\(kind).layers", "has a pass that does not suit the network",
          seen: "\(found.layer) \(found.problem)")
      }
    }
  }
}
