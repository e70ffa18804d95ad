/*
 * The kernels of integers against their reference, bit for bit: over random shapes, zero points, factors and splits
 * into units, and with the largest numbers that there are.
 */
#include "integers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool passed = true;

static size_t number(size_t least, size_t most) { return least + (size_t)rand() % (most - least + 1); }

/* What codes and weights are like. */
typedef enum { Random, Sparse, Largest, Smallest, Opposite, KindCount } Kind;

static int8_t *codes(size_t count, int32_t least, Kind kind, int32_t zeroPoint) {
  int8_t *values = malloc(count + 1);
  for (size_t i = 0; i < count; i++) {
    const int32_t random = least + rand() % (128 - least);
    switch (kind) {
      case Random: values[i] = (int8_t)random; break;
      case Sparse: values[i] = (int8_t)(rand() % 4 ? zeroPoint : random); break;
      case Largest: values[i] = 127; break;
      case Smallest: values[i] = (int8_t)least; break;
      case Opposite: values[i] = (int8_t)(rand() % 2 ? 127 : least); break;
      case KindCount: break;
    }
  }
  return values;
}

static int32_t randomCode(void) { return rand() % 256 - 128; }

/* Factors that bring sums of so many terms near the range of codes; they and the biases are the caller's to free. */
static VGKRequantization requantization(size_t channels, size_t terms, int32_t **bias) {
  float *scales = malloc(channels * sizeof(float));
  VGRMultiplier *multipliers = malloc(channels * sizeof(VGRMultiplier));
  *bias = rand() % 8 ? malloc(channels * sizeof(int32_t)) : NULL;
  for (size_t i = 0; i < channels; i++) {
    scales[i] = (float)number(1, 1000) / 1000 / (1 + (float)(rand() % 2 ? terms * 50 : terms));
    if (rand() % 16 == 0) scales[i] = rand() % 2 ? 0 : 3;
    multipliers[i] = vgr_tflm_multiplier((double)scales[i]);
    if (*bias) (*bias)[i] = rand() % 2000 - 1000;
  }
  const VGKRounding rounding = rand() % 2 ? VGKRoundingLitert : VGKRoundingTflm;
  VGKRequantization r = {rounding, scales, multipliers, randomCode(), -128, 127};
  if (rand() % 2) r.low = r.zeroPoint;
  if (rand() % 8 == 0) r.high = r.low + rand() % (128 - r.low);
  return r;
}

static void compare(const char *what, VGKISA isa, const void *seen, const void *expected, size_t size) {
  if (memcmp(seen, expected, size) == 0) return;
  passed = false;
  size_t place = 0;
  while (((const char *)seen)[place] == ((const char *)expected)[place]) place += 1;
  printf("%s: %s differs at byte %zu of %zu\n", vgk_isa_name(isa), what, place, size);
}

/* A shape with the output that the padding above and left, and as much on the other side, gives. */
static VGKConvolutionShape convolutionShape(bool isWinograd) {
  VGKConvolutionShape s = {number(1, 20), number(1, 20), number(1, 70), 1, 1, number(1, 70), 3, 3, 1, 1, 1, 1, 1, 1};
  if (!isWinograd) {
    s.kernelHeight = number(1, 4), s.kernelWidth = number(1, 4);
    s.strideHeight = number(1, 3), s.strideWidth = number(1, 3);
    s.dilationHeight = number(1, 2), s.dilationWidth = number(1, 2);
  }
  s.paddingHeight = number(0, 2), s.paddingWidth = number(0, 2);
  const size_t height = (s.kernelHeight - 1) * s.dilationHeight + 1, width = (s.kernelWidth - 1) * s.dilationWidth + 1;
  if (s.inputHeight + 2 * s.paddingHeight < height) s.inputHeight = height;
  if (s.inputWidth + 2 * s.paddingWidth < width) s.inputWidth = width;
  s.outputHeight = (s.inputHeight + 2 * s.paddingHeight - height) / s.strideHeight + 1 + number(0, 1);
  s.outputWidth = (s.inputWidth + 2 * s.paddingWidth - width) / s.strideWidth + 1 + number(0, 1);
  return s;
}

