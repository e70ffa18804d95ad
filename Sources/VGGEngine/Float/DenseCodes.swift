internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// The weights of a dense layer as codes that kernels read where they lie, with a scale for each output.
struct DenseCodes: Sendable {
  private let codes: LentCodes
  /// As the kernels read them: one for each output in each group of inputs.
  private let quantization: Quantization
  private let groupLength: Int

  /// Takes codes that lie in memory; nil where they do not, or where a byte would be shared by two rows.
  ///
  /// - Throws: `weights` where something is wrong with them.
  init?(_ weight: CodedWeight, of dense: Dense) throws(EngineError) {
    let codes: LentCodes?
    do throws(FileError) { codes = try weight.codes.lent() } catch { throw .weights(error) }
    guard let codes, !codes.isPacked || dense.outputs % 2 == 0 else { return nil }
    self.codes = codes
    var quantization = weight.quantization
    groupLength =
      if case .inputGroups(let length) = quantization.grouping { length } else { max(1, dense.inputs) }
    if quantization.grouping == .tensor {
      let zeroPoints = quantization.zeroPoints.flatMap { Array(repeating: $0, count: dense.outputs) }
      quantization = Quantization(
        quantization.type, scales: Array(repeating: quantization.scales[0], count: dense.outputs),
        zeroPoints: zeroPoints)
    }
    self.quantization = quantization
  }

  /// Lends the weights in the form of the kernels; does nothing where there are none.
  func withKernelValue(_ body: (UnsafePointer<VGKCodedWeights>) -> Void) {
    codes.region.withBytes { bytes in
      quantization.withParameters { scales, zeroPoints in
        guard let codes = bytes.baseAddress, let scales = scales.baseAddress else { return }
        let value = VGKCodedWeights(
          codes: codes, isPacked: self.codes.isPacked, groupLength: groupLength, scales: scales,
          zeroPoints: zeroPoints?.baseAddress)
        withUnsafePointer(to: value, body)
      }
    }
  }
}
