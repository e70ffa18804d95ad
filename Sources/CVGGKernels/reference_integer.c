/* The reference of layers of integers. Sums are taken in unsigned numbers, which are defined mod 2^32. */
#include "vgk_reference_integer.h"

int32_t vgk_reference_integer_code(const VGKRequantization *r, int32_t accumulator, size_t channel) {
  return r->rounding == VGKRoundingLitert
    ? vgr_requantize_litert(accumulator, r->scales[channel], r->zeroPoint, r->low, r->high)
    : vgr_requantize_tflm(accumulator, r->multipliers[channel], r->zeroPoint, r->low, r->high);
}

static int32_t convolutionSum(
  const VGKConvolutionShape *s, const int8_t *image, int32_t zeroPoint, const int8_t *weights, size_t y, size_t x,
  size_t channel) {
  uint32_t sum = 0;
  for (size_t kernelY = 0; kernelY < s->kernelHeight; kernelY++)
    for (size_t kernelX = 0; kernelX < s->kernelWidth; kernelX++) {
      // In coordinates of the padded image, so that nothing is negative.
      const size_t paddedY = y * s->strideHeight + kernelY * s->dilationHeight;
      const size_t paddedX = x * s->strideWidth + kernelX * s->dilationWidth;
      if (paddedY < s->paddingHeight || paddedY >= s->paddingHeight + s->inputHeight) continue;
      if (paddedX < s->paddingWidth || paddedX >= s->paddingWidth + s->inputWidth) continue;
      const size_t inputY = paddedY - s->paddingHeight, inputX = paddedX - s->paddingWidth;
      for (size_t i = 0; i < s->inputChannels; i++) {
        const int32_t code = image[(inputY * s->inputWidth + inputX) * s->inputChannels + i];
        const int32_t weight =
          weights[((kernelY * s->kernelWidth + kernelX) * s->inputChannels + i) * s->outputChannels + channel];
        sum += (uint32_t)((code - zeroPoint) * weight);
      }
    }
  return (int32_t)sum;
}

static int32_t plus(int32_t sum, const int32_t *bias, size_t channel) {
  return (int32_t)((uint32_t)sum + (uint32_t)(bias ? bias[channel] : 0));
}

void vgk_reference_integer_convolution(
  const VGKConvolutionShape *s, const int8_t *input, int32_t inputZeroPoint, const int8_t *weights,
  const int32_t *bias, const VGKRequantization *requantization, int8_t *output, size_t rowStart, size_t rowEnd) {
  for (size_t row = rowStart; row < rowEnd; row++) {
    const int8_t *image = input + row / s->outputHeight * s->inputHeight * s->inputWidth * s->inputChannels;
    for (size_t x = 0; x < s->outputWidth; x++)
      for (size_t channel = 0; channel < s->outputChannels; channel++) {
        const int32_t sum = convolutionSum(s, image, inputZeroPoint, weights, row % s->outputHeight, x, channel);
        output[(row * s->outputWidth + x) * s->outputChannels + channel] =
          (int8_t)vgk_reference_integer_code(requantization, plus(sum, bias, channel), channel);
      }
  }
}

static int32_t denseSum(
  size_t inputCount, size_t outputCount, const int8_t *input, int32_t zeroPoint, const int8_t *weights, size_t column) {
  uint32_t sum = 0;
  for (size_t i = 0; i < inputCount; i++)
    sum += (uint32_t)((input[i] - zeroPoint) * weights[i * outputCount + column]);
  return (int32_t)sum;
}

void vgk_reference_integer_dense_accumulators(
  size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t inputZeroPoint,
  const int8_t *weights, const int32_t *bias, int32_t *accumulators, size_t columnStart, size_t columnEnd) {
  for (size_t row = 0; row < rowCount; row++)
    for (size_t column = columnStart; column < columnEnd; column++)
      accumulators[row * outputCount + column] = plus(
        denseSum(inputCount, outputCount, input + row * inputCount, inputZeroPoint, weights, column), bias, column);
}

void vgk_reference_integer_dense(
  size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t inputZeroPoint,
  const int8_t *weights, const int32_t *bias, const VGKRequantization *requantization, int8_t *output,
  size_t columnStart, size_t columnEnd) {
  for (size_t row = 0; row < rowCount; row++)
    for (size_t column = columnStart; column < columnEnd; column++) {
      const int32_t sum =
        denseSum(inputCount, outputCount, input + row * inputCount, inputZeroPoint, weights, column);
      output[row * outputCount + column] =
        (int8_t)vgk_reference_integer_code(requantization, plus(sum, bias, column), column);
    }
}

static int32_t pooled(
  const VGKPoolingShape *s, VGKPooling kind, const int8_t *image, size_t y, size_t x, size_t channel) {
  int32_t largest = -128, sum = 0, count = 0;
  for (size_t kernelY = 0; kernelY < s->kernelHeight; kernelY++)
    for (size_t kernelX = 0; kernelX < s->kernelWidth; kernelX++) {
      const size_t paddedY = y * s->strideHeight + kernelY, paddedX = x * s->strideWidth + kernelX;
      if (paddedY < s->paddingHeight || paddedY >= s->paddingHeight + s->inputHeight) continue;
      if (paddedX < s->paddingWidth || paddedX >= s->paddingWidth + s->inputWidth) continue;
      const size_t pixel = (paddedY - s->paddingHeight) * s->inputWidth + paddedX - s->paddingWidth;
      const int32_t code = image[pixel * s->channels + channel];
      largest = code > largest ? code : largest;
      sum += code;
      count += 1;
    }
  if (kind == VGKPoolingMaximum || count == 0) return largest;
  return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

void vgk_reference_integer_pooling(
  const VGKPoolingShape *s, VGKPooling kind, const int8_t *input, int8_t *output, size_t rowStart, size_t rowEnd) {
  for (size_t row = rowStart; row < rowEnd; row++) {
    const int8_t *image = input + row / s->outputHeight * s->inputHeight * s->inputWidth * s->channels;
    for (size_t x = 0; x < s->outputWidth; x++)
      for (size_t channel = 0; channel < s->channels; channel++)
        output[(row * s->outputWidth + x) * s->channels + channel] =
          (int8_t)pooled(s, kind, image, row % s->outputHeight, x, channel);
  }
}

void vgk_reference_integer_quantize(
  const float *values, size_t count, float scale, int32_t zeroPoint, int8_t *codes) {
  for (size_t i = 0; i < count; i++)
    codes[i] = (int8_t)vgr_code_from_zero_point(values[i], scale, zeroPoint, -128, 127);
}

void vgk_reference_integer_dequantize(
  const int8_t *codes, size_t count, float scale, int32_t zeroPoint, float *values) {
  for (size_t i = 0; i < count; i++) values[i] = vgr_f32_from_code(codes[i] - zeroPoint, scale);
}
