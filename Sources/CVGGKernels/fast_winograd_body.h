/*
 * Winograd convolution for one instruction set (see for_each_isa.h); the method and its points: fast_winograd.c.
 *
 * A unit of work takes a block of tiles through all steps, in scratch of its own:
 *   transformed input  [n * n points][tiles of the block][input channels]
 *   products           [n points of a row][tiles of the block][panelWidth]
 *   sums               [n rows][n - 2 columns][tiles of the block][panelWidth]
 * Panel by panel of output channels, each row of points is transformed back as soon as its products are there: they
 * are in the first cache then, and the sums of a panel in the second.
 */
#include "fast_vector_body.h"

/* One row of the input transform: n numbers. */
VGK_INLINE void VGK_NAME(transformInput)(const WinogradPoints *t, const VGK_NAME(vector) *x, VGK_NAME(vector) *y) {
  const size_t pairs = t->pairCount, zero = t->hasZero;
  VGK_UNROLL for (size_t i = 0; i < pairs; i++) {
    VGK_NAME(vector) even = x[2 * pairs - 1 + zero], odd = x[2 * pairs - 2 + zero];
    VGK_UNROLL for (size_t j = 0; j < pairs - 1; j++) {
      even += x[2 * j + 1 + zero] * t->others[i][j];
      odd += x[2 * j + zero] * t->others[i][j];
    }
    y[zero + 2 * i] = even + odd * t->points[i];
    y[zero + 2 * i + 1] = even - odd * t->points[i];
  }
  VGK_NAME(vector) last = x[2 * pairs + zero], first = x[2 * pairs];
  VGK_UNROLL for (size_t j = 0; j < pairs; j++) {
    last += x[2 * j + zero] * t->all[j];
    first += x[2 * j] * t->all[j];
  }
  y[2 * pairs + zero] = last;
  if (zero) y[0] = first;
}

/* One row of the output transform: n products give n - 2 outputs. */
VGK_INLINE void VGK_NAME(transformOutput)(const WinogradPoints *t, const VGK_NAME(vector) *x, VGK_NAME(vector) *y) {
  const size_t pairs = t->pairCount, zero = t->hasZero, count = 2 * pairs - 1 + zero;
  VGK_NAME(vector) parts[2][4];
  VGK_UNROLL for (size_t i = 0; i < pairs; i++) {
    parts[0][i] = x[zero + 2 * i] + x[zero + 2 * i + 1];
    parts[1][i] = x[zero + 2 * i] - x[zero + 2 * i + 1];
  }
  VGK_UNROLL for (size_t j = 0; j < count; j++) {
    VGK_NAME(vector) sum = parts[j % 2][0] * t->powers[0][j];
    VGK_UNROLL for (size_t i = 1; i < pairs; i++) sum += parts[j % 2][i] * t->powers[i][j];
    if (j == 0 && zero) sum += x[0];
    if (j == count - 1) sum += x[count + 1];
    y[j] = sum;
  }
}

