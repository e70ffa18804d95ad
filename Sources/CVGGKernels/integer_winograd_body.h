/*
 * Winograd convolution of codes for one instruction set (see for_each_integer_isa.h); the method: integer_winograd.c.
 *
 * A unit of work takes a block of tiles through all steps, in scratch of its own:
 *   transformed input    [36 points][blocks of input channels][tiles][channels of the block], 16 bits
 *   products             [36 points][tiles][panelWidth], 32 bits, for one panel of output channels at a time
 *   transformed weights  [36 points][pairs of channels of a chunk][panelWidth], 16 bits, unless they are prepared
 * A block of channels is what a register holds: then tiles lie side by side, at distances that the compiler knows.
 */
#include "integer_vector_body.h"

/* One row of B': six numbers `step` apart. */
VGK_INLINE void VGK_NAME(transformInput)(const VGK_NAME(halves) *x, size_t step, VGK_NAME(halves) *y, size_t yStep) {
  const VGK_NAME(halves) x0 = x[0], x1 = x[step], x2 = x[2 * step], x3 = x[3 * step], x4 = x[4 * step];
  const VGK_NAME(halves) x5 = x[5 * step], d = x3 - x1, e = x4 - x2, d2 = d + d, e2 = e + e, s = x1 + x2, t = x2 - x3;
  const VGK_NAME(halves) first = x0 - x2 + e, last = x5 - x3 - d;
  y[0] = first + first - d - d2;             //  2  3 -4 -3  2  0
  y[yStep] = s + s + s + d - e2;             //  0  2  5  1 -2  0
  y[2 * yStep] = t + t + t + e2 - d2;        //  0  2  1 -5  2  0
  y[3 * yStep] = d + e2;                     //  0 -1 -2  1  2  0
  y[4 * yStep] = d2 - e;                     //  0 -2  1  2 -1  0
  y[5 * yStep] = last + last - e - e2;       //  0  2  3 -4 -3  2
}

/* One row of A': six products `step` apart give four outputs. */
VGK_INLINE void VGK_NAME(transformOutput)(const VGK_NAME(words) *x, size_t step, VGK_NAME(words) *y) {
  const VGK_NAME(words) sum = x[step] + x[2 * step], difference = x[step] - x[2 * step];
  const VGK_NAME(words) x3 = x[3 * step], x4 = x[4 * step], a = x3 - (x4 << 1), b = (x3 << 1) + x4;
  y[0] = x[0] + sum + x3 + (x4 << 3);                   // 1  1  1  1  8  0
  y[1] = difference + (a << 1);                         // 0  1 -1  2 -4  0
  y[2] = sum + (b << 1);                                // 0  1  1  4  2  0
  y[3] = difference + (x3 << 3) - x4 + x[5 * step];     // 0  1 -1  8 -1  1
}

VGK_INLINE VGK_NAME(halves) VGK_NAME(loadCodes)(const int8_t *source, size_t count, int16_t zeroPoint) {
  VGK_NAME(halfBytes) bytes;
  if (count >= 2 * VGK_WORDS) {
    __builtin_memcpy(&bytes, source, sizeof(bytes));
  } else {
    int8_t some[2 * VGK_WORDS];
    memset(some, zeroPoint, sizeof some);
    memcpy(some, source, count);
    __builtin_memcpy(&bytes, some, sizeof(bytes));
  }
  return __builtin_convertvector(bytes, VGK_NAME(halves)) - (uint16_t)zeroPoint;
}

