internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// What a file tells of what must be done to pictures.
struct PictureRule {
  let chain: ONNXChain

  /// What is known for a network: from the metadata of our own files, from nodes in front of the first convolution, or from who wrote it.
  func preprocessing(
    of network: Network, options: ImportOptions
  ) throws(FileError) -> FoundPreprocessing {
    let channels = network.inputChannels
    let stated = chain.metadata?.preprocessing
    if let stated, stated.mean.count != channels {
      throw chain.file.malformed(
        "preprocessing", "has metadata that do not fit its input", place: "metadata mean",
        seen: "\(stated.mean.count) channels", allowed: "\(channels)")
    }
    let resize = Preprocessing.released(for: network.inputExtent).resize
    let preparation = chain.preparation
    guard !preparation.isIdentity else {
      if let stated { return FoundPreprocessing(stated, .configured, because: "the metadata say so") }
      return assumed(for: network, options)
    }
    guard let (mean, scale) = preparation.rule(channels: channels) else {
      throw chain.file.unsupported(
        "preprocessing", "prepares pictures in a way that is not supported",
        place: preparation.names.joined(separator: ", "),
        allowed: "a factor other than 0 and a summand for each channel")
    }
    let evidence = "as \(preparation.names.joined(separator: ", ")) in the graph"
    guard let stated else {
      let order: Preprocessing.ChannelOrder =
        channels == 1 ? .gray : options.channelOrder ?? (preparation.isReversed ? .bgr : .rgb)
      return FoundPreprocessing(
        Preprocessing(channelOrder: order, mean: mean, scale: scale, resize: resize), .computed,
        because: evidence)
    }
    func isNear(_ left: [Double], _ right: [Double]) -> Bool {
      zip(left, right).allSatisfy { abs($0 - $1) <= 1e-4 * max(abs($0), abs($1)) }
    }
    guard isNear(stated.mean, mean), isNear(stated.scale, scale),
      (stated.channelOrder == .bgr) == preparation.isReversed
    else {
      throw chain.file.malformed(
        "preprocessing", "computes another preprocessing than its metadata say", place: evidence,
        seen: "mean \(mean), scale \(scale)", allowed: "mean \(stated.mean), scale \(stated.scale)")
    }
    return FoundPreprocessing(stated, .computed, because: "\(evidence), and as the metadata say")
  }

  /// What most files of a writer need.
  private func assumed(for network: Network, _ options: ImportOptions) -> FoundPreprocessing {
    let producer = chain.graph.model.producer
    guard network.inputChannels == 3 else {
      return FoundPreprocessing(
        unknownBecause:
          "no node prepares pictures, and the released VGG models have 3 input channels, not \(network.inputChannels)"
      )
    }
    let isTorch = producer.hasPrefix("pytorch") || producer.hasPrefix("mxnet")
    if isTorch || producer.isEmpty {
      return FoundPreprocessing(
        .torchvision(for: network.inputExtent).inOrder(options.channelOrder ?? .rgb), .assumed,
        because: "\(producer.isEmpty ? "nobody says who wrote it" : "written by \(producer)"); "
          + "torchvision's and MXNet's models are rgb of 0 to 1, less 0.485, 0.456, 0.406, by 0.229, 0.224, 0.225"
      )
    }
    return FoundPreprocessing(
      .released(for: network.inputExtent).inOrder(options.channelOrder ?? .bgr), .assumed,
      because: "written by \(producer); released VGG models are bgr less 103.939, 116.779, 123.68")
  }
}