static void convolution(VGKISA isa, VGKConvolutionShape s, bool isWinograd, bool pools, Kind kind, Kind weightKind) {
  const size_t images = number(1, 2), threads = number(1, 4), pixels = s.outputHeight * s.outputWidth;
  const size_t terms = s.kernelHeight * s.kernelWidth * s.inputChannels;
  const int32_t zeroPoint = rand() % 2 ? -128 : randomCode();
  int32_t *bias;
  const VGKRequantization r = requantization(s.outputChannels, terms, &bias);
  int8_t *input = codes(images * s.inputHeight * s.inputWidth * s.inputChannels, -128, kind, zeroPoint);
  int8_t *weights = codes(terms * s.outputChannels, -127, weightKind, 0);
  const size_t up = number(0, 1);
  const VGKPoolingShape pooling = {
    s.outputHeight, s.outputWidth, s.outputChannels, s.outputHeight == 1 ? 1 : (s.outputHeight + up) / 2,
    s.outputWidth == 1 ? 1 : (s.outputWidth + up) / 2, 2, 2, 2, 2, 0, 0};
  size_t count = images * pixels * s.outputChannels;
  int8_t *expected = malloc(count), *output;
  vgk_reference_integer_convolution(&s, input, zeroPoint, weights, bias, &r, expected, 0, images * s.outputHeight);
  if (pools) {
    int8_t *unpooled = expected;
    count = images * pooling.outputHeight * pooling.outputWidth * s.outputChannels;
    expected = malloc(count);
    vgk_reference_integer_pooling(
      &pooling, VGKPoolingMaximum, unpooled, expected, 0, images * pooling.outputHeight);
    free(unpooled);
  }
  output = calloc(count, 1);
  void *prepared, *scratch;
  if (isWinograd) {
    const VGKIntegerWinograd plan =
      vgk_integer_winograd_plan(isa, &s, zeroPoint, images, pools ? &pooling : NULL, threads);
    prepared = malloc(plan.weightBytes), scratch = malloc(plan.scratchBytes);
    if (!vgk_integer_winograd_is_exact(&s, zeroPoint, weights)) passed = false, printf("not exact\n");
    const size_t panel = number(0, plan.panelCount), unit = number(0, plan.unitCount);
    vgk_integer_winograd_weights(&plan, weights, bias, prepared, panel, plan.panelCount);
    vgk_integer_winograd_weights(&plan, weights, bias, prepared, 0, panel);
    vgk_integer_winograd(&plan, input, prepared, &r, output, scratch, unit, plan.unitCount);
    vgk_integer_winograd(&plan, input, prepared, &r, output, scratch, 0, unit);
  } else {
    const VGKIntegerDirect plan = vgk_integer_direct_plan(isa, &s, zeroPoint, images, threads);
    prepared = malloc(plan.weightBytes), scratch = malloc(plan.scratchBytes);
    const size_t panel = number(0, plan.panelCount), unit = number(0, plan.unitCount);
    vgk_integer_direct_weights(&plan, weights, bias, prepared, panel, plan.panelCount);
    vgk_integer_direct_weights(&plan, weights, bias, prepared, 0, panel);
    vgk_integer_direct(&plan, input, prepared, &r, output, scratch, unit, plan.unitCount);
    vgk_integer_direct(&plan, input, prepared, &r, output, scratch, 0, unit);
  }
  char what[200];
  snprintf(what, sizeof what, "%s convolution%s of %zux%zux%zu to %zux%zux%zu, kernel %zux%zu, rounding %d",
           isWinograd ? "Winograd" : "direct", pools ? " with pooling" : "", s.inputHeight, s.inputWidth,
           s.inputChannels, s.outputHeight, s.outputWidth, s.outputChannels, s.kernelHeight, s.kernelWidth,
           (int)r.rounding);
  compare(what, isa, output, expected, count);
  free(input), free(weights), free(bias), free(expected), free(output), free(prepared), free(scratch);
  free((void *)r.scales), free((void *)r.multipliers);
}

static void dense(VGKISA isa, Kind kind, Kind weightKind) {
  const size_t rows = rand() % 2 ? 1 : number(1, 20), inputs = number(1, 600), outputs = number(1, 300);
  const int32_t zeroPoint = rand() % 2 ? -128 : randomCode();
  int32_t *bias;
  const VGKRequantization r = requantization(outputs, inputs, &bias);
  int8_t *input = codes(rows * inputs, -128, kind, zeroPoint);
  int8_t *weights = codes(inputs * outputs, -127, weightKind, 0);
  int8_t *expected = malloc(rows * outputs), *output = calloc(rows * outputs, 1);
  int32_t *sums = malloc(rows * outputs * sizeof(int32_t)), *accumulators = calloc(rows * outputs, sizeof(int32_t));
  vgk_reference_integer_dense(rows, inputs, outputs, input, zeroPoint, weights, bias, &r, expected, 0, outputs);
  vgk_reference_integer_dense_accumulators(rows, inputs, outputs, input, zeroPoint, weights, bias, sums, 0, outputs);
  const size_t column = number(0, outputs);
  for (int part = 1; part >= 0; part--) {
    const size_t start = part ? column : 0, end = part ? outputs : column;
    vgk_integer_dense(isa, rows, inputs, outputs, input, zeroPoint, weights, bias, &r, output, start, end);
    vgk_integer_dense_accumulators(
      isa, rows, inputs, outputs, input, zeroPoint, weights, bias, accumulators, start, end);
  }
  compare("dense layer", isa, output, expected, rows * outputs);
  compare("accumulators of a dense layer", isa, accumulators, sums, rows * outputs * sizeof(int32_t));
  free(input), free(weights), free(bias), free(expected), free(output), free(sums), free(accumulators);
  free((void *)r.scales), free((void *)r.multipliers);
}

