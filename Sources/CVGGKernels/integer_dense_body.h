/*
 * Dense layers of codes for one instruction set (see for_each_integer_isa.h).
 *
 * The weights are read once, in stripes of columns, along their rows, a few rows at a time. Four rows are interleaved
 * in registers, so that a word holds the four weights of a column, and multiplied with a word of four inputs: as
 * bytes if the zero point is the least code, so that inputs are not negative, otherwise as two pairs of 16 bits.
 */
#include "integer_vector_body.h"

/* A block: what four registers hold. */
enum { VGK_NAME(blockColumns) = 4 * VGK_WORDS };

/* Inputs of a chunk: operands, and the weight rows that they belong to. */
typedef struct {
  /* Of four inputs a, b, c, d: the bytes, or the pairs (a, c) and (b, d). */
  uint32_t words[denseChunk / 4][2];
} VGK_NAME(Operands);

static void VGK_NAME(makeOperands)(
  const int8_t *input, const uint16_t *indices, size_t count, int32_t zeroPoint, VGK_NAME(Operands) *operands) {
  for (size_t i = 0; i < roundUp(count, denseGroup); i += 4) {
    uint32_t x[4];
    for (size_t k = 0; k < 4; k++) x[k] = i + k < count ? (uint32_t)(input[indices[i + k]] - zeroPoint) : 0;
    if (VGK_QUADS && vgkHasUnsignedQuads && zeroPoint == -128) {
      operands->words[i / 4][0] = x[0] | x[1] << 8 | x[2] << 16 | x[3] << 24;
    } else {
      operands->words[i / 4][0] = (x[0] & 0xFFFF) | x[2] << 16;
      operands->words[i / 4][1] = (x[1] & 0xFFFF) | x[3] << 16;
    }
  }
}

/*
 * sums[r][k] += the products of four weight rows with an operand of each row. On x86 words of sums lie as
 * interleaving leaves them: register k has columns 4 k ..< 4 k + 4 of every 16.
 */