/* Transforms one tile: n x n pixels, of which those outside the image are zero. `target` is the place of point 0. */
VGK_INLINE void VGK_NAME(transformInputTile)(
  const WinogradPoints *points, const VGKConvolutionShape *s, const float *image, const Tile *tile, float *target,
  size_t pointStride) {
  const size_t count = 2 * points->pairCount - 1 + points->hasZero, size = count + 2;
  const size_t pixelStride = vgk_fast_channel_stride(s->inputChannels), rowStride = s->inputWidth * pixelStride;
  const Span rows = tileSpan(tile->row * count, size, s->paddingHeight, s->inputHeight);
  const Span columns = tileSpan(tile->column * count, size, s->paddingWidth, s->inputWidth);
  const bool isInside = rows.first == 0 && rows.end == size && columns.first == 0 && columns.end == size;
  const float *source = image + rows.start * rowStride + columns.start * pixelStride;
  VGK_NAME(vector) pixels[VGK_WINOGRAD_SIZE * VGK_WINOGRAD_SIZE], half[VGK_WINOGRAD_SIZE * VGK_WINOGRAD_SIZE];
  if (!isInside)
    for (size_t i = 0; i < size * size; i++) pixels[i] = (VGK_NAME(vector)){0};

  for (size_t channel = 0; channel < pixelStride; channel += VGK_NAME(lanes)) {
    if (!isInside)
      for (size_t y = rows.first; y < rows.end; y++)
        for (size_t x = columns.first; x < columns.end; x++)
          pixels[y * size + x] = VGK_NAME(load)(
            source + (y - rows.first) * rowStride + (x - columns.first) * pixelStride + channel);
    VGK_NO_UNROLL for (size_t y = 0; y < size; y++) {
      VGK_NAME(vector) line[VGK_WINOGRAD_SIZE], results[VGK_WINOGRAD_SIZE];
      // The next tile of the row begins where this one's outputs end.
      if (isInside)
        VGK_UNROLL for (size_t x = 2; x < size; x++)
          __builtin_prefetch(source + y * rowStride + (x + count) * pixelStride + channel);
      VGK_UNROLL for (size_t x = 0; x < size; x++) line[x] =
        isInside ? VGK_NAME(load)(source + y * rowStride + x * pixelStride + channel) : pixels[y * size + x];
      VGK_NAME(transformInput)(points, line, results);
      VGK_UNROLL for (size_t x = 0; x < size; x++) half[y * size + x] = results[x];
    }
    VGK_NO_UNROLL for (size_t x = 0; x < size; x++) {
      VGK_NAME(vector) line[VGK_WINOGRAD_SIZE], results[VGK_WINOGRAD_SIZE];
      VGK_UNROLL for (size_t y = 0; y < size; y++) line[y] = half[y * size + x];
      VGK_NAME(transformInput)(points, line, results);
      VGK_UNROLL for (size_t y = 0; y < size; y++) {
        float *place = target + (y * size + x) * pointStride + channel;
        VGK_NAME(store)(place, results[y]);
        // Where the next but one vector goes: writing to what is not in the cache makes the writer wait.
        __builtin_prefetch(place + 2 * VGK_NAME(lanes), 1, 3);
      }
    }
  }
}

/* One row of the points of a block, for one panel of channels: n products of each tile give n - 2 sums. */
VGK_INLINE void VGK_NAME(transformProductRow)(
  const WinogradPoints *points, size_t tileCount, const float *products, float *sums) {
  const size_t count = 2 * points->pairCount - 1 + points->hasZero, size = count + 2;
  const size_t stride = tileCount * VGK_NAME(panelWidth);
  VGK_NO_UNROLL for (size_t i = 0; i < stride; i += VGK_NAME(lanes)) {
    VGK_NAME(vector) line[VGK_WINOGRAD_SIZE], results[VGK_WINOGRAD_SIZE];
    VGK_UNROLL for (size_t x = 0; x < size; x++) line[x] = VGK_NAME(load)(products + x * stride + i);
    VGK_NAME(transformOutput)(points, line, results);
    VGK_UNROLL for (size_t x = 0; x < count; x++) VGK_NAME(store)(sums + x * stride + i, results[x]);
  }
}

/* The pixels of one tile from the sums of all rows, for one vector of channels: pixels[y * pixelRow + x]. */
VGK_INLINE void VGK_NAME(transformOutputTile)(
  const WinogradPoints *points, const float *sums, size_t stride, VGK_NAME(vector) *pixels, const size_t pixelRow) {
  const size_t count = 2 * points->pairCount - 1 + points->hasZero, size = count + 2;
  VGK_NO_UNROLL for (size_t x = 0; x < count; x++) {
    VGK_NAME(vector) line[VGK_WINOGRAD_SIZE], results[VGK_WINOGRAD_SIZE];
    VGK_UNROLL for (size_t y = 0; y < size; y++) line[y] = VGK_NAME(load)(sums + (y * count + x) * stride);
    VGK_NAME(transformOutput)(points, line, results);
    VGK_UNROLL for (size_t y = 0; y < count; y++) pixels[y * pixelRow + x] = results[y];
  }
}

/* Adds the bias and writes the pixels that exist, or the maxima of 2 x 2 of them, for one vector of channels.
   `startY` and `startX` are the output position of the first pixel. */