static void pooling(VGKISA isa, Kind kind) {
  VGKPoolingShape s = {number(3, 12), number(3, 12), number(1, 150), 1, 1, number(1, 3), number(1, 3), number(1, 3),
                       number(1, 3), number(0, 1), number(0, 1)};
  s.outputHeight = (s.inputHeight + 2 * s.paddingHeight - s.kernelHeight) / s.strideHeight + 1;
  s.outputWidth = (s.inputWidth + 2 * s.paddingWidth - s.kernelWidth + s.strideWidth - 1) / s.strideWidth + 1;
  const size_t images = number(1, 2), count = images * s.outputHeight * s.outputWidth * s.channels;
  int8_t *input = codes(images * s.inputHeight * s.inputWidth * s.channels, -128, kind, 0);
  int8_t *expected = malloc(count), *output = calloc(count, 1);
  for (int rule = VGKPoolingMaximum; rule <= VGKPoolingAverage; rule++) {
    const size_t rows = images * s.outputHeight, row = number(0, rows);
    vgk_reference_integer_pooling(&s, (VGKPooling)rule, input, expected, 0, rows);
    vgk_integer_pooling(isa, &s, (VGKPooling)rule, input, output, row, rows);
    vgk_integer_pooling(isa, &s, (VGKPooling)rule, input, output, 0, row);
    compare("pooling", isa, output, expected, count);
  }
  free(input), free(expected), free(output);
}

static void conversion(VGKISA isa) {
  const size_t count = number(1, 300);
  const float scale = (float)number(1, 100) / 1000;
  const int32_t zeroPoint = randomCode();
  float *values = malloc(count * sizeof(float)), *expectedValues = malloc(count * sizeof(float));
  int8_t *output = malloc(count), *expected = malloc(count);
  // Halves of the scale among them, where rounding is a tie.
  for (size_t i = 0; i < count; i++) values[i] = (float)(rand() % 1200 - 600) * 0.5f * scale;
  values[0] = NAN;
  vgk_integer_quantize(isa, values, count, scale, zeroPoint, output);
  vgk_reference_integer_quantize(values, count, scale, zeroPoint, expected);
  compare("quantising", isa, output, expected, count);
  vgk_integer_dequantize(isa, output, count, scale, zeroPoint, values);
  vgk_reference_integer_dequantize(expected, count, scale, zeroPoint, expectedValues);
  compare("dequantising", isa, values, expectedValues, count * sizeof(float));
  free(values), free(expectedValues), free(output), free(expected);
}

/* Sums as large as those of a VGG, of either sign. */
static void extremes(VGKISA isa) {
  const VGKConvolutionShape s = {6, 5, 512, 6, 5, 33, 3, 3, 1, 1, 1, 1, 1, 1};
  for (int kind = Largest; kind < KindCount; kind++)
    for (int weightKind = Largest; weightKind < KindCount; weightKind++)
      for (int isWinograd = 0; isWinograd < 2; isWinograd++)
        convolution(isa, s, isWinograd, false, (Kind)kind, (Kind)weightKind);
}

/* The proof must fail where the sums can reach 2^29, and only there. */
static void exactness(void) {
  enum { channels = 1841 };
  VGKConvolutionShape s = {4, 4, channels, 4, 4, 1, 3, 3, 1, 1, 1, 1, 1, 1};
  int8_t weights[9 * channels];
  memset(weights, 127, sizeof weights);
  // 255 * 127 * 9 * 1841 < 2^29 <= 255 * 127 * 9 * 1842
  if (!vgk_integer_winograd_is_exact(&s, -128, weights)) passed = false, printf("exact, but refused\n");
  if (!vgk_integer_winograd_is_exact(&s, 127, weights)) passed = false, printf("exact, but refused\n");
  int8_t more[9 * (channels + 1)];
  memset(more, 127, sizeof more);
  s.inputChannels = channels + 1;
  if (vgk_integer_winograd_is_exact(&s, -128, more)) passed = false, printf("not exact, but taken for it\n");
  memset(more, -127, sizeof more);
  if (vgk_integer_winograd_is_exact(&s, -128, more)) passed = false, printf("not exact, but taken for it\n");
  if (!vgk_integer_winograd_is_exact(&s, 0, more)) passed = false, printf("exact, but refused\n");
}

bool integersAreRight(VGKISA isa) {
  passed = true;
  for (int seed = 0; seed < 40; seed++) {
    const Kind kind = (Kind)(seed % KindCount), weightKind = (Kind)(seed / KindCount % KindCount);
    convolution(isa, convolutionShape(false), false, false, kind, weightKind);
    convolution(isa, convolutionShape(true), true, seed % 2, kind, weightKind);
    dense(isa, kind, weightKind);
    pooling(isa, kind);
    conversion(isa);
  }
  extremes(isa);
  exactness();
  return passed;
}
