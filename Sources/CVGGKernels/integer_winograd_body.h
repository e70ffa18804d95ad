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

/* One row of B': six numbers give six, `step` apart. */
VGK_INLINE void VGK_NAME(transformInput)(const VGK_NAME(halves) *x, VGK_NAME(halves) *y, size_t step) {
  const VGK_NAME(halves) d = x[3] - x[1], e = x[4] - x[2], d2 = d + d, e2 = e + e, s = x[1] + x[2], t = x[2] - x[3];
  const VGK_NAME(halves) first = x[0] - x[2] + e, last = x[5] - x[3] - d;
  y[0] = first + first - d - d2;         //  2  3 -4 -3  2  0
  y[step] = s + s + s + d - e2;          //  0  2  5  1 -2  0
  y[2 * step] = t + t + t + e2 - d2;     //  0  2  1 -5  2  0
  y[3 * step] = d + e2;                  //  0 -1 -2  1  2  0
  y[4 * step] = d2 - e;                  //  0 -2  1  2 -1  0
  y[5 * step] = last + last - e - e2;    //  0  2  3 -4 -3  2
}

/* One row of A': six products give four outputs. */
VGK_INLINE void VGK_NAME(transformOutput)(const VGK_NAME(words) *x, VGK_NAME(words) *y) {
  const VGK_NAME(words) sum = x[1] + x[2], difference = x[1] - x[2];
  const VGK_NAME(words) a = x[3] - (x[4] << 1), b = (x[3] << 1) + x[4];
  y[0] = x[0] + sum + x[3] + (x[4] << 3);          // 1  1  1  1  8  0
  y[1] = difference + (a << 1);                    // 0  1 -1  2 -4  0
  y[2] = sum + (b << 1);                           // 0  1  1  4  2  0
  y[3] = difference + (x[3] << 3) - x[4] + x[5];   // 0  1 -1  8 -1  1
}

/* The first `count` codes, then others. */
VGK_INLINE VGK_NAME(halves) VGK_NAME(loadCodes)(const int8_t *source, size_t count) {
  VGK_NAME(halfBytes) bytes = {0};
  if (count >= 2 * VGK_WORDS)
    __builtin_memcpy(&bytes, source, sizeof(bytes));
  else
    __builtin_memcpy(&bytes, source, count);
  return __builtin_convertvector(bytes, VGK_NAME(halves));
}

/*
 * Transforms one tile: 6 x 6 pixels, of which those outside the image are the zero point. `target` is the place of
 * point 0. Channels beyond the last one give anything: their weights are zero.
 */
static void VGK_NAME(transformInputTile)(
  const VGKIntegerWinograd *w, const int8_t *image, const Tile *tile, int32_t *target) {
  const VGKConvolutionShape *s = &w->shape;
  const size_t pixelStride = s->inputChannels, rowStride = s->inputWidth * pixelStride;
  const Span rows = tileSpan(tile->row * outputSize, s->paddingHeight, s->inputHeight);
  const Span columns = tileSpan(tile->column * outputSize, s->paddingWidth, s->inputWidth);
  const bool isInside = rows.first == 0 && rows.end == inputSize && columns.first == 0 && columns.end == inputSize;
  const int8_t *source = image + rows.start * rowStride + columns.start * pixelStride;
  const VGK_NAME(halves) zeroPoint = (VGK_NAME(halves)){0} + (uint16_t)w->inputZeroPoint;
  VGK_NAME(halves) pixels[pointCount], half[pointCount];
  for (size_t i = 0; i < pointCount; i++) pixels[i] = zeroPoint;
  for (size_t block = 0; block < w->inputBlocks; block++, target += w->inputBlockStride) {
    const size_t channel = block * 2 * VGK_WORDS;
    const bool isWhole = isInside && channel + 2 * VGK_WORDS <= s->inputChannels;
    for (size_t y = rows.first; !isWhole && y < rows.end; y++)
      for (size_t x = columns.first; x < columns.end; x++)
        pixels[y * inputSize + x] = VGK_NAME(loadCodes)(
          source + (y - rows.first) * rowStride + (x - columns.first) * pixelStride + channel,
          s->inputChannels - channel);
    VGK_UNROLL for (size_t x = 0; x < inputSize; x++) {
      VGK_NAME(halves) column[inputSize];
      VGK_UNROLL for (size_t y = 0; y < inputSize; y++) column[y] = isWhole
        ? VGK_NAME(loadCodes)(source + y * rowStride + x * pixelStride + channel, 2 * VGK_WORDS)
        : pixels[y * inputSize + x];
      VGK_NAME(transformInput)(column, half + x, inputSize);
    }
    VGK_UNROLL for (size_t y = 0; y < inputSize; y++) {
      VGK_NAME(halves) row[inputSize];
      VGK_NAME(transformInput)(half + y * inputSize, row, 1);
      // What is counted from the zero point: the entries of all other rows of B' sum to 0, those of this one to 6.
      if (y == 1) row[1] -= zeroPoint * 36;
      VGK_UNROLL for (size_t x = 0; x < inputSize; x++)
        __builtin_memcpy(target + (y * inputSize + x) * w->inputPointStride, &row[x], sizeof(row[x]));
    }
  }
}

