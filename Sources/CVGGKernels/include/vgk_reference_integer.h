/**
 * The reference of layers of integers: what vgk_integer.h computes, as plainly as possible. Conventions: see there.
 */
#ifndef VGK_REFERENCE_INTEGER_H
#define VGK_REFERENCE_INTEGER_H

#include "vgk_integer.h"

#pragma clang assume_nonnull begin

/** The code of an accumulator of an output channel. */
int32_t vgk_reference_integer_code(
  const VGKRequantization *requantization, int32_t accumulator, size_t outputChannel);

/**
 * Computes output rows of a convolution.
 *
 * @param input    shape [N, inputHeight, inputWidth, inputChannels], NHWC
 * @param weights  shape [kernelHeight, kernelWidth, inputChannels, outputChannels], HWIO
 * @param bias     shape [outputChannels], or null for none
 * @param output   shape [N, outputHeight, outputWidth, outputChannels], NHWC; only the rows of the range are written
 * @param rowStart first row, counted through the batch
 * @param rowEnd   one past the last row, at most N * outputHeight
 */
void vgk_reference_integer_convolution(
  const VGKConvolutionShape *shape, const int8_t *input, int32_t inputZeroPoint, const int8_t *weights,
  const int32_t *_Nullable bias, const VGKRequantization *requantization, int8_t *output, size_t rowStart,
  size_t rowEnd);

/** Computes output columns of a dense layer as `vgk_integer_dense` does. */
void vgk_reference_integer_dense(
  size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t inputZeroPoint,
  const int8_t *weights, const int32_t *_Nullable bias, const VGKRequantization *requantization, int8_t *output,
  size_t columnStart, size_t columnEnd);

/** Computes accumulators of a dense layer as `vgk_integer_dense_accumulators` does. */
void vgk_reference_integer_dense_accumulators(
  size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t inputZeroPoint,
  const int8_t *weights, const int32_t *_Nullable bias, int32_t *accumulators, size_t columnStart, size_t columnEnd);

/** Computes output rows of a pooling as `vgk_integer_pooling` does. */
void vgk_reference_integer_pooling(
  const VGKPoolingShape *shape, VGKPooling kind, const int8_t *input, int8_t *output, size_t rowStart, size_t rowEnd);

/** Turns values into codes as `vgk_integer_quantize` does. */
void vgk_reference_integer_quantize(
  const float *values, size_t count, float scale, int32_t zeroPoint, int8_t *codes);

/** Turns codes into values as `vgk_integer_dequantize` does. */
void vgk_reference_integer_dequantize(
  const int8_t *codes, size_t count, float scale, int32_t zeroPoint, float *values);

#pragma clang assume_nonnull end

#endif
