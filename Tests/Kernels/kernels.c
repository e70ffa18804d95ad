/*
 * The kernels of an instruction set against the reference path of the baseline, as a plain program: so that a machine can
 * test another architecture's under an emulator, and memory checkers can watch. Prints what is wrong.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "CVGGKernels.h"
#include "integers.h"

static float randomNumber(void) { return (float)rand() / (float)RAND_MAX * 2 - 1; }

static float *numbers(size_t count, bool random) {
  float *values = calloc(count + 1, sizeof(float));
  for (size_t i = 0; random && i < count; i++) values[i] = randomNumber();
  return values;
}

static bool failed = false;

/* Compares rows of `count` values whose starts are `stride` apart, in units of the largest one. */
static void compare(const char *what, const float *seen, size_t stride, const float *expected, size_t count,
                    size_t rows, double tolerance) {
  double error = 0, largest = 0;
  for (size_t row = 0; row < rows; row++)
    for (size_t i = 0; i < count; i++) {
      const double difference = fabs((double)seen[row * stride + i] - (double)expected[row * count + i]);
      if (!(difference <= error)) error = difference;
      largest = fmax(largest, fabs((double)expected[row * count + i]));
    }
  if (error <= largest * tolerance) return;
  failed = true;
  printf("%s: error %.2g of the largest value, allowed %.2g\n", what, error / largest, tolerance);
}

/* By Winograd's method with so many outputs a tile, which a pooling may follow, or directly for 0. */
static void convolution(VGKISA isa, size_t tile, bool pools) {
  static const double tolerances[] = {[0] = 2e-6, [4] = 1e-5, [5] = 3e-5, [6] = 6e-5, [7] = 2e-4};
  const size_t inputs = 1 + (size_t)rand() % 40, outputs = 1 + (size_t)rand() % 70;
  const size_t height = 3 + (size_t)rand() % 20, width = 3 + (size_t)rand() % 20;
  const VGKConvolutionShape shape = {height, width, inputs, height, width, outputs, 3, 3, 1, 1, 1, 1, 1, 1};
  const size_t inputStride = vgk_fast_channel_stride(inputs), stride = vgk_fast_channel_stride(outputs);
  const VGKPoolingShape pooling = {height, width, outputs, (height + 1) / 2, (width + 1) / 2, 2, 2, 2, 2, 0, 0};
  const size_t pixels = height * width, pooledPixels = pooling.outputHeight * pooling.outputWidth;
  float *packed = numbers(pixels * inputs, true), *weights = numbers(9 * inputs * outputs, true);
  float *bias = numbers(outputs, true), *input = numbers(pixels * inputStride, false);
  float *output = numbers(pixels * stride, false), *expected = numbers(pixels * outputs, false);
  vgk_fast_pad_channels(inputs, packed, input, 0, pixels);
  vgk_reference_convolution(VGKISAPortable, &shape, packed, weights, bias, true, expected, 0, height);
  float *prepared, *scratch, *pooled = numbers(pooledPixels * outputs, false);
  vgk_reference_pooling(&pooling, VGKPoolingMaximum, expected, pooled, 0, pooling.outputHeight);
  if (tile > 0) {
    const VGKWinograd plan = vgk_fast_winograd_plan(isa, tile, &shape, 1, pools ? &pooling : NULL, 2);
    prepared = numbers(plan.weightCount, false);
    scratch = numbers(plan.scratchCount, false);
    vgk_fast_winograd_weights(&plan, weights, prepared, 0, plan.panelCount);
    vgk_fast_winograd(&plan, input, prepared, bias, true, output, scratch, 0, plan.unitCount);
  } else {
    const VGKDirect plan = vgk_fast_direct_plan(isa, &shape, inputStride);
    prepared = numbers(plan.weightCount, false);
    scratch = numbers(plan.scratchCount, false);
    vgk_fast_direct_weights(&plan, weights, prepared, 0, 9 * inputs);
    vgk_fast_direct(&plan, input, prepared, bias, true, output, scratch, 0, height);
  }
  char name[100];
  snprintf(name, sizeof name, "%s convolution, tile %zu%s, %zux%zu, %zu to %zu channels", vgk_isa_name(isa), tile,
           pools ? " with pooling" : "", height, width, inputs, outputs);
  compare(name, output, stride, pools ? pooled : expected, outputs, pools ? pooledPixels : pixels, tolerances[tile]);
  free(packed), free(weights), free(bias), free(input), free(output), free(expected), free(prepared), free(scratch);
  free(pooled);
}

static void dense(VGKISA isa, size_t rows) {
  const size_t inputs = 700, outputs = 301;
  float *input = numbers(rows * inputs, true), *weights = numbers(inputs * outputs, true);
  float *bias = numbers(outputs, true), *output = numbers(rows * outputs, false);
  float *expected = numbers(rows * outputs, false);
  for (size_t i = 0; i < rows * inputs; i++) input[i] = fmaxf(0, input[i]);
  vgk_fast_dense(isa, rows, inputs, outputs, input, weights, bias, true, output, 0, outputs);
  vgk_reference_dense(VGKISAPortable, rows, inputs, outputs, input, weights, bias, true, expected, 0, outputs);
  char name[80];
  snprintf(name, sizeof name, "%s dense, %zu rows", vgk_isa_name(isa), rows);
  compare(name, output, outputs, expected, outputs, rows, 1e-6);
  free(input), free(weights), free(bias), free(output), free(expected);
}

