/*
 * Convolution and dense layer of the reference path, for one instruction set (see for_each_isa.h).
 *
 * Both are made of one step: for a few pixels (or rows of a batch) and a few vectors of output channels, add the
 * products of one run of input channels to sums in double. Vectors run over output channels and
 * every sum belongs to one output alone, so blocking never changes the order in which a sum is taken.
 */
typedef double VGK_NAME(doubles) __attribute__((vector_size(8 * VGK_LANES)));
typedef float VGK_NAME(floats) __attribute__((vector_size(4 * VGK_LANES)));

enum { VGK_NAME(blockWidth) = VGK_LANES * VGK_VECTORS };

/* sums[p, o] += x[p, i] * w[i, o] for ascending i: `pixels` rows of `vectors` registers. Of the last register
   only `lanes` columns exist in w, so that the end of a row that is no multiple of a register is not overrun. */
static inline __attribute__((always_inline)) void VGK_NAME(accumulateTile)(
  double *sums, size_t sumStride, const float *x, size_t xStride, const float *w, size_t wStride, size_t inputCount,
  const size_t pixels, const size_t vectors, const size_t lanes) {
  VGK_NAME(doubles) tile[VGK_PIXELS][VGK_VECTORS];
  _Pragma("clang loop unroll(full)") for (size_t p = 0; p < pixels; p++)
    __builtin_memcpy(tile[p], sums + p * sumStride, vectors * sizeof(tile[0][0]));
  for (size_t i = 0; i < inputCount; i++) {
    VGK_NAME(doubles) weights[VGK_VECTORS];
    _Pragma("clang loop unroll(full)") for (size_t v = 0; v < vectors; v++) {
      VGK_NAME(floats) narrow = {0};
      const float *source = w + i * wStride + v * VGK_LANES;
      if (lanes == VGK_LANES)
        __builtin_memcpy(&narrow, source, sizeof(narrow));
      else
        for (size_t lane = 0; lane < lanes; lane++) narrow[lane] = source[lane];
      weights[v] = __builtin_convertvector(narrow, VGK_NAME(doubles));
    }
    _Pragma("clang loop unroll(full)") for (size_t p = 0; p < pixels; p++) {
      const double value = x[p * xStride + i];
      _Pragma("clang loop unroll(full)") for (size_t v = 0; v < vectors; v++) tile[p][v] += weights[v] * value;
    }
  }
  _Pragma("clang loop unroll(full)") for (size_t p = 0; p < pixels; p++)
    __builtin_memcpy(sums + p * sumStride, tile[p], vectors * sizeof(tile[0][0]));
}

/* The same for any number of pixels up to VGK_PIXELS and of columns up to blockWidth. The sums have room for
   blockWidth columns. The constants let the compiler keep each tile in registers. */
static void VGK_NAME(accumulate)(
  double *sums, size_t sumStride, const float *x, size_t xStride, const float *w, size_t wStride, size_t inputCount,
  size_t pixels, size_t columns) {
#define VGK_TILE(count)                                                                                          \
  case count:                                                                                                    \
    if (columns == VGK_NAME(blockWidth)) {                                                                       \
      VGK_NAME(accumulateTile)                                                                                   \
      (sums, sumStride, x, xStride, w, wStride, inputCount, count, VGK_VECTORS, VGK_LANES);                      \
    } else                                                                                                       \
      for (size_t o = 0; o < columns; o += VGK_LANES)                                                            \
        VGK_NAME(accumulateTile)                                                                                 \
        (sums + o, sumStride, x, xStride, w + o, wStride, inputCount, count, 1,                                  \
         columns - o < VGK_LANES ? columns - o : VGK_LANES);                                                     \
    break;
  switch (pixels) {
    VGK_TILE(1) VGK_TILE(2) VGK_TILE(3) VGK_TILE(4) VGK_TILE(5) VGK_TILE(6)
  }
#undef VGK_TILE
}

static inline void VGK_NAME(finish)(
  const double *sums, const float *bias, bool appliesReLU, float *output, size_t columns) {
  for (size_t o = 0; o < columns; o++) {
    double sum = sums[o] + (bias ? (double)bias[o] : 0);
    if (appliesReLU && sum <= 0) sum = 0;
    output[o] = (float)sum;
  }
}