VGK_INLINE void VGK_NAME(writePixels)(
  const VGKWinograd *w, const VGK_NAME(vector) *pixels, const size_t pixelRow, size_t image, size_t startY,
  size_t startX, VGK_NAME(vector) addend, bool appliesReLU, float *output) {
  const VGKConvolutionShape *s = &w->shape;
  const size_t pixelStride = vgk_fast_channel_stride(s->outputChannels);
  const size_t rows = remaining(s->outputHeight, startY, pixelRow);
  const size_t columns = remaining(s->outputWidth, startX, pixelRow);
  if (!w->pools) {
    float *corner = output + ((image * s->outputHeight + startY) * s->outputWidth + startX) * pixelStride;
    for (size_t y = 0; y < rows; y++)
      for (size_t x = 0; x < columns; x++) {
        const VGK_NAME(vector) v = pixels[y * pixelRow + x] + addend;
        VGK_NAME(store)(
          corner + (y * s->outputWidth + x) * pixelStride, appliesReLU ? VGK_NAME(rectified)(v) : v);
      }
    return;
  }
  // Adding the same bias to all, and ReLU, keep the order: the maximum may be taken first.
  float *corner = output + ((image * w->pooledHeight + startY / 2) * w->pooledWidth + startX / 2) * pixelStride;
  const size_t pooledRows = remaining(w->pooledHeight, startY / 2, pixelRow / 2);
  const size_t pooledColumns = remaining(w->pooledWidth, startX / 2, pixelRow / 2);
  for (size_t y = 0; y < pooledRows; y++)
    for (size_t x = 0; x < pooledColumns; x++) {
      const VGK_NAME(vector) *window = pixels + 2 * y * pixelRow + 2 * x;
      const bool hasRight = 2 * x + 1 < columns, hasBelow = 2 * y + 1 < rows;
      VGK_NAME(vector) v = window[0];
      if (hasRight) v = VGK_NAME(maximum)(v, window[1]);
      if (hasBelow) v = VGK_NAME(maximum)(v, window[pixelRow]);
      if (hasRight && hasBelow) v = VGK_NAME(maximum)(v, window[pixelRow + 1]);
      v += addend;
      VGK_NAME(store)(corner + (y * w->pooledWidth + x) * pixelStride, appliesReLU ? VGK_NAME(rectified)(v) : v);
    }
}

/* Takes a group of tiles (one, or 2 x 2) from sums to output pixels, for one panel of channels. */
VGK_INLINE void VGK_NAME(transformOutputGroup)(
  const WinogradPoints *points, const size_t groupSide, const VGKWinograd *w, size_t firstTile, const float *sums,
  size_t stride, const float *bias, bool appliesReLU, float *output, size_t channelStart) {
  const size_t count = 2 * points->pairCount - 1 + points->hasZero, pixelRow = groupSide * count;
  const size_t channelStride = vgk_fast_channel_stride(w->shape.outputChannels);
  const Tile tile = tileAt(w, firstTile);
  VGK_NAME(vector) pixels[4 * VGK_WINOGRAD_SIZE * VGK_WINOGRAD_SIZE];
  for (size_t i = 0; i < VGK_NAME(panelWidth); i += VGK_NAME(lanes)) {
    const size_t channel = channelStart + i;
    if (channel >= channelStride) break;
    VGK_NO_UNROLL for (size_t t = 0; t < groupSide * groupSide; t++)
      VGK_NAME(transformOutputTile)(
        points, sums + t * VGK_NAME(panelWidth) + i, stride,
        pixels + (t / groupSide * pixelRow + t % groupSide) * count, pixelRow);
    VGK_NAME(vector) addend = {0};
    if (bias && channel < w->shape.outputChannels)
      addend = VGK_NAME(loadFirst)(bias + channel, w->shape.outputChannels - channel);
    VGK_NAME(writePixels)(
      w, pixels, pixelRow, tile.image, tile.row * count, tile.column * count, addend, appliesReLU, output + channel);
  }
}

