/**
 * The fast path: the layers of a VGG in float32, vectorised and blocked for the caches.
 *
 * Activations between fast layers are NHWC with the channels of a pixel padded with zeros to a multiple of 16
 * ("padded NHWC", `vgk_fast_channel_stride`); for a multiple of 16 this is NHWC itself. Each function says which of
 * the two it takes. Sums are float32, taken in ascending order of the input in chunks of `VGKConvolutionChunk` or
 * `VGKDenseChunk` terms; then the chunks are added up, which keeps rounding errors small. Results depend on the
 * instruction set and on the tile size of Winograd, but not on the number of threads, the range that a caller asks for,
 * or the batch.
 *
 * Weights are prepared once, for one instruction set, into a buffer of the caller. A plan says how large that and the
 * scratch of each thread must be and how many units of work there are. Buffers are fastest when they are
 * aligned to 64 bytes and lie in huge pages: 5 to 10 % of a whole network.
 */
#ifndef VGK_FAST_H
#define VGK_FAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgk_isa.h"
#include "vgk_reference.h"

#pragma clang assume_nonnull begin

/** Terms of a sum that are added up from zero before they join the total: of convolutions, of dense layers. */
enum { VGKConvolutionChunk = 128, VGKDenseChunk = 256 };

/** What the channels of a pixel are padded to in padded NHWC: a multiple of this. */
enum { VGKChannelMultiple = 16 };

/** Floats from one pixel to the next in padded NHWC. */
static inline size_t vgk_fast_channel_stride(size_t channels) {
  return (channels + VGKChannelMultiple - 1) / VGKChannelMultiple * VGKChannelMultiple;
}

/** Copies pixels pixelStart ..< pixelEnd from NHWC to padded NHWC. */
void vgk_fast_pad_channels(size_t channels, const float *input, float *output, size_t pixelStart, size_t pixelEnd);

/** Copies pixels pixelStart ..< pixelEnd from padded NHWC to NHWC. */
void vgk_fast_unpad_channels(size_t channels, const float *input, float *output, size_t pixelStart, size_t pixelEnd);

/**
 * How a 3 x 3 convolution with stride 1 is computed by Winograd's method F(m x m, 3 x 3). Made by
 * `vgk_fast_winograd_plan`; callers read the last three counts.
 */
typedef struct {
  VGKISA isa;
  /** m: the side of a tile of outputs, 4, 5, 6 or 7. */
  size_t outputTile;
  VGKConvolutionShape shape;
  /** Whether a 2 x 2 maximum pooling with stride 2 follows, and its output size. */
  bool pools;
  size_t pooledHeight, pooledWidth;
  /** 4 if tiles are numbered by 2 x 2, since pooling needs four at a time; else 1. */
  size_t groupTiles;
  size_t tileRowCount, tileColumnCount, tileCount;
  /** A unit of work: blockTiles tiles times blockPanels panels of output channels. */
  size_t blockTiles, blockPanels, channelBlockCount;
  size_t inputRowStride, inputPointStride;
  /** Panels of output channels, by which the preparation of weights is split. */
  size_t panelCount;
  /** Floats of the prepared weights: about ((m + 2) / 3)^2 times the weights. */
  size_t weightCount;
  /** Units of work. */
  size_t unitCount;
  /** Floats of scratch for each thread. */
  size_t scratchCount;
} VGKWinograd;

/**
 * The m that is expected to be fastest, or 0 if the convolution is not 3 x 3 with stride 1, or direct is faster.
 *
 * An odd m with pooling computes an even number of tiles along each axis: where that changes the answer, pooling
 * apart from the convolution is faster.
 *
 * Largest error against the reference path over the layers of a VGG-16 with random weights, in units of the largest
 * output: 1.5e-6 for m = 4, 5e-6 for 5, 1.3e-5 for 6, 3.5e-5 for 7 (direct: 3e-7).
 *
 * @param pools       whether the pooling is to be fused
 * @param largestTile the largest m to choose: 7, or less for more accuracy
 */
