import Foundation
import Testing
import VGGEngine
import VGGModel
import VGGTensors

/// One picture between two layers.
struct Picture {
  var shape: FeatureShape
  var values: [Float]

  init(_ shape: FeatureShape, _ values: [Float] = []) {
    self.shape = shape
    self.values = values
  }

  /// The value at a place, zero in the padding.
  func value(_ row: Int, _ column: Int, _ channel: Int) -> Double {
    guard contains(row, column) else { return 0 }
    return Double(values[(row * shape.extent.width + column) * shape.channels + channel])
  }

  func contains(_ row: Int, _ column: Int) -> Bool {
    (0..<shape.extent.height).contains(row) && (0..<shape.extent.width).contains(column)
  }
}

/// The layers as their formulas say, one output value at a time, without regard to speed.
struct Oracle {
  let model: Model

  /// What a layer makes of a picture.
  func output(of layer: Layer, _ input: Picture) throws -> Picture {
    var output = Picture(try layer.outputShape(for: input.shape))
    let value = try formula(of: layer, input)
    for row in 0..<output.shape.extent.height {
      for column in 0..<output.shape.extent.width {
        for channel in 0..<output.shape.channels { output.values.append(Float(value(row, column, channel))) }
      }
    }
    return output
  }

  private func formula(of layer: Layer, _ input: Picture) throws -> (Int, Int, Int) -> Double {
    switch layer.operation {
    case .convolution(let convolution):
      let weight = try values(layer.weightName)
      let bias = convolution.hasBias ? try values(layer.biasName) : nil
      return { row, column, channel in
        var sum = Double(bias?[channel] ?? 0)
        for inputChannel in 0..<convolution.inputChannels {
          for i in 0..<convolution.kernel.height {
            for j in 0..<convolution.kernel.width {
              let y =
                row * convolution.stride.height + i * convolution.dilation.height - convolution.padding.height
              let x =
                column * convolution.stride.width + j * convolution.dilation.width - convolution.padding.width
              let tap = (i * convolution.kernel.width + j) * convolution.inputChannels + inputChannel
              sum +=
                input.value(y, x, inputChannel) * Double(weight[tap * convolution.outputChannels + channel])
            }
          }
        }
        return convolution.activation == .relu ? max(0, sum) : sum
      }
    case .dense(let dense):
      let weight = try values(layer.weightName)
      let bias = dense.hasBias ? try values(layer.biasName) : nil
      return { _, _, channel in
        var sum = Double(bias?[channel] ?? 0)
        for index in 0..<dense.inputs {
          sum += Double(input.values[index]) * Double(weight[index * dense.outputs + channel])
        }
        return dense.activation == .relu ? max(0, sum) : sum
      }
    case .pooling(let pooling):
      return { row, column, channel in
        var (largest, sum, area) = (-Double.infinity, 0.0, 0)
        for i in 0..<pooling.kernel.height {
          for j in 0..<pooling.kernel.width {
            let y = row * pooling.stride.height + i - pooling.padding.height
            let x = column * pooling.stride.width + j - pooling.padding.width
            if input.contains(y, x) { largest = max(largest, input.value(y, x, channel)) }
            sum += input.value(y, x, channel)
            // Caffe divides by the part of the window that lies in the padded picture.
            if y < input.shape.extent.height + pooling.padding.height,
              x < input.shape.extent.width + pooling.padding.width
            {
              area += 1
            }
          }
        }
        return pooling.method == .maximum ? largest : sum / Double(area)
      }
    case .normalization(let normalization):
      let reach = normalization.size / 2
      return { row, column, channel in
        var sum = 0.0
        switch normalization.region {
        case .acrossChannels:
          for other in max(0, channel - reach)...min(input.shape.channels - 1, channel + reach) {
            sum += pow(input.value(row, column, other), 2)
          }
        case .withinChannel:
          for y in row - reach...row + reach {
            for x in column - reach...column + reach { sum += pow(input.value(y, x, channel), 2) }
          }
        }
        return input.value(row, column, channel)
          / pow(normalization.k + normalization.scale * sum, normalization.beta)
      }
    case .softmax:
      let exponentials = input.values.map { exp(Double($0)) }
      let sum = exponentials.reduce(0, +)
      return { _, _, channel in exponentials[channel] / sum }
    case .sigmoid:
      return { row, column, channel in 1 / (1 + exp(-input.value(row, column, channel))) }
    }
  }

  private func values(_ name: String) throws -> [Float] { try #require(model.tensor(name)).values.array() }
}