/* Transforms one tile: 6 x 6 pixels, of which those outside the image are zero. `target` is the place of point 0. */
static __attribute__((noinline)) void VGK_NAME(transformInputTile)(
  const VGKIntegerWinograd *w, const int8_t *image, const Tile *tile, int32_t *target) {
  const VGKConvolutionShape *s = &w->shape;
  const size_t pixelStride = s->inputChannels, rowStride = s->inputWidth * pixelStride;
  const Span rows = tileSpan(tile->row * outputSize, s->paddingHeight, s->inputHeight);
  const Span columns = tileSpan(tile->column * outputSize, s->paddingWidth, s->inputWidth);
  const bool isInside = rows.first == 0 && rows.end == inputSize && columns.first == 0 && columns.end == inputSize;
  const int8_t *source = image + rows.start * rowStride + columns.start * pixelStride;
  const int16_t zeroPoint = (int16_t)w->inputZeroPoint;
  VGK_NAME(halves) pixels[pointCount], half[pointCount];
  for (size_t i = 0; !isInside && i < pointCount; i++) pixels[i] = (VGK_NAME(halves)){0};
  for (size_t block = 0; block < w->inputBlocks; block++, target += w->inputBlockStride) {
    const size_t channel = block * 2 * VGK_WORDS;
    const bool isWhole = isInside && channel + 2 * VGK_WORDS <= s->inputChannels;
    for (size_t y = rows.first; !isWhole && y < rows.end; y++)
      for (size_t x = columns.first; x < columns.end; x++)
        pixels[y * inputSize + x] = VGK_NAME(loadCodes)(
          source + (y - rows.first) * rowStride + (x - columns.first) * pixelStride + channel,
          s->inputChannels - channel, zeroPoint);
    VGK_UNROLL for (size_t x = 0; x < inputSize; x++) {
      VGK_NAME(halves) column[inputSize];
      VGK_UNROLL for (size_t y = 0; y < inputSize; y++) column[y] = isWhole
        ? VGK_NAME(loadCodes)(source + y * rowStride + x * pixelStride + channel, 2 * VGK_WORDS, zeroPoint)
        : pixels[y * inputSize + x];
      VGK_NAME(transformInput)(column, 1, half + x, inputSize);
    }
    VGK_UNROLL for (size_t y = 0; y < inputSize; y++) {
      VGK_NAME(halves) row[inputSize];
      VGK_NAME(transformInput)(half + y * inputSize, 1, row, 1);
      VGK_UNROLL for (size_t x = 0; x < inputSize; x++)
        __builtin_memcpy(target + (y * inputSize + x) * w->inputPointStride, &row[x], sizeof(row[x]));
    }
  }
}

/* One row of G, times what makes all denominators 30: three numbers give six. */
VGK_INLINE void VGK_NAME(transformTaps)(
  VGK_NAME(halves) a, VGK_NAME(halves) b, VGK_NAME(halves) c, VGK_NAME(halves) *y, size_t step) {
  const VGK_NAME(halves) sum = a + c, b2 = b + b;
  y[0] = a * 15;
  y[step] = (sum + b) * 5;
  y[2 * step] = (sum - b) * 5;
  y[3 * step] = a + b2 + (c << 2);
  y[4 * step] = (a << 2) - b2 + c;
  y[5 * step] = c * 15;
}

/* Transforms the codes of `wordCount` pairs of channels of a panel; points are `pointBytes` apart. */
static __attribute__((noinline)) void VGK_NAME(transformWeights)(const int8_t *codes, size_t wordCount, char *target, size_t pointBytes) {
  for (size_t i = 0; i < 2 * wordCount; i++, codes += tapCount * 2 * VGK_WORDS) {
    VGK_NAME(halves) taps[tapCount], half[3 * inputSize];
    VGK_UNROLL for (size_t tap = 0; tap < tapCount; tap++)
      taps[tap] = VGK_NAME(loadCodes)(codes + tap * 2 * VGK_WORDS, 2 * VGK_WORDS, 0);
    VGK_UNROLL for (size_t x = 0; x < 3; x++)
      VGK_NAME(transformTaps)(taps[x], taps[3 + x], taps[6 + x], half + x, 3);
    VGK_UNROLL for (size_t y = 0; y < inputSize; y++) {
      VGK_NAME(halves) row[inputSize];
      VGK_NAME(transformTaps)(half[3 * y], half[3 * y + 1], half[3 * y + 2], row, 1);
      VGK_UNROLL for (size_t x = 0; x < inputSize; x++)
        __builtin_memcpy(target + (y * inputSize + x) * pointBytes + i * sizeof(row[x]), &row[x], sizeof(row[x]));
    }
  }
}

/* What the products of a point with a panel need. */
typedef struct {
  const char *input, *weights;
  size_t blockCount, blockBytes;
  /* What is read after this: a tile asks the cache for its share, so many bytes for each word. */
  const char *next;
  size_t nextBytes;
  /* Whether the products are added to what is there. */
  bool adds;
} VGK_NAME(Point);

/* products[r] = the products of `rows` tiles. */
VGK_INLINE void VGK_NAME(pointTile)(
  const VGK_NAME(Point) *p, const size_t rows, const char *input, const char *next, int32_t *products) {
  enum { rowBytes = 4 * VGK_WORDS };
  VGK_NAME(words) tile[VGK_ROWS][2];
  VGK_UNROLL for (size_t r = 0; r < rows; r++) {
    tile[r][0] = tile[r][1] = (VGK_NAME(words)){0};
    if (p->adds) __builtin_memcpy(tile[r], products + r * VGK_NAME(panelWidth), sizeof(tile[r]));
  }
  const char *w = p->weights;
  for (size_t block = 0; block < p->blockCount; block++, input += p->blockBytes)
    _Pragma("clang loop unroll_count(4)") for (size_t word = 0; word < VGK_WORDS; word++) {
      const VGK_NAME(words) w0 = VGK_NAME(loadWords)(w), w1 = VGK_NAME(loadWords)(w + rowBytes);
      __builtin_prefetch(next, 0, 2);
      VGK_UNROLL for (size_t r = 0; r < rows; r++) {
        const VGK_NAME(words) x = VGK_NAME(broadcast)(input + r * rowBytes + 4 * word);
        tile[r][0] = VGK_NAME(addPairs)(tile[r][0], x, w0);
        tile[r][1] = VGK_NAME(addPairs)(tile[r][1], x, w1);
      }
      w += 2 * rowBytes;
      next += p->nextBytes;
    }
  VGK_UNROLL for (size_t r = 0; r < rows; r++)
    __builtin_memcpy(products + r * VGK_NAME(panelWidth), tile[r], sizeof(tile[r]));
}

