/*
 * Dense layers for one instruction set (see for_each_isa.h).
 *
 * The weights are read once, in stripes of columns, along their rows. The inputs are cut into chunks: the products
 * of a chunk are summed in ascending order from zero, then the sums of the chunks are added up, which keeps the
 * rounding error of thousands of terms small. Nothing else shows in the result: not the stripes, not the batch.
 */
#include "fast_vector_body.h"

/* One row: sums[c] += x[i] * w[i, c] for the inputs that are not zero, eight weight rows at a time. */
static void VGK_NAME(denseRow)(
  const float *x, const float *w, size_t wStride, size_t inputCount, size_t columnCount, float *sums) {
  enum { groupSize = 8 };
  size_t indices[VGKDenseChunk + groupSize], count = 0;
  for (size_t i = 0; i < inputCount; i++) {
    indices[count] = i;
    count += x[i] != 0;
  }
  size_t next = 0;
  for (; next + groupSize <= count; next += groupSize) {
    const float *rows[groupSize];
    float values[groupSize];
    VGK_UNROLL for (size_t k = 0; k < groupSize; k++) {
      rows[k] = w + indices[next + k] * wStride;
      values[k] = x[indices[next + k]];
    }
    // The next eight rows are asked for now: single rows are too short for the hardware to run ahead in them.
    const float *ahead[groupSize];
    VGK_UNROLL for (size_t k = 0; k < groupSize; k++)
      ahead[k] = w + indices[next + groupSize + k < count ? next + groupSize + k : next + k] * wStride;
    size_t column = 0;
    for (; column + VGK_NAME(panelWidth) <= columnCount; column += VGK_NAME(panelWidth)) {
      VGK_UNROLL for (size_t k = 0; k < groupSize; k++)
        VGK_UNROLL for (size_t line = 0; line < VGK_NAME(panelWidth); line += 16)
          __builtin_prefetch(ahead[k] + column + line, 0, 1);
      VGK_NAME(vector) sum0 = VGK_NAME(load)(sums + column), sum1 = VGK_NAME(load)(sums + column + VGK_NAME(lanes));
      VGK_UNROLL for (size_t k = 0; k < groupSize; k++) {
        sum0 += VGK_NAME(load)(rows[k] + column) * values[k];
        sum1 += VGK_NAME(load)(rows[k] + column + VGK_NAME(lanes)) * values[k];
      }
      VGK_NAME(store)(sums + column, sum0);
      VGK_NAME(store)(sums + column + VGK_NAME(lanes), sum1);
    }
    for (; column < columnCount; column++)
      VGK_UNROLL for (size_t k = 0; k < groupSize; k++)
        sums[column] += rows[k][column] * values[k];
  }
  for (; next < count; next++) {
    const float *row = w + indices[next] * wStride, value = x[indices[next]];
    for (size_t column = 0; column < columnCount; column++) sums[column] += row[column] * value;
  }
}

/* Some rows of a batch: sums[r, c] += x[r, i] * w[i, c] for a few weight rows, which then are in the cache. The same
   columns of the rows from `ahead` on are asked for, unless it is null. */
VGK_INLINE void VGK_NAME(denseTile)(
  const size_t rows, const float *x, size_t xStride, const float *w, size_t wStride, size_t inputCount,
  const float *ahead, size_t columnCount, float *sums, size_t sumStride) {
  size_t column = 0;
  for (; column + VGK_NAME(panelWidth) <= columnCount; column += VGK_NAME(panelWidth)) {
    VGK_NAME(vector) tile[VGK_NAME(tileRows)][2];
    VGK_UNROLL for (size_t r = 0; r < rows; r++) {
      tile[r][0] = VGK_NAME(load)(sums + r * sumStride + column);
      tile[r][1] = VGK_NAME(load)(sums + r * sumStride + column + VGK_NAME(lanes));
    }
    for (size_t i = 0; i < inputCount; i++) {
      const float *source = w + i * wStride + column;
      if (ahead)
        VGK_UNROLL for (size_t line = 0; line < VGK_NAME(panelWidth); line += 16)
          __builtin_prefetch(ahead + i * wStride + column + line, 0, 2);
      const VGK_NAME(vector) w0 = VGK_NAME(load)(source), w1 = VGK_NAME(load)(source + VGK_NAME(lanes));
      VGK_UNROLL for (size_t r = 0; r < rows; r++) {
        const float value = x[r * xStride + i];
        tile[r][0] += w0 * value;
        tile[r][1] += w1 * value;
      }
    }
    VGK_UNROLL for (size_t r = 0; r < rows; r++) {
      VGK_NAME(store)(sums + r * sumStride + column, tile[r][0]);
      VGK_NAME(store)(sums + r * sumStride + column + VGK_NAME(lanes), tile[r][1]);
    }
  }
  for (; column < columnCount; column++)
    for (size_t r = 0; r < rows; r++)
      for (size_t i = 0; i < inputCount; i++)
        sums[r * sumStride + column] += w[i * wStride + column] * x[r * xStride + i];
}

