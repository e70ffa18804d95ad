public import VGGBytes
public import VGGEngine
internal import VGGModel
public import VGGTensors

/// A model that is ready to be timed. It reads no clock: the caller lends one, which gives seconds and only goes forward.
public struct Benchmark {
  /// How the model is run.
  public let options: EngineOptions
  /// The extent of the pictures that it is run on.
  public let extent: Extent
  /// Whether the model computes in integers: what the machine can do at best in floating point is no measure of it then.
  public let computesInIntegers: Bool
  private let path: String
  private let engine: any Engine

  /// Prepares a model, which is a part of what may be timed.
  ///
  /// - Parameters:
  ///   - opened: The model.
  ///   - options: How it is run.
  ///   - extent: The extent of the pictures; nil: the network's own, or that of the paper.
  public init(
    _ opened: OpenedModel, options: EngineOptions = EngineOptions(), extent: Extent? = nil
  ) throws(FileError) {
    var options = options
    let extent = extent ?? opened.model.network.inputExtent ?? Extent(side: 224)
    options.extent = extent
    (self.options, self.extent, path) = (options, extent, opened.path)
    computesInIntegers = opened.model.integerArithmetic != nil
    do throws(EngineError) { engine = try options.engine(for: opened.model) } catch {
      throw FileError(error, file: opened.path)
    }
  }

  /// Runs the model on a batch of random pictures, after two passes that do not count.
  ///
  /// - Parameters:
  ///   - batch: The number of pictures in the batch, at least 1.
  ///   - passes: How often it is run, at least once.
  ///   - seconds: The clock.
  ///   - progress: Is told how far it has come.
  public func measure(
    batch: Int = 1, passes: Int = 10, seconds: () -> Double, progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> RunTimes {
    precondition(batch > 0 && passes > 0)
    let meter = progress?.begin(.measuring, total: passes + 2)
    defer { meter?.finish() }
    do throws(EngineError) {
      let input = try randomInput(count: batch)
      // A first pass of one picture tells the shapes, the second warms up what the others use.
      var previous = try randomInput(count: 1)
      var layers: [RunTimes.Layer] = []
      _ = try engine.run(previous) { layer, output in
        layers.append(
          RunTimes.Layer(
            layer, outputCount: batch * output.shape.count,
            weightByteCount: computesInIntegers ? MemoryLayout<Int8>.size : MemoryLayout<Float>.size,
            nonzeroInputs: layer.isDense ? previous.nonzeroPart : nil))
        previous = output
      }
      let indices = Dictionary(
        layers.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
      meter?.advance(by: 1)
      var wholes: [Double] = []
      for pass in 0...passes {
        var times = layers.map { _ in 0.0 }
        let start = seconds()
        var last = start
        _ = try engine.run(input) { layer in
          let now = seconds()
          if let index = indices[layer.name] { times[index] += now - last }
          last = now
        }
        let end = seconds()
        meter?.advance(by: 1)
        guard pass > 0 else { continue }
        wholes.append(end - start)
        for index in layers.indices { layers[index].seconds = min(layers[index].seconds, times[index]) }
      }
      return RunTimes(batch: batch, passes: wholes, layers: layers)
    } catch {
      throw FileError(error, file: path)
    }
  }

  /// Finds out what the machine can do at best with the same threads and the same instruction set.
  public func measureMachine(seconds: () -> Double) throws(FileError) -> MachineSpeed {
    func rate(_ work: () -> Double) -> Double {
      let start = seconds()
      let amount = work()
      return amount / (seconds() - start)
    }
    do throws(EngineError) {
      let probe = try MachineProbe(options: options)
      var speed = MachineSpeed(operationsPerSecond: 0, bytesPerSecond: 0)
      for _ in 0..<5 {
        speed.operationsPerSecond = max(speed.operationsPerSecond, rate(probe.calculate))
        speed.bytesPerSecond = max(speed.bytesPerSecond, rate(probe.read))
      }
      return speed
    } catch {
      throw FileError(error, file: path)
    }
  }

  /// Values as preprocessed pixels are: between -128 and 128, always the same.
  private func randomInput(count: Int) throws(EngineError) -> FeatureMap {
    let shape = FeatureShape(extent: extent, channels: engine.network.inputChannels)
    var state: UInt32 = 2014
    let values = (0..<count * shape.count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return Float(Int32(bitPattern: state) >> 8) / Float(1 << 16)
    }
    return try FeatureMap(count: count, shape: shape, values: values)
  }
}

extension FeatureMap {
  /// The part of the values that are not zero.
  fileprivate var nonzeroPart: Double {
    withValues { values in Double(values.count { $0 != 0 }) / Double(max(1, values.count)) }
  }
}