/* One row of G, times what makes all denominators 30: three numbers give six. */
VGK_INLINE void VGK_NAME(transformTaps)(
  VGK_NAME(halves) a, VGK_NAME(halves) b, VGK_NAME(halves) c, VGK_NAME(halves) *y, size_t step) {
  const VGK_NAME(halves) sum = a + c, b2 = b + b;
  y[0] = a * 15;                      // 15  0  0
  y[step] = (sum + b) * 5;            //  5  5  5
  y[2 * step] = (sum - b) * 5;        //  5 -5  5
  y[3 * step] = a + b2 + (c << 2);    //  1  2  4
  y[4 * step] = (a << 2) - b2 + c;    //  4 -2  1
  y[5 * step] = c * 15;               //  0  0 15
}

/* Transforms the codes of `wordCount` pairs of channels of a panel; points are `pointBytes` apart. */
static void VGK_NAME(transformWeights)(const int8_t *codes, size_t wordCount, char *target, size_t pointBytes) {
  for (size_t i = 0; i < 2 * wordCount; i++, codes += tapCount * 2 * VGK_WORDS) {
    VGK_NAME(halves) taps[tapCount], half[3 * inputSize];
    VGK_UNROLL for (size_t tap = 0; tap < tapCount; tap++)
      taps[tap] = VGK_NAME(loadCodes)(codes + tap * 2 * VGK_WORDS, 2 * VGK_WORDS);
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

/* Bytes of a panel of prepared weights. */
VGK_INLINE size_t VGK_NAME(panelBytes)(const VGKIntegerWinograd *w) {
  return w->inputBlocks * VGK_WORDS * VGK_NAME(panelWidth) * (w->transformsWeights ? 2 * tapCount : 4 * pointCount);
}

/* Prepares the weights of a panel: as codes [word][register][tap][pair], or transformed, [point][word][column][pair]. */
static void VGK_NAME(prepareWeights)(
  const VGKIntegerWinograd *w, const int8_t *weights, const int32_t *bias, void *prepared, size_t panel) {
  const size_t width = VGK_NAME(panelWidth), inputs = w->shape.inputChannels, outputs = w->shape.outputChannels;
  const size_t channel = panel * width, columns = smallerOf(width, outputs - channel);
  const size_t wordCount = w->inputBlocks * VGK_WORDS;
  int32_t *biases = prepared;
  char *target = (char *)(biases + w->panelCount * width) + panel * VGK_NAME(panelBytes)(w);
  for (size_t column = 0; column < width; column++)
    biases[channel + column] = bias && column < columns ? bias[channel + column] : 0;
  for (size_t word = 0; word < wordCount; word++) {
    int8_t codes[2 * tapCount * 2 * VGK_WORDS] = {0};
    for (size_t odd = 0; odd < 2 && 2 * word + odd < inputs; odd++)
      for (size_t tap = 0; tap < tapCount; tap++) {
        const int8_t *source = weights + (tap * inputs + 2 * word + odd) * outputs + channel;
        for (size_t column = 0; column < columns; column++) {
          const size_t place = pairPlace(column, odd);
          codes[(place / width * tapCount + tap) * width + place % width] = source[column];
        }
      }
    if (w->transformsWeights)
      memcpy(target + word * sizeof codes, codes, sizeof codes);
    else
      VGK_NAME(transformWeights)(codes, 1, target + word * width * 4, wordCount * width * 4);
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
static void VGK_NAME(pointTiles)(const VGK_NAME(Point) *p, size_t tileCount, int32_t *products) {
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

/* Where the codes of a tile go. */
typedef struct {
  /* The first pixel, and codes from one pixel and from one row to the next. */
  int8_t *codes;
  size_t pixelStride, rowStride;
  /* Pixels of the tile that exist, and those of the convolution that are looked at for them. */
  size_t rows, columns, inputRows, inputColumns;
} VGK_NAME(Target);

static VGK_NAME(Target) VGK_NAME(targetOf)(const VGKIntegerWinograd *w, const Tile *tile, int8_t *output) {
  const VGKConvolutionShape *s = &w->shape;
  const size_t scale = w->pools ? 2 : 1, size = outputSize / scale;
  const size_t top = tile->row * size, left = tile->column * size;
  const size_t height = w->pools ? w->pooledHeight : s->outputHeight;
  const size_t width = w->pools ? w->pooledWidth : s->outputWidth;
  return (VGK_NAME(Target)){
    .codes = output + ((tile->image * height + top) * width + left) * s->outputChannels,
    .pixelStride = s->outputChannels, .rowStride = width * s->outputChannels,
    .rows = top < height ? smallerOf(size, height - top) : 0,
    .columns = left < width ? smallerOf(size, width - left) : 0,
    .inputRows = smallerOf(outputSize, s->outputHeight - top * scale),
    .inputColumns = smallerOf(outputSize, s->outputWidth - left * scale)};
}

/* The codes of the largest of four sums: of the largest sum, unless larger sums may have smaller codes. */
VGK_INLINE VGK_NAME(words) VGK_NAME(pooledCodes)(
  const Factors *f, VGKRounding rounding, size_t column, const VGK_NAME(words) *first, const VGK_NAME(words) *second) {
  VGK_NAME(words) largest = first[0];
  if (f->isMonotone) {
    largest = VGK_NAME(larger)(VGK_NAME(larger)(first[0], first[1]), VGK_NAME(larger)(second[0], second[1]));
    return VGK_NAME(codes)(f, rounding, column, largest);
  }
  largest = VGK_NAME(codes)(f, rounding, column, largest);
  largest = VGK_NAME(larger)(largest, VGK_NAME(codes)(f, rounding, column, first[1]));
  largest = VGK_NAME(larger)(largest, VGK_NAME(codes)(f, rounding, column, second[0]));
  return VGK_NAME(larger)(largest, VGK_NAME(codes)(f, rounding, column, second[1]));
}

/* Transforms the products of one tile back, for `count` columns from `column` of the panel, and stores them. */
VGK_INLINE void VGK_NAME(transformOutputTile)(
  const VGK_NAME(Target) *target, const bool pools, const int32_t *products, size_t pointStride, const int32_t *biases,
  const Factors *factors, VGKRounding rounding, size_t column, size_t count) {
  const VGK_NAME(words) bias = VGK_NAME(loadWords)(biases + column);
  VGK_NAME(words) half[outputSize * inputSize];
  VGK_UNROLL for (size_t x = 0; x < inputSize; x++) {
    VGK_NAME(words) line[inputSize], sums[outputSize];
    VGK_UNROLL for (size_t y = 0; y < inputSize; y++)
      line[y] = VGK_NAME(loadWords)(products + (y * inputSize + x) * pointStride + column);
    VGK_NAME(transformOutput)(line, sums);
    VGK_UNROLL for (size_t y = 0; y < outputSize; y++) half[y * inputSize + x] = sums[y];
  }
  VGK_UNROLL for (size_t y = 0; y < outputSize; y += 2) {
    VGK_NAME(words) sums[2][outputSize];
    VGK_UNROLL for (size_t i = 0; i < 2; i++) {
      VGK_NAME(transformOutput)(half + (y + i) * inputSize, sums[i]);
      VGK_UNROLL for (size_t x = 0; x < outputSize; x++)
        sums[i][x] = (VGK_NAME(words))((VGK_NAME(integers))(sums[i][x] * inverseOf225) >> 2) + bias;
    }
    int8_t *codes = target->codes + column + (pools ? y / 2 : y) * target->rowStride;
    if (!pools) {
      VGK_UNROLL for (size_t i = 0; i < 2; i++)
        VGK_UNROLL for (size_t x = 0; x < outputSize; x++)
          if (y + i < target->rows && x < target->columns)
            VGK_NAME(storeCodes)(
              codes + i * target->rowStride + x * target->pixelStride,
              VGK_NAME(codes)(factors, rounding, column, sums[i][x]), count);
      continue;
    }
    if (y / 2 >= target->rows) break;
    VGK_UNROLL for (size_t x = 0; x < outputSize; x += 2) {
      // What does not exist is left out by taking the first one again.
      if (y + 1 >= target->inputRows) sums[1][x] = sums[0][x], sums[1][x + 1] = sums[0][x + 1];
      if (x + 1 >= target->inputColumns) sums[0][x + 1] = sums[0][x], sums[1][x + 1] = sums[1][x];
      if (x / 2 < target->columns)
        VGK_NAME(storeCodes)(
          codes + x / 2 * target->pixelStride,
          VGK_NAME(pooledCodes)(factors, rounding, column, sums[0] + x, sums[1] + x), count);
    }
  }
}

/* Transforms the products of a block of tiles back. */
VGK_INLINE void VGK_NAME(transformOutputTiles)(
  const VGKIntegerWinograd *w, const bool pools, VGKRounding rounding, size_t firstTile, size_t tileCount,
  const int32_t *products, const int32_t *biases, const Factors *factors, size_t columns, int8_t *output) {
  for (size_t i = 0; i < tileCount; i++) {
    const Tile tile = tileAt(w, firstTile + i);
    const VGK_NAME(Target) target = VGK_NAME(targetOf)(w, &tile, output);
    for (size_t column = 0; column < columns; column += VGK_WORDS)
      VGK_NAME(transformOutputTile)(
        &target, pools, products + i * VGK_NAME(panelWidth), w->blockTiles * VGK_NAME(panelWidth), biases, factors,
        rounding, column, columns - column);
  }
}

static void VGK_NAME(transformOutputPanel)(
  const VGKIntegerWinograd *w, size_t firstTile, size_t tileCount, size_t channel, const int32_t *products,
  const int32_t *biases, const VGKRequantization *requantization, int8_t *output) {
  const size_t columns = smallerOf(VGK_NAME(panelWidth), w->shape.outputChannels - channel);
  const Factors factors = factorsOf(requantization, channel, columns);
#define VGK_TRANSFORM(pools, rounding)                                                                               \
  VGK_NAME(transformOutputTiles)(                                                                                    \
    w, pools, rounding, firstTile, tileCount, products, biases, &factors, columns, output + channel)
  if (factors.rounding == VGKRoundingLitert) {
    if (w->pools) VGK_TRANSFORM(true, VGKRoundingLitert);
    else VGK_TRANSFORM(false, VGKRoundingLitert);
  } else {
    if (w->pools) VGK_TRANSFORM(true, VGKRoundingTflm);
    else VGK_TRANSFORM(false, VGKRoundingTflm);
  }
#undef VGK_TRANSFORM
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
  const size_t panelBytes = VGK_NAME(panelBytes)(w);
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
      VGK_NAME(transformOutputPanel)(
        w, firstTile, tileCount, panel * width, products, biases + panel * width, requantization, output);
    }
  }
}
