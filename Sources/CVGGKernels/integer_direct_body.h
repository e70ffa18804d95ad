/*
 * Direct convolution of codes for one instruction set (see for_each_integer_isa.h).
 *
 * A unit of work copies the padded input rows of some output rows into its scratch, as operands: bytes or 16 bits. A
 * tile of pixels side by side then reads its taps from there. Operands of 16 bits are counted from the zero point;
 * for bytes, the prepared biases make up for it.
 */
#include "integer_vector_body.h"

/* Turns codes into operands. */
VGK_INLINE void VGK_NAME(copyOperands)(const int8_t *codes, size_t count, int32_t zeroPoint, char *target) {
#if VGK_QUADS
  (void)zeroPoint;
#if defined(__x86_64__)
  for (size_t i = 0; i < count; i++) target[i] = (char)(codes[i] ^ -128);
#else
  memcpy(target, codes, count);
#endif
#else
  int16_t *halves = (int16_t *)(void *)target;
  for (size_t i = 0; i < count; i++) halves[i] = (int16_t)(codes[i] - zeroPoint);
#endif
}

/* Fills up with operands of the zero point. */
VGK_INLINE void VGK_NAME(fillOperands)(size_t count, int32_t zeroPoint, char *target) {
#if VGK_QUADS && defined(__x86_64__)
  memset(target, zeroPoint + 128, count);
#elif VGK_QUADS
  memset(target, zeroPoint, count);
#else
  (void)zeroPoint;
  memset(target, 0, 2 * count);
#endif
}

/* Copies rows paddedY ..< paddedY + rowCount of the padded image. */
static void VGK_NAME(copyPadded)(
  const VGKIntegerDirect *d, const int8_t *image, size_t paddedY, size_t rowCount, char *target) {
  const VGKConvolutionShape *s = &d->shape;
  const size_t left = smallerOf(s->paddingWidth, d->scratchWidth), channels = s->inputChannels;
  const size_t width = smallerOf(s->inputWidth, d->scratchWidth - left), right = d->scratchWidth - left - width;
  for (size_t row = 0; row < rowCount; row++, target += d->scratchRowBytes) {
    const size_t y = paddedY + row, used = d->scratchWidth * channels * d->elementBytes;
    memset(target + used, 0, d->scratchRowBytes - used);
    if (y < s->paddingHeight || y - s->paddingHeight >= s->inputHeight) {
      VGK_NAME(fillOperands)(d->scratchWidth * channels, d->inputZeroPoint, target);
      continue;
    }
    char *place = target + left * channels * d->elementBytes;
    VGK_NAME(fillOperands)(left * channels, d->inputZeroPoint, target);
    VGK_NAME(copyOperands)(
      image + (y - s->paddingHeight) * s->inputWidth * channels, width * channels, d->inputZeroPoint, place);
    VGK_NAME(fillOperands)(right * channels, d->inputZeroPoint, place + width * channels * d->elementBytes);
  }
}

/* What a panel needs for any of its tiles. */
typedef struct {
  Runs runs;
  size_t pixelBytes;
  const char *weights;
  const int32_t *biases;
  Factors factors;
  size_t columns;
} VGK_NAME(Panel);

/* `rows` pixels side by side. */
VGK_INLINE void VGK_NAME(directTile)(
  const VGK_NAME(Panel) *p, const size_t rows, VGKRounding rounding, const char *pixels, int8_t *target,
  size_t targetStride) {
  VGK_NAME(words) tile[VGK_ROWS][2];
  VGK_UNROLL for (size_t r = 0; r < rows; r++) {
    tile[r][0] = VGK_NAME(loadWords)(p->biases);
    tile[r][1] = VGK_NAME(loadWords)(p->biases + VGK_WORDS);
  }
  VGK_NAME(multiplyTile)(tile, rows, VGK_QUADS, pixels, p->pixelBytes, &p->runs, p->weights);
  VGK_NAME(storeTile)(tile, rows, &p->factors, rounding, target, targetStride, p->columns);
}

static void VGK_NAME(directPixels)(
  const VGK_NAME(Panel) *p, size_t rows, const char *pixels, int8_t *target, size_t targetStride) {
  const bool isLitert = p->factors.rounding == VGKRoundingLitert;
  switch (rows) {
#define VGK_TILE(count)                                                                         \
  case count:                                                                                   \
    if (isLitert)                                                                               \
      VGK_NAME(directTile)(p, count, VGKRoundingLitert, pixels, target, targetStride);          \
    else                                                                                        \
      VGK_NAME(directTile)(p, count, VGKRoundingTflm, pixels, target, targetStride);            \
    break;
    VGK_EACH_TILE
#undef VGK_TILE
  }
}

static void VGK_NAME(direct)(
  const VGKIntegerDirect *d, const int8_t *input, const void *prepared, const VGKRequantization *requantization,
  int8_t *output, void *scratch, size_t unitStart, size_t unitEnd) {
  const VGKConvolutionShape *s = &d->shape;
  const size_t width = VGK_NAME(panelWidth), pixel = s->inputChannels * d->elementBytes;
  const size_t panelBytes = d->runCount * d->runWords * width * 4;
  const int32_t *biases = prepared;
  const char *panels = (const char *)(biases + d->panelCount * width);
  size_t copied = SIZE_MAX;
  for (size_t unit = unitStart; unit < unitEnd; unit++) {
    const size_t block = unit / d->channelBlockCount, firstPanel = unit % d->channelBlockCount * d->blockPanels;
    const size_t image = block / d->blocksPerImage, y = block % d->blocksPerImage * d->blockRows;
    const size_t rows = smallerOf(d->blockRows, s->outputHeight - y);
    if (block != copied)
      VGK_NAME(copyPadded)(
        d, input + image * s->inputHeight * s->inputWidth * s->inputChannels, y * s->strideHeight,
        (rows - 1) * s->strideHeight + (s->kernelHeight - 1) * s->dilationHeight + 1, scratch);
    copied = block;
    const size_t parts = divideUp(s->outputWidth, VGK_NAME(tileRows));
    for (size_t panel = firstPanel; panel < smallerOf(firstPanel + d->blockPanels, d->panelCount); panel++) {
      const size_t channel = panel * width, columns = smallerOf(width, s->outputChannels - channel);
      const VGK_NAME(Panel) p = {
        .runs = {s->kernelHeight, s->dilationHeight * d->scratchRowBytes, d->runCount / s->kernelHeight,
                 s->dilationWidth * pixel, d->runWords},
        .pixelBytes = s->strideWidth * pixel, .weights = panels + panel * panelBytes, .biases = biases + channel,
        .factors = factorsOf(requantization, channel, columns), .columns = columns};
      for (size_t row = 0; row < rows; row++) {
        const char *source = (const char *)scratch + row * s->strideHeight * d->scratchRowBytes;
        int8_t *target =
          output + ((image * s->outputHeight + y + row) * s->outputWidth) * s->outputChannels + channel;
        for (size_t part = 0; part < parts; part++) {
          const size_t x = VGK_NAME(tileStart)(s->outputWidth, part);
          VGK_NAME(directPixels)(
            &p, VGK_NAME(tileStart)(s->outputWidth, part + 1) - x, source + x * p.pixelBytes,
            target + x * s->outputChannels, s->outputChannels);
        }
      }
    }
  }
}