size_t vgk_fast_winograd_best_tile(const VGKConvolutionShape *shape, bool pools, size_t largestTile);

/**
 * Plans a convolution for `imageCount` images and about `threadCount` threads.
 *
 * @param shape   3 x 3, stride and dilation 1; sizes at least 1
 * @param pooling a 2 x 2 maximum pooling with stride 2 and no padding that is done at once, or null; its output size
 *                may be rounded up
 */
VGKWinograd vgk_fast_winograd_plan(
  VGKISA isa, size_t outputTile, const VGKConvolutionShape *shape, size_t imageCount,
  const VGKPoolingShape *_Nullable pooling, size_t threadCount);

/**
 * Transforms the weights of panels panelStart ..< panelEnd, in double, rounded once.
 *
 * @param weights  shape [3, 3, inputChannels, outputChannels], HWIO
 * @param prepared `weightCount` floats; depends on isa, m and channels only
 */
void vgk_fast_winograd_weights(
  const VGKWinograd *plan, const float *weights, float *prepared, size_t panelStart, size_t panelEnd);

/**
 * Computes units unitStart ..< unitEnd, with bias and ReLU, and the pooling of the plan.
 *
 * @param input   padded NHWC
 * @param bias    shape [outputChannels], or null for none
 * @param output  padded NHWC: of the convolution, or of the pooling; each unit writes pixels and channels of its own
 * @param scratch `scratchCount` floats that no other thread uses
 */
void vgk_fast_winograd(
  const VGKWinograd *plan, const float *input, const float *prepared, const float *_Nullable bias, bool appliesReLU,
  float *output, float *scratch, size_t unitStart, size_t unitEnd);

/**
 * How often anything that makes up an output is rounded on its way, at most: n of gamma(n) = n u / (1 - n u), u = 2^-24.
 */
size_t vgk_fast_winograd_roundings(size_t inputChannels);

/**
 * How much larger than the terms of the sums the numbers are that F(m x m, 3 x 3) rounds, at most: the error of an
 * output is at most gamma(roundings) times this times the sum over the input channels of the largest |x| of a tile times
 * the sum of |w|. 0 for an m that there is not.
 */
double vgk_fast_winograd_amplification(size_t outputTile);

/** How a convolution is computed directly. Made by `vgk_fast_direct_plan`; callers read the last three counts. */
typedef struct {
  VGKISA isa;
  VGKConvolutionShape shape;
  size_t inputStride;
  /** 1 x 1 without stride and padding: rows need not be kept apart. */
  bool isPointwise;
  /** Output rows that share one copy of padded input rows, and the width of these in pixels. */
  size_t blockRows, scratchWidth;
  /** Panels of output channels. */
  size_t panelCount;
  /** Floats of the prepared weights: the weights, with the output channels rounded up to a panel. */
  size_t weightCount;
  /** Floats of scratch for each thread; may be 0. */
  size_t scratchCount;
} VGKDirect;

/**
 * Plans a direct convolution of any shape.
 *
 * @param inputStride floats from one input pixel to the next: the number of input channels (NHWC, for pictures), or
 *                    `vgk_fast_channel_stride` of it (padded NHWC)
 */
VGKDirect vgk_fast_direct_plan(VGKISA isa, const VGKConvolutionShape *shape, size_t inputStride);

/**
 * Packs some rows of the weights.
 *
 * @param weights  rows rowStart ..< rowEnd of all: HWIO is [kernelHeight * kernelWidth * inputChannels, outputChannels]
 * @param prepared room for all weights: `weightCount` floats
 */
void vgk_fast_direct_weights(
  const VGKDirect *plan, const float *weights, float *prepared, size_t rowStart, size_t rowEnd);

/**
 * Computes output rows rowStart ..< rowEnd, counted through the batch, with bias and ReLU.
 *
 * @param output  padded NHWC
 * @param scratch `scratchCount` floats that no other thread uses; null if there are none
 */