VGK_INLINE void VGK_NAME(addFour)(
  VGK_NAME(words) sums[][4], const size_t rows, const bool bytes, const int8_t *const w[4],
  const uint32_t (*const operands[])[2]) {
#if defined(__x86_64__)
  VGK_NAME(words) quads[4];
#if VGK_WORDS == 16
  const __m512i a = _mm512_loadu_si512(w[0]), b = _mm512_loadu_si512(w[1]), c = _mm512_loadu_si512(w[2]);
  const __m512i d = _mm512_loadu_si512(w[3]);
  const __m512i ab0 = _mm512_unpacklo_epi8(a, b), ab1 = _mm512_unpackhi_epi8(a, b);
  const __m512i cd0 = _mm512_unpacklo_epi8(c, d), cd1 = _mm512_unpackhi_epi8(c, d);
  quads[0] = (VGK_NAME(words))_mm512_unpacklo_epi16(ab0, cd0);
  quads[1] = (VGK_NAME(words))_mm512_unpackhi_epi16(ab0, cd0);
  quads[2] = (VGK_NAME(words))_mm512_unpacklo_epi16(ab1, cd1);
  quads[3] = (VGK_NAME(words))_mm512_unpackhi_epi16(ab1, cd1);
#elif VGK_WORDS == 8
  const __m256i a = (__m256i)VGK_NAME(loadWords)(w[0]), b = (__m256i)VGK_NAME(loadWords)(w[1]);
  const __m256i c = (__m256i)VGK_NAME(loadWords)(w[2]), d = (__m256i)VGK_NAME(loadWords)(w[3]);
  const __m256i ab0 = _mm256_unpacklo_epi8(a, b), ab1 = _mm256_unpackhi_epi8(a, b);
  const __m256i cd0 = _mm256_unpacklo_epi8(c, d), cd1 = _mm256_unpackhi_epi8(c, d);
  quads[0] = (VGK_NAME(words))_mm256_unpacklo_epi16(ab0, cd0);
  quads[1] = (VGK_NAME(words))_mm256_unpackhi_epi16(ab0, cd0);
  quads[2] = (VGK_NAME(words))_mm256_unpacklo_epi16(ab1, cd1);
  quads[3] = (VGK_NAME(words))_mm256_unpackhi_epi16(ab1, cd1);
#else
  const __m128i a = (__m128i)VGK_NAME(loadWords)(w[0]), b = (__m128i)VGK_NAME(loadWords)(w[1]);
  const __m128i c = (__m128i)VGK_NAME(loadWords)(w[2]), d = (__m128i)VGK_NAME(loadWords)(w[3]);
  const __m128i ab0 = _mm_unpacklo_epi8(a, b), ab1 = _mm_unpackhi_epi8(a, b);
  const __m128i cd0 = _mm_unpacklo_epi8(c, d), cd1 = _mm_unpackhi_epi8(c, d);
  quads[0] = (VGK_NAME(words))_mm_unpacklo_epi16(ab0, cd0);
  quads[1] = (VGK_NAME(words))_mm_unpackhi_epi16(ab0, cd0);
  quads[2] = (VGK_NAME(words))_mm_unpacklo_epi16(ab1, cd1);
  quads[3] = (VGK_NAME(words))_mm_unpackhi_epi16(ab1, cd1);
#endif
  VGK_UNROLL for (size_t k = 0; k < 4; k++) {
    const VGK_NAME(halves) even = (VGK_NAME(halves))quads[k] << 8;
    const VGK_NAME(words) first = (VGK_NAME(words))((VGK_NAME(shorts))even >> 8);
    const VGK_NAME(words) second = (VGK_NAME(words))((VGK_NAME(shorts))quads[k] >> 8);
    VGK_UNROLL for (size_t r = 0; r < rows; r++) {
      if (bytes) {
        sums[r][k] = VGK_NAME(addProducts)(true, sums[r][k], VGK_NAME(broadcast)(&operands[r][0][0]), quads[k]);
      } else {
        sums[r][k] = VGK_NAME(addPairs)(sums[r][k], VGK_NAME(broadcast)(&operands[r][0][0]), first);
        sums[r][k] = VGK_NAME(addPairs)(sums[r][k], VGK_NAME(broadcast)(&operands[r][0][1]), second);
      }
    }
  }
#else
  (void)bytes;
  VGK_UNROLL for (size_t i = 0; i < 4; i++)
    VGK_UNROLL for (size_t r = 0; r < rows; r++) {
      const int16_t x = (int16_t)(operands[r][0][i % 2] >> (i / 2 * 16));
#if defined(__aarch64__)
      const int8x16_t bytesOfRow = vld1q_s8(w[i]);
      const int16x8_t low = vmovl_s8(vget_low_s8(bytesOfRow)), high = vmovl_high_s8(bytesOfRow);
      sums[r][0] = (VGK_NAME(words))vmlal_n_s16((int32x4_t)sums[r][0], vget_low_s16(low), x);
      sums[r][1] = (VGK_NAME(words))vmlal_high_n_s16((int32x4_t)sums[r][1], low, x);
      sums[r][2] = (VGK_NAME(words))vmlal_n_s16((int32x4_t)sums[r][2], vget_low_s16(high), x);
      sums[r][3] = (VGK_NAME(words))vmlal_high_n_s16((int32x4_t)sums[r][3], high, x);
#else
      for (size_t k = 0; k < 16; k++) sums[r][k / 4][k % 4] += (uint32_t)(x * w[i][k]);
#endif
    }
#endif
}