/* Stores a tile of sums, or adds it to what is there. */
VGK_INLINE void VGK_NAME(storeProducts)(
  VGK_NAME(vector) sums[][2], const size_t rows, float *products, bool accumulates) {
  if (accumulates)
    VGK_UNROLL for (size_t r = 0; r < rows; r++) {
      sums[r][0] += VGK_NAME(load)(products + r * VGK_NAME(panelWidth));
      sums[r][1] += VGK_NAME(load)(products + r * VGK_NAME(panelWidth) + VGK_NAME(lanes));
    }
  VGK_UNROLL for (size_t r = 0; r < rows; r++) {
    VGK_NAME(store)(products + r * VGK_NAME(panelWidth), sums[r][0]);
    VGK_NAME(store)(products + r * VGK_NAME(panelWidth) + VGK_NAME(lanes), sums[r][1]);
  }
}

/* The products of one point: the tiles of a block times one panel of weights, products[tile][panelWidth]. */
static void VGK_NAME(multiplyPoint)(
  const VGKWinograd *w, size_t tileCount, const float *input, const float *weights, float *products) {
  const size_t length = w->shape.inputChannels, parts = divideUp(tileCount, VGK_NAME(tileRows));
  for (size_t part = 0; part < parts; part++) {
    const size_t first = VGK_NAME(tileStart)(tileCount, part), end = VGK_NAME(tileStart)(tileCount, part + 1);
    float *c = products + first * VGK_NAME(panelWidth);
    for (size_t start = 0; start < length; start += VGKConvolutionChunk) {
      const Runs run = {.rowCount = 1, .columnCount = 1, .length = smallerOf(length - start, VGKConvolutionChunk)};
      const float *a = input + first * w->inputRowStride + start, *b = weights + start * VGK_NAME(panelWidth);
      VGK_NAME(vector) sums[VGK_NAME(tileRows)][2];
      switch (end - first) {
#define VGK_TILE(rows)                                                                                        \
  case rows:                                                                                                  \
    VGK_NAME(multiplyTile)(                                                                                   \
      sums, rows, a, w->inputRowStride, &run, b, b + length * VGK_NAME(panelWidth), a + w->inputPointStride); \
    VGK_NAME(storeProducts)(sums, rows, c, start > 0);                                                        \
    break;
        VGK_EACH_TILE
#undef VGK_TILE
      }
    }
  }
}

/* Asks for the places of one output pixel of all tiles, for one panel: writing to what is not in the cache makes the
   writer wait. With pooling, one of four pixels stands for all. */
VGK_INLINE void VGK_NAME(prefetchPixels)(
  const VGKWinograd *w, const size_t *corners, size_t tileCount, size_t y, size_t x, const float *output) {
  if (w->pools && (y % 2 == 1 || x % 2 == 1)) return;
  const size_t pixel = w->pools ? y / 2 * w->pooledWidth + x / 2 : y * w->shape.outputWidth + x;
  const size_t offset = pixel * vgk_fast_channel_stride(w->shape.outputChannels);
  for (size_t t = 0; t < tileCount; t++)
    for (size_t i = 0; i < VGK_NAME(panelWidth); i += 16) __builtin_prefetch(output + corners[t] + offset + i, 1, 2);
}

