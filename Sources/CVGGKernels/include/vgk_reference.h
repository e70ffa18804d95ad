/**
 * The reference path: what the layers of a VGG compute, as plainly as possible.
 *
 * Each output value is one sum in double precision, taken in a fixed order, rounded once to float32. The
 * product of two float32 values is exact in double (24 + 24 <= 53 bits, and no exponent leaves the range),
 * so a fused multiply-add and a multiplication followed by an addition give the same bits: results
 * do not depend on the instruction set, on the number of threads, or on how the range is split.
 *
 * Work is given as a range of output rows (or columns, or pixels), so that callers split it over threads. A row number
 * counts through the batch: row = image * outputHeight + y. Conventions of buffers: see CVGGKernels.h.
 */
#ifndef VGK_REFERENCE_H
#define VGK_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "vgk_isa.h"

#pragma clang assume_nonnull begin

/** Roundings of an output to float32, at most: one, and those in double precision, which are less than another one. */
enum { VGKReferenceRoundings = 2 };

/** The geometry of a convolution of one image. All sizes, strides and dilations are at least 1. */
typedef struct {
  size_t inputHeight, inputWidth, inputChannels;
  /** Given by the caller; positions that it asks for beyond the padding below or right count as padding. */
  size_t outputHeight, outputWidth, outputChannels;
  size_t kernelHeight, kernelWidth;
  size_t strideHeight, strideWidth;
  /** Rows of padding above, columns of padding left. Below and right follow from the output size. */
  size_t paddingHeight, paddingWidth;
  /** Distance of neighbouring taps: 1 is a dense kernel. */
  size_t dilationHeight, dilationWidth;
} VGKConvolutionShape;

/**
 * Computes output rows of a convolution (correlation: the kernel is not flipped), with bias and ReLU.
 *
 * Order of each sum: kernel row, kernel column, input channel, then the bias. Taps in the padding are left out.
 * ReLU turns values <= 0 into +0 and lets NaN through.
 *
 * @param isa      an available instruction set
 * @param input    shape [N, inputHeight, inputWidth, inputChannels], NHWC
 * @param weights  shape [kernelHeight, kernelWidth, inputChannels, outputChannels], HWIO
 * @param bias     shape [outputChannels], or null for none
 * @param output   shape [N, outputHeight, outputWidth, outputChannels], NHWC; only the rows of the range are written
 * @param rowStart first row, counted through the batch
 * @param rowEnd   one past the last row, at most N * outputHeight
 */
void vgk_reference_convolution(
  VGKISA isa, const VGKConvolutionShape *shape, const float *input, const float *weights,
  const float *_Nullable bias, bool appliesReLU, float *output, size_t rowStart, size_t rowEnd);

/**
 * Computes output columns of a dense layer: y[n, o] = sum over i of x[n, i] * w[i, o], then + b[o], with ReLU.
 *
 * Order of each sum: ascending i, then the bias. The weights are read once for each 24 rows of the batch.
 *
 * @param isa     an available instruction set
 * @param input   shape [rowCount, inputCount]
 * @param weights shape [inputCount, outputCount]
 * @param bias    shape [outputCount], or null for none
 * @param output  shape [rowCount, outputCount]; only columns columnStart ..< columnEnd are written
 */
void vgk_reference_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input, const float *weights,
  const float *_Nullable bias, bool appliesReLU, float *output, size_t columnStart, size_t columnEnd);

/** What a pooling window becomes. */
typedef enum __attribute__((enum_extensibility(closed))) {
  /** The largest value; padding is ignored; NaN wins. A window that lies in the padding altogether gives -inf. */
  VGKPoolingMaximum = 0,
  /** The sum divided by the size of the window clipped to the padded image, as Caffe does: padding counts,
      what a rounded-up output size reads beyond the padding does not. */
  VGKPoolingAverage = 1,
} VGKPooling;

/** The geometry of a pooling of one image. Kernels and strides are at least 1. */
typedef struct {
  size_t inputHeight, inputWidth, channels;
  /** Rounded up or down by the caller; each window must start inside the padded image. */
  size_t outputHeight, outputWidth;
  size_t kernelHeight, kernelWidth;
  size_t strideHeight, strideWidth;
  /** Padding on either side. */
  size_t paddingHeight, paddingWidth;
} VGKPoolingShape;

/**
 * Computes output rows of a pooling. Averages are summed in double: window row, then column.
 *
 * @param input  shape [N, inputHeight, inputWidth, channels], NHWC
 * @param output shape [N, outputHeight, outputWidth, channels], NHWC; only the rows of the range are written
 */
void vgk_reference_pooling(
  const VGKPoolingShape *shape, VGKPooling kind, const float *input, float *output, size_t rowStart, size_t rowEnd);

/** Local response normalisation: y = x / (k + scale * sum of x^2 over the window) ^ beta, in double. */
typedef struct {
  /** Elements of the window along each axis that it spans: odd. Clipped at the ends. */
  size_t windowSize;
  double k;
  /** What each square is multiplied by: for Caffe alpha / windowSize across channels and
      alpha / windowSize^2 within a channel; the paper's alpha is used as it is. */
  double scale;
  double beta;
} VGKNormalization;

/**
 * Normalises pixels across channels: the window of channel c is c - windowSize/2 ... c + windowSize/2.
 *
 * @param input  shape [pixelCount, channels], where pixels are counted through the batch
 * @param output the same shape; only pixels pixelStart ..< pixelEnd are written
 */
void vgk_reference_lrn_across_channels(
  const VGKNormalization *normalization, size_t channels, const float *input, float *output, size_t pixelStart,
  size_t pixelEnd);

/**
 * Normalises rows within each channel: the window is a square of the same image (Caffe: k is 1).
 *
 * @param input  shape [N, height, width, channels], NHWC
 * @param output the same shape; only the rows of the range (counted through the batch) are written
 */
void vgk_reference_lrn_within_channel(
  const VGKNormalization *normalization, size_t height, size_t width, size_t channels, const float *input,
  float *output, size_t rowStart, size_t rowEnd);

/**
 * Computes softmax of rows in double: exp(x - largest) / sum of these, summed in ascending order.
 *
 * @param input  shape [rows, count]; count is at least 1
 * @param output the same shape; only rows rowStart ..< rowEnd are written
 */
void vgk_reference_softmax(size_t count, const float *input, float *output, size_t rowStart, size_t rowEnd);

/**
 * Computes the logistic function of each value in double: 1 / (1 + exp(-x)).
 *
 * @param count  the number of values
 * @param output the same number
 */
void vgk_reference_sigmoid(size_t count, const float *input, float *output);

#pragma clang assume_nonnull end

#endif