static void VGK_NAME(denseRows)(
  size_t rows, const float *x, size_t xStride, const float *w, size_t wStride, size_t inputCount, const float *ahead,
  size_t columnCount, float *sums, size_t sumStride) {
  switch (rows) {
#define VGK_TILE(count)                                                                              \
  case count:                                                                                        \
    VGK_NAME(denseTile)(count, x, xStride, w, wStride, inputCount, ahead, columnCount, sums, sumStride); \
    break;
    VGK_EACH_TILE
#undef VGK_TILE
  }
}

/* sums[r, c] += x[r, i] * w[i, c] for all rows and columns, in ascending order of the inputs. */
static void VGK_NAME(denseAdd)(
  size_t rowCount, const float *x, size_t xStride, size_t inputCount, size_t outputCount, const float *w, float *sums) {
  if (rowCount == 1) return VGK_NAME(denseRow)(x, w, outputCount, inputCount, outputCount, sums);
  const size_t parts = divideUp(rowCount, VGK_NAME(tileRows));
  for (size_t part = 0; part < parts; part++) {
    const size_t firstRow = VGK_NAME(tileStart)(rowCount, part);
    VGK_NAME(denseRows)(
      VGK_NAME(tileStart)(rowCount, part + 1) - firstRow, x + firstRow * xStride, xStride, w, outputCount, inputCount,
      NULL, outputCount, sums + firstRow * outputCount, outputCount);
  }
}

static void VGK_NAME(dense)(
  size_t rowCount, size_t inputCount, size_t outputCount, const float *input, const float *weights, const float *bias,
  bool appliesReLU, float *output, size_t columnStart, size_t columnEnd) {
  enum { groupRows = 16 };
  const size_t stripe = rowCount == 1 ? vgkDenseStripe : vgkDenseBatchStripe;
  float sums[VGK_NAME(tileRows) * vgkDenseBatchStripe > vgkDenseStripe ? VGK_NAME(tileRows) * vgkDenseBatchStripe
                                                                       : vgkDenseStripe];
  for (size_t column = columnStart; column < columnEnd; column += stripe) {
    const size_t columns = smallerOf(columnEnd - column, stripe);
    for (size_t row = 0; row < rowCount; row++)
      for (size_t c = column; c < column + columns; c++) output[row * outputCount + c] = 0;
    for (size_t start = 0; start < inputCount; start += VGKDenseChunk) {
      const size_t end = smallerOf(start + VGKDenseChunk, inputCount);
      const size_t parts = divideUp(rowCount, VGK_NAME(tileRows));
      for (size_t part = 0; part < parts; part++) {
        const size_t firstRow = VGK_NAME(tileStart)(rowCount, part);
        const size_t rows = VGK_NAME(tileStart)(rowCount, part + 1) - firstRow;
        // The first part brings the weights into the cache; asking for what does not exist does no harm.
        for (size_t i = 0; i < rows * columns; i++) sums[i] = 0;
        if (rowCount == 1)
          VGK_NAME(denseRow)(
            input + start, weights + start * outputCount + column, outputCount, end - start, columns, sums);
        else
          for (size_t i = start; i < end; i += groupRows)
            VGK_NAME(denseRows)(
              rows, input + firstRow * inputCount + i, inputCount, weights + i * outputCount + column, outputCount,
              smallerOf(groupRows, end - i),
              part == 0 ? weights + (i + groupRows) * outputCount + column : NULL, columns, sums, columns);
        for (size_t r = 0; r < rows; r++) {
          float *target = output + (firstRow + r) * outputCount + column;
          for (size_t c = 0; c < columns; c++) target[c] += sums[r * columns + c];
        }
      }
    }
    for (size_t row = 0; row < rowCount; row++) {
      float *target = output + row * outputCount + column;
      for (size_t c = 0; c < columns; c++) {
        const float sum = target[c] + (bias ? bias[column + c] : 0);
        target[c] = appliesReLU && sum <= 0 ? 0 : sum;
      }
    }
  }
}
