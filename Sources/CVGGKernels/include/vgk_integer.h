/**
 * Layers of integers: codes of 8 bits in, sums of 32 bits, codes of 8 bits out.
 *
 * Feature maps are NHWC without padding between pixels; a code q stands for (q - zero point) * scale. Weights are
 * symmetric codes, HWIO or [in, out]; biases are in units of the input's scale times the weight's. What a layer
 * computes:
 *
 *   accumulator = bias + sum of (q - inputZeroPoint) * weight, mod 2^32
 *   code        = the accumulator times the channel's scale, rounded, plus the zero point, within low ... high
 *
 * (see vgr_requantize.h). A ReLU is a `low` that is the zero point; padding is the input's zero point. Callers prove
 * that sums do not overflow. Every function gives the same bits as its counterpart in vgk_reference_integer.h,
 * whatever the instruction set, the batch, the number of threads and the range that a caller asks for.
 *
 * Weights are prepared once, for one instruction set, into a buffer of the caller. A plan says how many bytes that
 * and the scratch of each thread must have and how many units of work there are. Both want the alignment of an
 * int32_t; they are fastest when they are aligned to 64 bytes and lie in huge pages.
 */
#ifndef VGK_INTEGER_H
#define VGK_INTEGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CVGGRules.h"
#include "vgk_isa.h"
#include "vgk_reference.h"

#pragma clang assume_nonnull begin

/** Which of the two rules turns accumulators into codes. */
typedef enum __attribute__((enum_extensibility(closed))) {
  /** `vgr_requantize_litert` */
  VGKRoundingLitert = 0,
  /** `vgr_requantize_tflm` */
  VGKRoundingTflm = 1,
} VGKRounding;

/** How the accumulators of a layer become codes: a factor for each output channel, and what holds for all of them. */
typedef struct {
  VGKRounding rounding;
  /** Shape [outputChannels], not negative; read by the rule `litert` only. */
  const float *_Nullable scales;
  /** Shape [outputChannels]; read by the rule `tflm` only. */
  const VGRMultiplier *_Nullable multipliers;
  /** Of the output's codes, all three within -128 ... 127, low <= high. */
  int32_t zeroPoint, low, high;
} VGKRequantization;

/** How a convolution is computed directly. Made by `vgk_integer_direct_plan`; callers read the last four counts. */
typedef struct {
  VGKISA isa;
  VGKConvolutionShape shape;
  int32_t inputZeroPoint;
  /** Bytes of an operand: 1, or 2 where there are no exact products of bytes. */
  size_t elementBytes;
  /** A run: operands side by side in memory that a row of the kernel, or one of its taps, multiplies; in words of 32
      bits that are filled up; and how many runs there are. */
  size_t runElements, runWords, runCount;
  /** A unit of work: blockRows output rows of an image times blockPanels panels of output channels. */
  size_t blockRows, blocksPerImage, blockPanels, channelBlockCount;
  /** Width of the copy of padded input rows, in pixels, and from one of its rows to the next, in bytes. */
  size_t scratchWidth, scratchRowBytes;
  /** Panels of output channels, by which the preparation of weights is split. */
  size_t panelCount;
  /** Bytes of the prepared weights: one or two for each weight, with channels rounded up, and the biases. */
  size_t weightBytes;
  /** Units of work. */
  size_t unitCount;
  /** Bytes of scratch for each thread. */
  size_t scratchBytes;
} VGKIntegerDirect;

/** Plans a direct convolution of any shape for `imageCount` images and about `threadCount` threads. */
VGKIntegerDirect vgk_integer_direct_plan(
  VGKISA isa, const VGKConvolutionShape *shape, int32_t inputZeroPoint, size_t imageCount, size_t threadCount);

/**
 * Packs the weights and biases of panels panelStart ..< panelEnd.
 *
 * @param weights  HWIO
 * @param bias     shape [outputChannels], or null for none
 * @param prepared `weightBytes` bytes; depends on isa, channels, kernel, dilation and the input's zero point only
 */
void vgk_integer_direct_weights(
  const VGKIntegerDirect *plan, const int8_t *weights, const int32_t *_Nullable bias, void *prepared, size_t panelStart,
  size_t panelEnd);

/**
 * Computes units unitStart ..< unitEnd.
 *
 * @param input   shape [imageCount, inputHeight, inputWidth, inputChannels]
 * @param output  shape [imageCount, outputHeight, outputWidth, outputChannels]; each unit writes codes of its own
 * @param scratch `scratchBytes` bytes that no other thread uses
 */
void vgk_integer_direct(
  const VGKIntegerDirect *plan, const int8_t *input, const void *prepared, const VGKRequantization *requantization,
  int8_t *output, void *scratch, size_t unitStart, size_t unitEnd);

/**
 * How a 3 x 3 convolution with stride 1 is computed by Winograd's method F(4 x 4, 3 x 3) with operands of 16 bits
 * and sums mod 2^32: exactly, see `vgk_integer_winograd_is_exact`. Made by `vgk_integer_winograd_plan`; callers read
 * the last four counts.
 */