VGK_INLINE void VGK_NAME(winogradUnits)(
  const WinogradPoints *points, const VGKWinograd *w, const float *input, const float *weights, const float *bias,
  bool appliesReLU, float *output, float *scratch, size_t unitStart, size_t unitEnd) {
  const size_t count = 2 * points->pairCount - 1 + points->hasZero, size = count + 2;
  const VGKConvolutionShape *s = &w->shape;
  const size_t panelLength = s->inputChannels * VGK_NAME(panelWidth);
  const size_t imageLength = s->inputHeight * s->inputWidth * vgk_fast_channel_stride(s->inputChannels);
  float *products = scratch + size * size * w->inputPointStride;
  float *sums = products + size * w->blockTiles * VGK_NAME(panelWidth);
  size_t transformedBlock = SIZE_MAX, corners[vgkLargestBlock];

  for (size_t unit = unitStart; unit < unitEnd; unit++) {
    const size_t block = unit / w->channelBlockCount, channelBlock = unit % w->channelBlockCount;
    const size_t firstTile = block * w->blockTiles;
    const size_t tileCount = smallerOf(w->tileCount - firstTile, w->blockTiles);
    const size_t stride = tileCount * VGK_NAME(panelWidth);
    if (block != transformedBlock) {
      for (size_t t = 0; t < tileCount; t++) {
        const Tile tile = tileAt(w, firstTile + t);
        corners[t] = outputCorner(w, &tile);
        VGK_NAME(transformInputTile)(
          points, s, input + tile.image * imageLength, &tile, scratch + t * w->inputRowStride, w->inputPointStride);
      }
      transformedBlock = block;
    }
    const size_t panelStart = channelBlock * w->blockPanels;
    const size_t panelEnd = smallerOf(panelStart + w->blockPanels, w->panelCount);
    for (size_t panel = panelStart; panel < panelEnd; panel++) {
      for (size_t y = 0; y < size; y++) {
        for (size_t x = 0; x < size; x++) {
          const size_t point = y * size + x;
          if (y < count && x < count)
            VGK_NAME(prefetchPixels)(w, corners, tileCount, y, x, output + panel * VGK_NAME(panelWidth));
          VGK_NAME(multiplyPoint)(
            w, tileCount, scratch + point * w->inputPointStride,
            weights + (panel * size * size + point) * panelLength, products + x * stride);
        }
        VGK_NAME(transformProductRow)(points, tileCount, products, sums + y * count * stride);
      }
      // Tiles of odd size share windows of pooling: four of them make a group.
      const size_t channel = panel * VGK_NAME(panelWidth);
      if (w->groupTiles == 1)
        for (size_t t = 0; t < tileCount; t++)
          VGK_NAME(transformOutputGroup)(
            points, 1, w, firstTile + t, sums + t * VGK_NAME(panelWidth), stride, bias, appliesReLU, output, channel);
      else
        for (size_t t = 0; t < tileCount; t += 4)
          VGK_NAME(transformOutputGroup)(
            points, 2, w, firstTile + t, sums + t * VGK_NAME(panelWidth), stride, bias, appliesReLU, output, channel);
    }
  }
}

static void VGK_NAME(winograd)(
  const VGKWinograd *w, const float *input, const float *weights, const float *bias, bool appliesReLU, float *output,
  float *scratch, size_t unitStart, size_t unitEnd) {
  switch (w->outputTile) {
#define VGK_SIZE(count)                                                                                        \
  case count:                                                                                                  \
    VGK_NAME(winogradUnits)                                                                                    \
    (&winogradPoints##count, w, input, weights, bias, appliesReLU, output, scratch, unitStart, unitEnd);       \
    break;
    VGK_EACH_SIZE
#undef VGK_SIZE
  }
}

/* Transforms the weights of some panels, in double: target[panel][point][input channel][panelWidth]. */
static void VGK_NAME(winogradWeights)(
  const VGKWinograd *w, const double (*factors)[3], const float *weights, float *target, size_t panelStart,
  size_t panelEnd) {
  const size_t size = w->outputTile + 2, inputs = w->shape.inputChannels, outputs = w->shape.outputChannels;
  typedef double Doubles __attribute__((vector_size(16 * VGK_LANES)));
  for (size_t panel = panelStart; panel < panelEnd; panel++)
    for (size_t input = 0; input < inputs; input++)
      for (size_t column = 0; column < VGK_NAME(panelWidth); column += VGK_NAME(lanes)) {
        const size_t output = panel * VGK_NAME(panelWidth) + column;
        float *place = target + (panel * size * size * inputs + input) * VGK_NAME(panelWidth) + column;
        Doubles taps[9] = {{0}}, half[VGK_WINOGRAD_SIZE][3];
        if (output < outputs)
          for (size_t tap = 0; tap < 9; tap++)
            taps[tap] = __builtin_convertvector(
              VGK_NAME(loadFirst)(weights + (tap * inputs + input) * outputs + output, outputs - output), Doubles);
        for (size_t y = 0; y < size; y++)
          for (size_t x = 0; x < 3; x++)
            half[y][x] = taps[x] * factors[y][0] + taps[3 + x] * factors[y][1] + taps[6 + x] * factors[y][2];
        for (size_t y = 0; y < size; y++)
          for (size_t x = 0; x < size; x++) {
            const Doubles sum =
              half[y][0] * factors[x][0] + half[y][1] * factors[x][1] + half[y][2] * factors[x][2];
            VGK_NAME(store)(
              place + (y * size + x) * inputs * VGK_NAME(panelWidth),
              __builtin_convertvector(sum, VGK_NAME(vector)));
          }
      }
}
