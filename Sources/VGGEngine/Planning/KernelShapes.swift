internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// What the kernels call the settings of layers.
extension Convolution {
  func kernelShape(_ input: Extent, _ output: Extent) -> VGKConvolutionShape {
    VGKConvolutionShape(
      inputHeight: input.height, inputWidth: input.width, inputChannels: inputChannels,
      outputHeight: output.height, outputWidth: output.width, outputChannels: outputChannels,
      kernelHeight: kernel.height, kernelWidth: kernel.width,
      strideHeight: stride.height, strideWidth: stride.width,
      paddingHeight: padding.height, paddingWidth: padding.width,
      dilationHeight: dilation.height, dilationWidth: dilation.width)
  }
}

extension Convolution {
  /// The shape of the output of a 3x3 kernel with stride and dilation 1.
  func sumShape(for input: Extent) -> FeatureShape {
    FeatureShape(
      extent: Extent(
        height: input.height + 2 * padding.height - 2, width: input.width + 2 * padding.width - 2),
      channels: outputChannels)
  }
}

extension Pooling {
  func kernelShape(_ input: FeatureShape, _ output: Extent) -> VGKPoolingShape {
    let kernel = isGlobal ? input.extent : kernel
    let padding = isGlobal ? Extent(side: 0) : padding
    return VGKPoolingShape(
      inputHeight: input.extent.height, inputWidth: input.extent.width, channels: input.channels,
      outputHeight: output.height, outputWidth: output.width,
      kernelHeight: kernel.height, kernelWidth: kernel.width,
      strideHeight: stride.height, strideWidth: stride.width,
      paddingHeight: padding.height, paddingWidth: padding.width)
  }

  var kernelMethod: VGKPooling { method == .maximum ? .maximum : .average }

  /// Whether it is the paper's: the maximum of 2 x 2 with stride 2.
  var isPlain: Bool {
    !isGlobal && method == .maximum && kernel == Extent(side: 2) && stride == Extent(side: 2)
      && padding == Extent(side: 0)
  }
}

extension LocalResponseNormalization {
  var kernelConstants: VGKNormalization {
    VGKNormalization(windowSize: size, k: k, scale: scale, beta: beta)
  }
}