typedef struct {
  VGKISA isa;
  VGKConvolutionShape shape;
  int32_t inputZeroPoint;
  /** Whether a 2 x 2 maximum pooling with stride 2 follows, and its output size. */
  bool pools;
  size_t pooledHeight, pooledWidth;
  size_t tileRowCount, tileColumnCount, tileCount;
  /** A unit of work: blockTiles tiles times blockPanels panels of output channels. */
  size_t blockTiles, blockPanels, channelBlockCount;
  /** Input channels in blocks of what a register holds of 16 bits, how many of them are multiplied at a time, and words
      of 32 bits from one block of a point to the next, from a point to the next. */
  size_t inputBlocks, chunkBlocks, inputBlockStride, inputPointStride;
  /** Whether weights are prepared as codes, and transformed each time: large ones, which no cache would hold. */
  bool transformsWeights;
  /** Panels of output channels, by which the preparation of weights is split. */
  size_t panelCount;
  /** Bytes of the prepared weights and biases: 8 for each weight, or 1 if these are transformed each time; channels are
      rounded up. */
  size_t weightBytes;
  /** Units of work. */
  size_t unitCount;
  /** Bytes of scratch for each thread. */
  size_t scratchBytes;
} VGKIntegerWinograd;

/** Whether Winograd's method suits a convolution and is expected to be faster than a direct one. */
bool vgk_integer_winograd_pays(VGKISA isa, const VGKConvolutionShape *shape);

/**
 * Whether Winograd's method gives the same accumulators as direct sums, for any codes: that no sum of products,
 * without the bias, can reach 2^29. Where it does not hold, the caller takes a direct convolution.
 *
 * @param weights HWIO
 */
bool vgk_integer_winograd_is_exact(const VGKConvolutionShape *shape, int32_t inputZeroPoint, const int8_t *weights);

/**
 * Plans a convolution for `imageCount` images and about `threadCount` threads.
 *
 * @param shape   3 x 3, stride and dilation 1; sizes at least 1
 * @param pooling a 2 x 2 maximum pooling with stride 2 and no padding that is done at once, or null; its output size
 *                may be rounded up
 */
VGKIntegerWinograd vgk_integer_winograd_plan(
  VGKISA isa, const VGKConvolutionShape *shape, int32_t inputZeroPoint, size_t imageCount,
  const VGKPoolingShape *_Nullable pooling, size_t threadCount);

/**
 * Transforms the weights of panels panelStart ..< panelEnd, and copies their biases.
 *
 * @param weights  shape [3, 3, inputChannels, outputChannels], HWIO
 * @param bias     shape [outputChannels], or null for none
 * @param prepared `weightBytes` bytes; depends on isa and channels only
 */
void vgk_integer_winograd_weights(
  const VGKIntegerWinograd *plan, const int8_t *weights, const int32_t *_Nullable bias, void *prepared,
  size_t panelStart, size_t panelEnd);

/**
 * Computes units unitStart ..< unitEnd, and the pooling of the plan.
 *
 * @param input   shape [imageCount, inputHeight, inputWidth, inputChannels]
 * @param output  of the convolution, or of the pooling; each unit writes codes of its own
 * @param scratch `scratchBytes` bytes that no other thread uses
 */
void vgk_integer_winograd(
  const VGKIntegerWinograd *plan, const int8_t *input, const void *prepared, const VGKRequantization *requantization,
  int8_t *output, void *scratch, size_t unitStart, size_t unitEnd);

/**
 * Computes output columns of a dense layer from the weights as they are stored: [inputCount, outputCount].
 *
 * With one row, weights of inputs that are the zero point are not read. Split into few parts, at multiples of 512
 * columns, for speed.
 *
 * @param input   shape [rowCount, inputCount]
 * @param bias    shape [outputCount], or null for none
 * @param output  shape [rowCount, outputCount]; only columns columnStart ..< columnEnd are written
 */
void vgk_integer_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t inputZeroPoint,
  const int8_t *weights, const int32_t *_Nullable bias, const VGKRequantization *requantization, int8_t *output,
  size_t columnStart, size_t columnEnd);

/** As `vgk_integer_dense`, but gives the accumulators. */
void vgk_integer_dense_accumulators(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t inputZeroPoint,
  const int8_t *weights, const int32_t *_Nullable bias, int32_t *accumulators, size_t columnStart, size_t columnEnd);

/**
 * Computes output rows of a pooling of codes; input and output share scale and zero point.
 *
 * The maximum keeps codes. The average is their sum divided by the number of them, to nearest, ties away from zero;
 * padding does not count. A window that lies in the padding altogether gives -128.
 *
 * @param input  shape [N, inputHeight, inputWidth, channels], NHWC
 * @param output shape [N, outputHeight, outputWidth, channels], NHWC; only the rows of the range are written
 */
void vgk_integer_pooling(
  VGKISA isa, const VGKPoolingShape *shape, VGKPooling kind, const int8_t *input, int8_t *output, size_t rowStart,
  size_t rowEnd);

/** Turns values into codes within -128 ... 127 as `vgr_code_from_zero_point` does. */
void vgk_integer_quantize(
  VGKISA isa, const float *values, size_t count, float scale, int32_t zeroPoint, int8_t *codes);

/** Turns codes into values: (code - zero point) * scale. */
void vgk_integer_dequantize(
  VGKISA isa, const int8_t *codes, size_t count, float scale, int32_t zeroPoint, float *values);

#pragma clang assume_nonnull end

#endif