void vgk_fast_direct(
  const VGKDirect *plan, const float *input, const float *prepared, const float *_Nullable bias, bool appliesReLU,
  float *output, float *_Nullable scratch, size_t rowStart, size_t rowEnd);

/**
 * How often anything that makes up an output is rounded on its way, at most: its error is no more than
 * gamma(roundings) times the sum of |w| |x| and |b|.
 */
size_t vgk_fast_direct_roundings(const VGKConvolutionShape *shape);

/**
 * Computes output columns of a dense layer as `vgk_reference_dense` does, in float32, from the weights as they are
 * stored: [inputCount, outputCount].
 *
 * With one row, weights of inputs that are zero are not read, which after ReLU saves half the time or more; an
 * infinite or NaN weight of such an input does not show. Split into few parts, at multiples of 512 columns, for speed.
 */
void vgk_fast_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input, const float *weights,
  const float *_Nullable bias, bool appliesReLU, float *output, size_t columnStart, size_t columnEnd);

/** As `vgk_fast_direct_roundings`. */
size_t vgk_fast_dense_roundings(size_t inputCount);

/**
 * Adds the products of some inputs of a dense layer to sums, in ascending order: for weights that are decoded some rows
 * at a time. Over a chunk of inputs that begins at a multiple of `VGKDenseChunk`, and starting from zeros, this gives
 * the sums that `vgk_fast_dense` adds to the total, however the chunk is cut. Zeros are skipped as there.
 *
 * @param inputCount  at most `VGKDenseChunk`
 * @param inputStride floats from one row of inputs to the next
 * @param weights     shape [inputCount, outputCount]
 * @param sums        shape [rowCount, outputCount]
 */
void vgk_fast_dense_add(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t inputStride, size_t outputCount, const float *input,
  const float *weights, float *sums);

/** Weights of a dense layer as codes, [inputCount, outputCount]: each stands for (code - zero point) * scale. */
typedef struct {
  /** One in a byte, or two int4, the first one in the lower half; then outputCount is even. */
  const void *codes;
  bool isPacked;
  /** Inputs that share scales. */
  size_t groupLength;
  /** Shape [inputCount / groupLength, rounded up, outputCount]. */
  const float *scales;
  /** The same shape, or null for 0. */
  const int8_t *_Nullable zeroPoints;
} VGKCodedWeights;

/**
 * Computes output columns of a dense layer from codes, with the bits that `vgk_fast_dense` gives for the values of the
 * weights. These are computed a few rows at a time, and with one row only for inputs that are not zero.
 *
 * @param columnStart even if two codes share a byte
 */
void vgk_fast_coded_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input,
  const VGKCodedWeights *weights, const float *_Nullable bias, bool appliesReLU, float *output, size_t columnStart,
  size_t columnEnd);

/** Computes output rows of a pooling as `vgk_reference_pooling` does, on padded NHWC; averages are float32 sums. */
void vgk_fast_pooling(
  VGKISA isa, const VGKPoolingShape *shape, VGKPooling kind, const float *input, float *output, size_t rowStart,
  size_t rowEnd);

/**
 * Normalises pixels across channels as `vgk_reference_lrn_across_channels` does, on padded NHWC, in float32.
 *
 * Relative error at most `vgk_fast_normalization_roundings` times 2^-24.
 */
void vgk_fast_normalization(
  VGKISA isa, const VGKNormalization *normalization, size_t channels, const float *input, float *output,
  size_t pixelStart, size_t pixelEnd);

/**
 * The largest relative error of a normalised value, in units of 2^-24: 8 + beta (elements + 3) + 2 beta |log2 s|, where
 * s = k + scale * sum is not made small by cancellation (k and scale at least 0).
 *
 * @param elementCount the elements of a window
 * @param logarithm    |log2 s|
 */
double vgk_fast_normalization_roundings(double beta, size_t elementCount, double logarithm);

#pragma clang assume_nonnull end

#endif