/* Adds the products of a group of weight rows. Columns that are left over are copied first. */
VGK_INLINE void VGK_NAME(addGroup)(
  uint32_t *sums, size_t sumStride, const size_t rows, const bool bytes, const int8_t *const w[denseGroup],
  const int8_t *const ahead[denseGroup], size_t columnCount, const uint32_t (*const operands[])[2]) {
  const uint32_t(*second[4])[2];
  VGK_UNROLL for (size_t r = 0; r < rows; r++) second[r] = operands[r] + 1;
  for (size_t column = 0; column < columnCount; column += VGK_NAME(blockColumns)) {
    const int8_t *sources[denseGroup];
    int8_t copies[denseGroup][4 * VGK_WORDS];
    VGK_UNROLL for (size_t i = 0; i < denseGroup; i++) sources[i] = w[i] + column;
    VGK_UNROLL for (size_t i = 0; i < denseGroup; i++) __builtin_prefetch(ahead[i] + column, 0, 1);
    if (column + VGK_NAME(blockColumns) > columnCount)
      for (size_t i = 0; i < denseGroup; i++) {
        memset(copies[i], 0, sizeof copies[i]);
        memcpy(copies[i], sources[i], columnCount - column);
        sources[i] = copies[i];
      }
    VGK_NAME(words) block[4][4];
    VGK_UNROLL for (size_t r = 0; r < rows; r++)
      VGK_UNROLL for (size_t k = 0; k < 4; k++)
        block[r][k] = VGK_NAME(loadWords)(sums + r * sumStride + column + k * VGK_WORDS);
    VGK_NAME(addFour)(block, rows, bytes, sources, operands);
    VGK_NAME(addFour)(block, rows, bytes, sources + 4, second);
    VGK_UNROLL for (size_t r = 0; r < rows; r++)
      VGK_UNROLL for (size_t k = 0; k < 4; k++)
        __builtin_memcpy(sums + r * sumStride + column + k * VGK_WORDS, &block[r][k], sizeof(block[r][k]));
  }
}

/* Adds the products of some inputs, for one row those that are not the zero point. */
VGK_INLINE void VGK_NAME(addChunk)(
  uint32_t *sums, size_t sumStride, const size_t rows, const bool bytes, const int8_t *input, size_t inputStride,
  int32_t zeroPoint, size_t inputCount, const int8_t *weights, size_t weightStride, size_t columnCount) {
  uint16_t indices[denseChunk + 2 * denseGroup];
  size_t count = 0;
  for (size_t i = 0; i < inputCount; i++) {
    indices[count] = (uint16_t)i;
    count += rows > 1 || input[i] != zeroPoint;
  }
  VGK_NAME(Operands) operands[4];
  VGK_UNROLL for (size_t r = 0; r < rows; r++)
    VGK_NAME(makeOperands)(input + r * inputStride, indices, count, zeroPoint, &operands[r]);
  // What fills up the last group, or is asked for after it, is there but counts for nothing.
  for (size_t i = 0; i < 2 * denseGroup; i++) indices[count + i] = count > 0 ? indices[count - 1] : 0;
  for (size_t start = 0; start < count; start += denseGroup) {
    const int8_t *w[denseGroup], *ahead[denseGroup];
    for (size_t i = 0; i < denseGroup; i++) {
      w[i] = weights + indices[start + i] * weightStride;
      ahead[i] = weights + indices[start + denseGroup + i] * weightStride;
    }
    const uint32_t(*places[4])[2];
    VGK_UNROLL for (size_t r = 0; r < rows; r++) places[r] = operands[r].words + start / 4;
    VGK_NAME(addGroup)(sums, sumStride, rows, bytes, w, ahead, columnCount, places);
  }
}

static void VGK_NAME(addOneRow)(
  uint32_t *sums, const int8_t *input, int32_t zeroPoint, size_t inputCount, const int8_t *weights,
  size_t weightStride, size_t columnCount) {
  if (VGK_QUADS && vgkHasUnsignedQuads && zeroPoint == -128)
    VGK_NAME(addChunk)(sums, 0, 1, true, input, 0, zeroPoint, inputCount, weights, weightStride, columnCount);
  else
    VGK_NAME(addChunk)(sums, 0, 1, false, input, 0, zeroPoint, inputCount, weights, weightStride, columnCount);
}