/* The products of all tiles of a block. */
static __attribute__((noinline)) void VGK_NAME(pointTiles)(const VGK_NAME(Point) *p, size_t tileCount, int32_t *products) {
  const size_t parts = divideUp(tileCount, VGK_NAME(tileRows));
  for (size_t part = 0; part < parts; part++) {
    const size_t i = VGK_NAME(tileStart)(tileCount, part);
    const char *input = p->input + i * 4 * VGK_WORDS;
    const char *next = p->next + part * p->nextBytes * p->blockCount * VGK_WORDS;
    int32_t *target = products + i * VGK_NAME(panelWidth);
    switch (VGK_NAME(tileStart)(tileCount, part + 1) - i) {
#define VGK_TILE(count)                                          \
  case count:                                                    \
    VGK_NAME(pointTile)(p, count, input, next, target);          \
    break;
      VGK_EACH_TILE
#undef VGK_TILE
    }
  }
}

/* Transforms the products of one tile back, for `columns` columns from `column` of the panel, and stores them. */
VGK_INLINE void VGK_NAME(transformOutputTile)(
  const VGKIntegerWinograd *w, const Tile *tile, const int32_t *products, const int32_t *biases, const Factors *factors,
  VGKRounding rounding, size_t column, size_t columns, int8_t *output) {
  const VGKConvolutionShape *s = &w->shape;
  const size_t pointStride = w->blockTiles * VGK_NAME(panelWidth), channels = s->outputChannels;
  const VGK_NAME(words) bias = VGK_NAME(loadWords)(biases + column);
  VGK_NAME(words) half[outputSize * inputSize], codes[outputSize][outputSize];
  VGK_UNROLL for (size_t x = 0; x < inputSize; x++) {
    VGK_NAME(words) line[inputSize], sums[outputSize];
    VGK_UNROLL for (size_t y = 0; y < inputSize; y++)
      line[y] = VGK_NAME(loadWords)(products + (y * inputSize + x) * pointStride + column);
    VGK_NAME(transformOutput)(line, 1, sums);
    VGK_UNROLL for (size_t y = 0; y < outputSize; y++) half[y * inputSize + x] = sums[y];
  }
  VGK_UNROLL for (size_t y = 0; y < outputSize; y++) {
    VGK_NAME(words) sums[outputSize];
    VGK_NAME(transformOutput)(half + y * inputSize, 1, sums);
    VGK_UNROLL for (size_t x = 0; x < outputSize; x++)
      codes[y][x] = VGK_NAME(codes)(factors, rounding, column, (VGK_NAME(words))((VGK_NAME(integers))(sums[x] * inverseOf225) >> 2) + bias);
  }
  const size_t top = tile->row * outputSize, left = tile->column * outputSize;
  const size_t rows = smallerOf(outputSize, s->outputHeight - top), width = smallerOf(outputSize, s->outputWidth - left);
  if (!w->pools) {
    int8_t *target = output + ((tile->image * s->outputHeight + top) * s->outputWidth + left) * channels + column;
    for (size_t y = 0; y < rows; y++)
      for (size_t x = 0; x < width; x++)
        VGK_NAME(storeCodes)(target + (y * s->outputWidth + x) * channels, codes[y][x], columns);
    return;
  }
  int8_t *target = output + ((tile->image * w->pooledHeight + top / 2) * w->pooledWidth + left / 2) * channels + column;
  for (size_t y = 0; y < outputSize; y++)
    for (size_t x = 0; x < outputSize; x++)
      if (y >= rows || x >= width) codes[y][x] = (VGK_NAME(words)){0} - 128u;
  for (size_t y = 0; y < 2 && top / 2 + y < w->pooledHeight; y++)
    for (size_t x = 0; x < 2 && left / 2 + x < w->pooledWidth; x++)
      VGK_NAME(storeCodes)(
        target + (y * w->pooledWidth + x) * channels,
        VGK_NAME(larger)(VGK_NAME(larger)(codes[2 * y][2 * x], codes[2 * y][2 * x + 1]),
                         VGK_NAME(larger)(codes[2 * y + 1][2 * x], codes[2 * y + 1][2 * x + 1])),
        columns);
}

