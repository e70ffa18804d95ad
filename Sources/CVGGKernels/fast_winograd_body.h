/*
 * Winograd convolution for one instruction set (see for_each_isa.h); the method and its points: fast_winograd.c.
 *
 * A unit of work takes a block of tiles through all three steps, in scratch of its own:
 *   transformed input  [n * n points][tiles of the block][input channels]
 *   products           [n * n points][tiles of the block][output channels of the unit]
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
      VGK_UNROLL for (size_t y = 0; y < size; y++)
        VGK_NAME(store)(target + (y * size + x) * pointStride + channel, results[y]);
    }
  }
}

/* Transforms the products of one tile back, for one vector of channels: pixels[y * pixelRow + x]. */
VGK_INLINE void VGK_NAME(transformOutputTile)(
  const WinogradPoints *points, const float *products, size_t pointStride, VGK_NAME(vector) *pixels,
  const size_t pixelRow) {
  const size_t count = 2 * points->pairCount - 1 + points->hasZero, size = count + 2;
  VGK_NAME(vector) half[VGK_WINOGRAD_SIZE * VGK_WINOGRAD_SIZE];
  VGK_NO_UNROLL for (size_t x = 0; x < size; x++) {
    VGK_NAME(vector) line[VGK_WINOGRAD_SIZE], results[VGK_WINOGRAD_SIZE];
    VGK_UNROLL for (size_t y = 0; y < size; y++) line[y] = VGK_NAME(load)(products + (y * size + x) * pointStride);
    VGK_NAME(transformOutput)(points, line, results);
    VGK_UNROLL for (size_t y = 0; y < count; y++) half[y * size + x] = results[y];
  }
  VGK_NO_UNROLL for (size_t y = 0; y < count; y++) {
    VGK_NAME(vector) line[VGK_WINOGRAD_SIZE], results[VGK_WINOGRAD_SIZE];
    VGK_UNROLL for (size_t x = 0; x < size; x++) line[x] = half[y * size + x];
    VGK_NAME(transformOutput)(points, line, results);
    VGK_UNROLL for (size_t x = 0; x < count; x++) pixels[y * pixelRow + x] = results[x];
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

/* Takes a group of tiles (one, or 2 x 2) from products to output pixels. */
VGK_INLINE void VGK_NAME(transformOutputGroup)(
  const WinogradPoints *points, const size_t groupSide, const VGKWinograd *w, size_t firstTile, const float *products,
  const float *bias, bool appliesReLU, float *output, size_t channelStart, size_t channelEnd) {
  const size_t count = 2 * points->pairCount - 1 + points->hasZero, pixelRow = groupSide * count;
  const Tile tile = tileAt(w, firstTile);
  VGK_NAME(vector) pixels[4 * VGK_WINOGRAD_SIZE * VGK_WINOGRAD_SIZE];
  for (size_t channel = channelStart; channel < channelEnd; channel += VGK_NAME(lanes)) {
    VGK_NO_UNROLL for (size_t i = 0; i < groupSide * groupSide; i++)
      VGK_NAME(transformOutputTile)(
        points, products + i * w->productRowStride + (channel - channelStart), w->productPointStride,
        pixels + (i / groupSide * pixelRow + i % groupSide) * count, pixelRow);
    VGK_NAME(vector) addend = {0};
    if (bias && channel < w->shape.outputChannels)
      addend = VGK_NAME(loadFirst)(bias + channel, w->shape.outputChannels - channel);
    VGK_NAME(writePixels)(
      w, pixels, pixelRow, tile.image, tile.row * count, tile.column * count, addend, appliesReLU, output + channel);
  }
}

/* Stores a tile of sums, or adds it to what is there. */
VGK_INLINE void VGK_NAME(storeProducts)(
  VGK_NAME(vector) sums[][2], const size_t rows, float *products, size_t stride, bool accumulates) {
  if (accumulates)
    VGK_UNROLL for (size_t r = 0; r < rows; r++) {
      sums[r][0] += VGK_NAME(load)(products + r * stride);
      sums[r][1] += VGK_NAME(load)(products + r * stride + VGK_NAME(lanes));
    }
  VGK_UNROLL for (size_t r = 0; r < rows; r++) {
    VGK_NAME(store)(products + r * stride, sums[r][0]);
    VGK_NAME(store)(products + r * stride + VGK_NAME(lanes), sums[r][1]);
  }
}

/* The products of one point: tiles x input channels times panels of weights. */
static void VGK_NAME(multiplyPoint)(
  size_t tileCount, size_t length, const float *input, size_t inputStride, size_t inputPointStride,
  const float *weights, const float *next, size_t panelCount, float *products, size_t productStride,
  size_t productPointStride) {
  const size_t panelLength = length * VGK_NAME(panelWidth);
  const size_t parts = (tileCount + VGK_NAME(tileRows) - 1) / VGK_NAME(tileRows);
  for (size_t panel = 0; panel < panelCount; panel++) {
    const float *b = weights + panel * panelLength, *after = panel + 1 < panelCount ? b + panelLength : next;
    // What the step after this one needs: its place for products, and a part of the next point's input.
    const bool isLast = panel + 1 == panelCount;
    float *nextProducts = isLast ? products + productPointStride : products + (panel + 1) * VGK_NAME(panelWidth);
    for (size_t t = 0; t < tileCount; t++)
      for (size_t i = 0; i < VGK_NAME(panelWidth); i += 16)
        __builtin_prefetch(nextProducts + t * productStride + i, 1, 2);
    const float *nextInput = input + inputPointStride;
    const size_t inputLines = tileCount * inputStride / 16;
    for (size_t i = panel * inputLines / panelCount; i < (panel + 1) * inputLines / panelCount; i++)
      __builtin_prefetch(nextInput + i * 16, 0, 2);
    for (size_t part = 0; part < parts; part++) {
      const size_t first = VGK_NAME(tileStart)(tileCount, part), end = VGK_NAME(tileStart)(tileCount, part + 1);
      const float *a = input + first * inputStride;
      float *c = products + first * productStride + panel * VGK_NAME(panelWidth);
      for (size_t start = 0; start < length; start += vgkChunk) {
        const Runs run = {.rowCount = 1, .columnCount = 1, .length = smallerOf(length - start, vgkChunk)};
        const size_t step = start * VGK_NAME(panelWidth);
        VGK_NAME(vector) sums[VGK_NAME(tileRows)][2];
        switch (end - first) {
#define VGK_TILE(rows)                                                                                \
  case rows:                                                                                          \
    VGK_NAME(multiplyTile)(sums, rows, a + start, inputStride, &run, b + step, after + step);         \
    VGK_NAME(storeProducts)(sums, rows, c, productStride, start > 0);                                 \
    break;
          VGK_EACH_TILE
#undef VGK_TILE
        }
      }
    }
  }
}

VGK_INLINE void VGK_NAME(winogradUnits)(
  const WinogradPoints *points, const VGKWinograd *w, const float *input, const float *weights, const float *bias,
  bool appliesReLU, float *output, float *scratch, size_t unitStart, size_t unitEnd) {
  const size_t size = 2 * points->pairCount + 1 + points->hasZero;
  const VGKConvolutionShape *s = &w->shape;
  const size_t channelStride = vgk_fast_channel_stride(s->outputChannels);
  const size_t panelLength = s->inputChannels * VGK_NAME(panelWidth);
  const size_t imageLength = s->inputHeight * s->inputWidth * vgk_fast_channel_stride(s->inputChannels);
  float *products = scratch + size * size * w->inputPointStride;
  size_t transformedBlock = SIZE_MAX;

  for (size_t unit = unitStart; unit < unitEnd; unit++) {
    const size_t block = unit / w->channelBlockCount, channelBlock = unit % w->channelBlockCount;
    const size_t firstTile = block * w->blockTiles;
    const size_t tileCount = smallerOf(w->tileCount - firstTile, w->blockTiles);
    if (block != transformedBlock) {
      for (size_t t = 0; t < tileCount; t++) {
        const Tile tile = tileAt(w, firstTile + t);
        VGK_NAME(transformInputTile)(
          points, s, input + tile.image * imageLength, &tile, scratch + t * w->inputRowStride, w->inputPointStride);
      }
      transformedBlock = block;
    }
    const size_t panelStart = channelBlock * w->blockPanels;
    const size_t panelEnd = smallerOf(panelStart + w->blockPanels, w->panelCount);
    for (size_t point = 0; point < size * size; point++) {
      const float *panels = weights + (point * w->panelCount + panelStart) * panelLength;
      VGK_NAME(multiplyPoint)(
        tileCount, s->inputChannels, scratch + point * w->inputPointStride, w->inputRowStride, w->inputPointStride,
        panels, panels + w->panelCount * panelLength, panelEnd - panelStart,
        products + point * w->productPointStride, w->productRowStride, w->productPointStride);
    }
    const size_t channelStart = panelStart * VGK_NAME(panelWidth);
    const size_t channelEnd = smallerOf(panelEnd * VGK_NAME(panelWidth), channelStride);
    // Tiles of odd size share windows of pooling: four of them make a group.
    if (w->groupTiles == 1)
      for (size_t t = 0; t < tileCount; t++)
        VGK_NAME(transformOutputGroup)(
          points, 1, w, firstTile + t, products + t * w->productRowStride, bias, appliesReLU, output, channelStart,
          channelEnd);
    else
      for (size_t t = 0; t < tileCount; t += 4)
        VGK_NAME(transformOutputGroup)(
          points, 2, w, firstTile + t, products + t * w->productRowStride, bias, appliesReLU, output, channelStart,
          channelEnd);
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

/* Transforms the weights of some panels, in double: target[point][panel][input channel][panelWidth]. */
static void VGK_NAME(winogradWeights)(
  const VGKWinograd *w, const double (*factors)[3], const float *weights, float *target, size_t panelStart,
  size_t panelEnd) {
  const size_t size = w->outputTile + 2, inputs = w->shape.inputChannels, outputs = w->shape.outputChannels;
  typedef double Doubles __attribute__((vector_size(16 * VGK_LANES)));
  for (size_t panel = panelStart; panel < panelEnd; panel++)
    for (size_t input = 0; input < inputs; input++)
      for (size_t column = 0; column < VGK_NAME(panelWidth); column += VGK_NAME(lanes)) {
        const size_t output = panel * VGK_NAME(panelWidth) + column;
        float *place = target + (panel * inputs + input) * VGK_NAME(panelWidth) + column;
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
              place + (y * size + x) * w->panelCount * inputs * VGK_NAME(panelWidth),
              __builtin_convertvector(sum, VGK_NAME(vector)));
          }
      }
}
