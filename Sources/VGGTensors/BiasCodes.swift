package import VGGBytes

/// Biases of a layer that computes in integers, in the unit in which it adds up its products:
/// `value = Float(Double(code) * Double(scale))`, where the scale is that of the input times that of the weights.
public struct BiasCodes: Equatable, Sendable {
  private let codeTable: ParameterTable<Int32>

  /// The unit of each output channel.
  public let scales: [Float]

  /// The bias of each output channel; those of a mapped file are copied.
  public var codes: [Int32] { codeTable.array }

  /// The number of output channels.
  public var count: Int { scales.count }

  /// Creates biases.
  ///
  /// - Precondition: There are as many scales as codes.
  public init(_ codes: [Int32], scales: [Float]) { self.init(.array(codes), scales: scales) }

  /// Creates biases that lie in memory as little-endian numbers.
  ///
  /// - Precondition: There are as many scales as codes.
  package init(_ codes: ByteRegion, scales: [Float]) { self.init(ParameterTable(codes), scales: scales) }

  private init(_ codes: ParameterTable<Int32>, scales: [Float]) {
    precondition(codes.count == scales.count)
    codeTable = codes
    self.scales = scales
  }

  /// Lends the codes for the time of the call.
  package func withCodes<Result>(_ body: (UnsafeBufferPointer<Int32>) -> Result) -> Result {
    codeTable.withElements(body)
  }

  /// The values that the codes stand for.
  var values: any TensorValues { BiasValues(bias: self) }

  /// Computes the values that some codes stand for.
  package func dequantize(_ range: Range<Int>, into values: UnsafeMutableBufferPointer<Float>) {
    withCodes { codes in
      for (place, index) in range.enumerated() {
        values[place] = Float(Double(codes[index]) * Double(scales[index]))
      }
    }
  }
}

/// The values that codes of biases stand for.
struct BiasValues: TensorValues {
  let bias: BiasCodes

  var count: Int { bias.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
    bias.dequantize(range, into: destination)
  }
}