/* From codes of 8 or 4 bits: the bits that their values give. */
static void codedDense(VGKISA isa, size_t rows, bool isPacked, bool hasZeroPoints) {
  const size_t inputs = 700, outputs = 622, groupLength = rows % 2 == 1 ? 64 : inputs;
  const size_t groups = (inputs + groupLength - 1) / groupLength;
  float *input = numbers(rows * inputs, true), *scales = numbers(groups * outputs, true);
  float *bias = numbers(outputs, true), *values = numbers(inputs * outputs, false);
  float *output = numbers(rows * outputs, false), *expected = numbers(rows * outputs, false);
  int8_t *zeroPoints = malloc(groups * outputs), *codes = malloc(inputs * outputs);
  uint8_t *packed = malloc(inputs * outputs / 2);
  for (size_t i = 0; i < rows * inputs; i++) input[i] = fmaxf(0, input[i]);
  for (size_t i = 0; i < groups * outputs; i++) zeroPoints[i] = (int8_t)(rand() % 16 - 8);
  for (size_t i = 0; i < inputs * outputs; i++) {
    const size_t group = i / outputs / groupLength * outputs + i % outputs;
    codes[i] = (int8_t)(isPacked ? rand() % 16 - 8 : rand() % 255 - 127);
    values[i] = vgr_f32_from_code(codes[i] - (hasZeroPoints ? zeroPoints[group] : 0), scales[group]);
    if (i % 2 == 1) packed[i / 2] = vgr_nibbles(codes[i - 1], codes[i]);
  }
  const VGKCodedWeights weights = {isPacked ? (void *)packed : codes, isPacked, groupLength, scales,
                                   hasZeroPoints ? zeroPoints : NULL};
  vgk_fast_coded_dense(isa, rows, inputs, outputs, input, &weights, bias, true, output, 530, outputs);
  vgk_fast_coded_dense(isa, rows, inputs, outputs, input, &weights, bias, true, output, 0, 530);
  vgk_fast_dense(isa, rows, inputs, outputs, input, values, bias, true, expected, 0, outputs);
  char name[80];
  snprintf(name, sizeof name, "%s dense from %d bits, %zu rows", vgk_isa_name(isa), isPacked ? 4 : 8, rows);
  compare(name, output, outputs, expected, outputs, rows, 0);
  free(input), free(scales), free(bias), free(values), free(output), free(expected), free(zeroPoints), free(codes);
  free(packed);
}

static void poolingAndNormalization(VGKISA isa, size_t channels) {
  const VGKPoolingShape shape = {9, 11, channels, 4, 5, 2, 2, 2, 2, 0, 0};
  const VGKNormalization constants = {5, 2, 1e-1, 0.75};
  const size_t pixels = 9 * 11, stride = vgk_fast_channel_stride(channels);
  float *packed = numbers(pixels * channels, true), *input = numbers(pixels * stride, false);
  float *output = numbers(pixels * stride, false), *expected = numbers(pixels * channels, false);
  vgk_fast_pad_channels(channels, packed, input, 0, pixels);
  for (int kind = VGKPoolingMaximum; kind <= VGKPoolingAverage; kind++) {
    vgk_fast_pooling(isa, &shape, (VGKPooling)kind, input, output, 0, 4);
    vgk_reference_pooling(&shape, (VGKPooling)kind, packed, expected, 0, 4);
    compare("pooling", output, stride, expected, channels, 4 * 5, 1e-6);
  }
  vgk_fast_normalization(isa, &constants, channels, input, output, 0, pixels);
  vgk_reference_lrn_across_channels(&constants, channels, packed, expected, 0, pixels);
  compare("normalisation", output, stride, expected, channels, pixels, 2e-6);
  free(packed), free(input), free(output), free(expected);
}

int main(void) {
  for (int isa = VGKISAPortable; isa <= VGKISAAvx512Vnni; isa++) {
    if (!vgk_isa_is_available((VGKISA)isa)) continue;
    for (int seed = 0; seed < 6; seed++) {
      convolution((VGKISA)isa, 0, false);
      for (size_t tile = 4; tile <= 7; tile++)
        for (int pools = 0; pools < 2; pools++) convolution((VGKISA)isa, tile, pools);
      poolingAndNormalization((VGKISA)isa, 1 + (size_t)rand() % 60);
    }
    for (size_t rows = 1; rows <= 17; rows += 8) {
      dense((VGKISA)isa, rows);
      for (int kind = 0; kind < 4; kind++) codedDense((VGKISA)isa, rows + rows / 17, kind % 2, kind / 2);
    }
    if (!integersAreRight((VGKISA)isa)) failed = true;
    printf("%s: tested\n", vgk_isa_name((VGKISA)isa));
  }
  return failed;
}