/* Transforms the products of a block of tiles back. */
static __attribute__((noinline)) void VGK_NAME(transformOutputTiles)(
  const VGKIntegerWinograd *w, size_t firstTile, size_t tileCount, size_t channel, const int32_t *products,
  const int32_t *biases, const VGKRequantization *requantization, int8_t *output) {
  const size_t columns = smallerOf(VGK_NAME(panelWidth), w->shape.outputChannels - channel);
  const Factors factors = factorsOf(requantization, channel, columns);
  for (size_t i = 0; i < tileCount; i++) {
    const Tile tile = tileAt(w, firstTile + i);
    for (size_t column = 0; column < columns; column += VGK_WORDS) {
      const int32_t *source = products + i * VGK_NAME(panelWidth);
      if (factors.rounding == VGKRoundingLitert)
        VGK_NAME(transformOutputTile)(
          w, &tile, source, biases, &factors, VGKRoundingLitert, column, columns - column, output + channel);
      else
        VGK_NAME(transformOutputTile)(
          w, &tile, source, biases, &factors, VGKRoundingTflm, column, columns - column, output + channel);
    }
  }
}

/* The products of all points and tiles of a block with a panel. */
static void VGK_NAME(multiplyPanel)(
  const VGKIntegerWinograd *w, size_t tileCount, const int32_t *transformed, const char *weights, int32_t *products,
  char *transformedWeights) {
  const size_t width = VGK_NAME(panelWidth), blockWeights = VGK_WORDS * width;
  const size_t parts = divideUp(tileCount, VGK_NAME(tileRows));
  for (size_t block = 0; block < w->inputBlocks; block += w->chunkBlocks) {
    const size_t blocks = smallerOf(w->chunkBlocks, w->inputBlocks - block);
    size_t pointBytes = blocks * blockWeights * 4;
    const char *chunk = weights;
    if (w->transformsWeights) {
      chunk = transformedWeights;
      // Off the same set of the cache.
      pointBytes += vgkPointSkew;
      VGK_NAME(transformWeights)(
        (const int8_t *)weights + block * blockWeights * 2 * tapCount, blocks * VGK_WORDS, transformedWeights,
        pointBytes);
    }
    for (size_t point = 0; point < pointCount; point++) {
      const VGK_NAME(Point) p = {
        .input = (const char *)(transformed + point * w->inputPointStride + block * w->inputBlockStride),
        .weights = chunk + point * pointBytes, .blockCount = blocks, .blockBytes = w->inputBlockStride * 4,
        .next = chunk + (point + 1) * pointBytes, .nextBytes = width * 4 / parts, .adds = block > 0};
      VGK_NAME(pointTiles)(&p, tileCount, products + point * w->blockTiles * width);
    }
  }
}

static void VGK_NAME(winograd)(
  const VGKIntegerWinograd *w, const int8_t *input, const void *prepared, const VGKRequantization *requantization,
  int8_t *output, void *scratch, size_t unitStart, size_t unitEnd) {
  const VGKConvolutionShape *s = &w->shape;
  const size_t width = VGK_NAME(panelWidth);
  const size_t panelBytes =
    w->inputBlocks * VGK_WORDS * width * (w->transformsWeights ? 2 * tapCount : 4 * pointCount);
  const int32_t *biases = prepared;
  const char *panels = (const char *)(biases + w->panelCount * width);
  int32_t *transformed = scratch, *products = transformed + pointCount * w->inputPointStride;
  char *transformedWeights = (char *)(products + pointCount * w->blockTiles * width);
  size_t transformedBlock = SIZE_MAX;
  for (size_t unit = unitStart; unit < unitEnd; unit++) {
    const size_t block = unit / w->channelBlockCount, firstPanel = unit % w->channelBlockCount * w->blockPanels;
    const size_t firstTile = block * w->blockTiles, tileCount = smallerOf(w->blockTiles, w->tileCount - firstTile);
    for (size_t i = 0; block != transformedBlock && i < tileCount; i++) {
      const Tile tile = tileAt(w, firstTile + i);
      VGK_NAME(transformInputTile)(
        w, input + tile.image * s->inputHeight * s->inputWidth * s->inputChannels, &tile,
        transformed + i * VGK_WORDS);
    }
    transformedBlock = block;
    for (size_t panel = firstPanel; panel < smallerOf(firstPanel + w->blockPanels, w->panelCount); panel++) {
      VGK_NAME(multiplyPanel)(
        w, tileCount, transformed, panels + panel * panelBytes, products, transformedWeights);
      VGK_NAME(transformOutputTiles)(
        w, firstTile, tileCount, panel * width, products, biases + panel * width, requantization, output);
    }
  }
}
