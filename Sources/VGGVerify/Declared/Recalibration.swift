internal import VGGBytes
internal import VGGEngine
internal import VGGModel

/// The pictures that a model was calibrated with, given once more: what comes from them is found again and need not be believed.
struct Recalibration {
  let pictures: PictureBatches
  let options: EngineOptions

  /// Runs a model on the pictures; what goes into the network comes first, then what each layer gives.
  private func activations(of model: Model) throws(FileError) -> [RecountedActivations] {
    let file = model.provenance.sourceName
    var counted: [RecountedActivations] = []
    do throws(EngineError) {
      let engine = try options.engine(for: model)
      for index in 0..<pictures.count {
        let input = try pictures.batch(index)
        guard input.count > 0 else { continue }
        var place = 0
        func count(_ map: FeatureMap) throws(FileError) {
          if place == counted.count { counted.append(RecountedActivations(channelCount: map.shape.channels)) }
          guard counted[place].add(map) else {
            throw FileError(
              .malformed, code: "verify.calibration", file: file,
              "gives no finite numbers for the calibration's pictures")
          }
          place += 1
        }
        do throws(FileError) { try count(input) } catch { throw .input(error) }
        _ = try engine.run(input) { _, output in try count(output) }
      }
    } catch {
      throw FileError(error, file: file)
    }
    guard !counted.isEmpty else {
      throw FileError(
        .malformed, code: "verify.calibration", file: file, "cannot be calibrated without pictures")
    }
    return counted
  }

  /// The means of what layers of a model read.
  func means(for layers: [InputMeans.Layer], of model: Model) throws(FileError) -> [InputMeans.Layer] {
    let activations = try activations(of: model)
    return layers.map { layer in
      // The input is in front of what the first layer gives, so each layer's own place is that of what it reads.
      let place = model.network.layers.firstIndex { $0.name == layer.name } ?? 0
      return InputMeans.Layer(layer.name, means: activations[place].channelMeans)
    }
  }

  /// How a model computes in integers, by the ranges of its maps; nil where a range is too small for any.
  func arithmetic(of model: Model, by settings: ActivationSettings) throws(FileError) -> IntegerArithmetic? {
    let activations = try activations(of: model)
    var maps: [ActivationQuantization] = []
    for (place, counted) in activations.enumerated() {
      let operation = place == 0 ? nil : model.network.layers[place - 1].operation
      switch operation {
      case .pooling: maps.append(maps[place - 1])
      case .softmax, .sigmoid: maps.append(ActivationQuantization(scale: 1 / 256, zeroPoint: -128))
      case .convolution, .dense, .normalization, nil:
        guard let codes = DeclaredRange(of: counted, by: settings.rangeRule).codes else { return nil }
        maps.append(codes)
      }
    }
    return IntegerArithmetic(rounding: settings.rounding, input: maps[0], outputs: Array(maps.dropFirst()))
  }
}

extension InputMeans.Layer {
  /// How these means differ from others, of the pictures; nil where they do not.
  func difference(from other: InputMeans.Layer) -> ModelDifference? {
    guard let channel = means.indices.first(where: { means[$0].bitPattern != other.means[$0].bitPattern })
    else {
      return nil
    }
    return ModelDifference(
      subject: .passes,
      problem:
        "the means of what \(name) reads are not those of the pictures: channel \(channel) is said to have "
        + "\(means[channel]), but has \(other.means[channel])")
  }
}