static void VGK_NAME(convolution)(
  const VGKConvolutionShape *s, const float *input, const float *weights, const float *bias, bool appliesReLU,
  float *output, size_t rowStart, size_t rowEnd) {
  enum { blockWidth = VGK_NAME(blockWidth) };
  _Alignas(64) double sums[VGK_PIXELS * blockWidth];
  const size_t tapStride = s->inputChannels * s->outputChannels;

  // Channel blocks outermost: the weights of one block stay in the cache while the rows pass by.
  for (size_t o = 0; o < s->outputChannels; o += blockWidth) {
    const size_t columns = s->outputChannels - o < blockWidth ? s->outputChannels - o : blockWidth;
    for (size_t row = rowStart; row < rowEnd; row++) {
      const float *image = input + row / s->outputHeight * s->inputHeight * s->inputWidth * s->inputChannels;
      const size_t y = row % s->outputHeight * s->strideHeight;
      for (size_t outputX = 0; outputX < s->outputWidth; outputX += VGK_PIXELS) {
        const size_t pixels = s->outputWidth - outputX < VGK_PIXELS ? s->outputWidth - outputX : VGK_PIXELS;
        for (size_t i = 0; i < VGK_PIXELS * blockWidth; i++) sums[i] = 0;
        for (size_t kernelY = 0; kernelY < s->kernelHeight; kernelY++) {
          const size_t paddedY = y + kernelY * s->dilationHeight;
          if (paddedY < s->paddingHeight || paddedY - s->paddingHeight >= s->inputHeight) continue;
          const float *inputRow = image + (paddedY - s->paddingHeight) * s->inputWidth * s->inputChannels;
          for (size_t kernelX = 0; kernelX < s->kernelWidth; kernelX++) {
            // The pixels for which this tap lies inside the image are neighbours: first ..< end.
            const size_t paddedX = outputX * s->strideWidth + kernelX * s->dilationWidth;
            size_t first = 0;
            while (first < pixels && paddedX + first * s->strideWidth < s->paddingWidth) first++;
            size_t end = pixels;
            while (end > first && paddedX + (end - 1) * s->strideWidth >= s->paddingWidth + s->inputWidth) end--;
            if (first == end) continue;
            const size_t x = paddedX + first * s->strideWidth - s->paddingWidth;
            VGK_NAME(accumulate)(
              sums + first * blockWidth, blockWidth, inputRow + x * s->inputChannels,
              s->strideWidth * s->inputChannels, weights + (kernelY * s->kernelWidth + kernelX) * tapStride + o,
              s->outputChannels, s->inputChannels, end - first, columns);
          }
        }
        for (size_t p = 0; p < pixels; p++)
          VGK_NAME(finish)(
            sums + p * blockWidth, bias ? bias + o : NULL, appliesReLU,
            output + (row * s->outputWidth + outputX + p) * s->outputChannels + o, columns);
      }
    }
  }
}

static void VGK_NAME(dense)(
  size_t rowCount, size_t inputCount, size_t outputCount, const float *input, const float *weights, const float *bias,
  bool appliesReLU, float *output, size_t columnStart, size_t columnEnd) {
  // A stripe of columns is walked a few weight rows at a time: long enough runs of memory for the prefetcher, while
  // the sums of the stripe stay in the cache. All the rows of a small batch use a weight while it is there.
  enum { stripeWidth = 256, stripeRows = 4 * VGK_PIXELS, runLength = 32, blockWidth = VGK_NAME(blockWidth) };
  _Alignas(64) double sums[stripeRows * stripeWidth];

  for (size_t column = columnStart; column < columnEnd; column += stripeWidth) {
    const size_t columns = columnEnd - column < stripeWidth ? columnEnd - column : stripeWidth;
    for (size_t row = 0; row < rowCount; row += stripeRows) {
      const size_t rows = rowCount - row < stripeRows ? rowCount - row : stripeRows;
      for (size_t i = 0; i < rows * stripeWidth; i++) sums[i] = 0;
      for (size_t i = 0; i < inputCount; i += runLength) {
        const size_t run = inputCount - i < runLength ? inputCount - i : runLength;
        for (size_t o = 0; o < columns; o += blockWidth)
          for (size_t r = 0; r < rows; r += VGK_PIXELS)
            VGK_NAME(accumulate)(
              sums + r * stripeWidth + o, stripeWidth, input + (row + r) * inputCount + i, inputCount,
              weights + i * outputCount + column + o, outputCount, run,
              rows - r < VGK_PIXELS ? rows - r : VGK_PIXELS, columns - o < blockWidth ? columns - o : blockWidth);
      }
      for (size_t r = 0; r < rows; r++)
        VGK_NAME(finish)(
          sums + r * stripeWidth, bias ? bias + column : NULL, appliesReLU, output + (row + r) * outputCount + column,
          columns);
    }
  }
}
