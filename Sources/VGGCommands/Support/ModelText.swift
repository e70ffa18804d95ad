internal import CommandLineKit
internal import Glibc
internal import VGGCompress
internal import VGGFile
internal import VGGModel

/// `VGG-16 (D), 1000 classes, input 224x224x3`
func networkText(_ network: Network) -> String {
  var text = "VGG-\(network.architecture.weightLayerCount) (\(network.architecture.rawValue))"
  text += network.classCount.map { ", \($0) classes" } ?? ", no top"
  if let extent = network.inputExtent { text += ", input \(extent)x\(network.inputChannels)" }
  return text
}

extension Preprocessing {
  /// `bgr less 103.939, 116.779, 123.68`, and the factors where they are not 1.
  var text: String {
    func list(_ numbers: [Double]) -> String {
      numbers.map { Format.significant($0, 6) }.joined(separator: ", ")
    }
    return "\(channelOrder.rawValue) less \(list(mean))"
      + (scale.allSatisfy { $0 == 1 } ? "" : ", times \(list(scale))")
  }
}

/// Writes a model with a progress bar and opens what was written.
///
/// - Parameter sources: The files that the model was imported from just now, whose digests become part of the provenance.
func write(
  _ model: Model, from sources: [MappedFile] = [], to output: String, by arguments: Arguments,
  _ console: Console
) throws(FileError) -> NativeFile {
  let progress = console.progress("writing", total: model.parameterCount * MemoryLayout<Float>.size)
  defer { progress.finish() }
  try VGGWFile.write(
    model, to: output, overwrite: arguments[ModelOptions.force], tool: "vggconv \(toolVersion)",
    sources: sources.map(\.bytes)
  ) { progress.advance(by: $0) }
  return try VGGWFile.open(path: output)
}

/// Refuses an output that exists before hours of work are spent on it.
func requireFree(_ output: String, by arguments: Arguments) throws(FileError) {
  guard !arguments[ModelOptions.force], access(output, F_OK) == 0 else { return }
  throw FileError(
    .cannotCreate, code: "output.exists", file: output, "exists already", advice: "--force replaces it")
}

/// Size and error of each layer before and after a pass.
func changeTable(
  from before: Model, to after: Model, sizesBefore: [String: Int]? = nil, records: [TensorRecord],
  _ console: Console
) throws(FileError) -> String {
  var table = TextTable([
    ("layer", .left), ("before", .right), ("after", .right), ("bits/weight", .right), ("zeros", .right),
    ("largest error", .right), ("SQNR", .right),
  ])
  var (totalBefore, totalAfter, totalCount) = (0, 0, 0)
  let stored = Dictionary(uniqueKeysWithValues: records.map { ($0.name, $0.storedBytes) })
  for tensor in before.tensors {
    let size = sizesBefore?[tensor.name] ?? tensor.count * MemoryLayout<Float>.size
    totalBefore += size
    guard let changed = after.tensor(tensor.name), let newSize = stored[tensor.name] else {
      if tensor.role == .weight { table.add([layerName(tensor), Format.bytes(size), "dropped"]) }
      continue
    }
    totalAfter += newSize
    totalCount += tensor.count
    guard tensor.role == .weight else { continue }
    let change = try TensorChange(from: tensor, to: changed)
    table.add([
      layerName(tensor), Format.bytes(size), Format.bytes(newSize),
      Format.fixed(Double(newSize) * 8 / Double(tensor.count), 2),
      Format.percent(Double(change.zeroCount) / Double(change.count), decimals: 1),
      Format.scientific(change.largestError),
      change.errorEnergy == 0 ? "exact" : "\(Format.fixed(change.signalToNoise, 1)) dB",
    ])
    if change.overflowCount > 0 {
      console.note(
        "\(tensor.name): \(Format.grouped(change.overflowCount)) values are too large for this precision")
    }
  }
  table.addRule()
  table.add([
    "all", Format.bytes(totalBefore), Format.bytes(totalAfter),
    Format.fixed(Double(totalAfter) * 8 / Double(max(1, totalCount)), 2),
    "", "", "\(Format.fixed(Double(totalBefore) / Double(max(1, totalAfter)), 1))x smaller",
  ])
  return table.rendered(for: console)
}

private func layerName(_ tensor: Tensor) -> String { String(tensor.name.prefix { $0 != "/" }) }