static void VGK_NAME(addFourRows)(
  uint32_t *sums, size_t sumStride, const int8_t *input, size_t inputStride, int32_t zeroPoint, size_t inputCount,
  const int8_t *weights, size_t weightStride, size_t columnCount) {
  if (VGK_QUADS && vgkHasUnsignedQuads && zeroPoint == -128)
    VGK_NAME(addChunk)(
      sums, sumStride, 4, true, input, inputStride, zeroPoint, inputCount, weights, weightStride, columnCount);
  else
    VGK_NAME(addChunk)(
      sums, sumStride, 4, false, input, inputStride, zeroPoint, inputCount, weights, weightStride, columnCount);
}

/* Writes the sums of a row from `column` on. */
static void VGK_NAME(writeSums)(
  const DenseOutput *target, size_t row, size_t outputCount, size_t column, size_t columnCount, const uint32_t *sums) {
  for (size_t start = 0; start < columnCount; start += VGK_NAME(blockColumns)) {
    uint32_t block[4 * VGK_WORDS];
    const size_t count = smallerOf(columnCount - start, VGK_NAME(blockColumns));
#if defined(__x86_64__)
    for (size_t k = 0; k < 4; k++)
      for (size_t i = 0; i < VGK_WORDS; i++) block[i / 4 * 16 + k * 4 + i % 4] = sums[start + k * VGK_WORDS + i];
#else
    memcpy(block, sums + start, sizeof block);
#endif
    for (size_t i = 0; target->bias && i < count; i++) block[i] += (uint32_t)target->bias[column + start + i];
    const size_t place = row * outputCount + column + start;
    if (target->accumulators) {
      memcpy(target->accumulators + place, block, count * sizeof(uint32_t));
      continue;
    }
    for (size_t i = 0; i < count; i += VGK_WORDS) {
      const size_t columns = smallerOf(count - i, VGK_WORDS);
      const Factors factors = factorsOf(target->requantization, column + start + i, columns);
      VGK_NAME(storeCodes)(
        target->codes + place + i, VGK_NAME(codes)(&factors, factors.rounding, 0, VGK_NAME(loadWords)(block + i)),
        columns);
    }
  }
}

static void VGK_NAME(dense)(
  size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t zeroPoint, const int8_t *weights,
  const DenseOutput *target, size_t columnStart, size_t columnEnd) {
  uint32_t sums[denseBatch * denseBatchStripe];
  const size_t stripe = rowCount == 1 ? denseStripe : denseBatchStripe;
  for (size_t row = 0; row < rowCount; row += denseBatch) {
    const size_t rows = smallerOf(rowCount - row, denseBatch);
    for (size_t column = columnStart; column < columnEnd; column += stripe) {
      const size_t columns = smallerOf(columnEnd - column, stripe);
      memset(sums, 0, rows == 1 ? roundUp(columns, 64) * sizeof(uint32_t) : sizeof sums);
      for (size_t start = 0; start < inputCount; start += denseChunk) {
        const size_t inputs = smallerOf(inputCount - start, denseChunk);
        const int8_t *source = weights + start * outputCount + column;
        size_t r = 0;
        for (; r + 4 <= rows; r += 4)
          VGK_NAME(addFourRows)(
            sums + r * denseBatchStripe, denseBatchStripe, input + (row + r) * inputCount + start, inputCount,
            zeroPoint, inputs, source, outputCount, columns);
        for (; r < rows; r++)
          VGK_NAME(addOneRow)(
            sums + r * denseBatchStripe, input + (row + r) * inputCount + start, zeroPoint, inputs, source, outputCount,
            columns);
      }
      for (size_t r = 0; r < rows; r++)
        VGK_NAME(writeSums)(target, row + r, outputCount, column, columns, sums + r * denseBatchStripe);
    }
  }
}
