/*
 * Dense layers from the codes of their weights, for one instruction set (see for_each_isa.h).
 *
 * For one row, codes become values in registers, on their way to the sums. For several, some weight rows are decoded
 * into the first cache, and `vgk_fast_dense_add` takes them from there.
 */
#include "fast_vector_body.h"

typedef int32_t VGK_NAME(numbers) __attribute__((vector_size(8 * VGK_LANES)));
typedef uint64_t VGK_NAME(doubles) __attribute__((vector_size(8 * VGK_LANES)));
typedef int8_t VGK_NAME(bytes) __attribute__((vector_size(2 * VGK_LANES)));
typedef uint8_t VGK_NAME(nibbles) __attribute__((vector_size(VGK_LANES)));

/* The values of so many codes as a register holds; `zeroPoints` may be null. */
VGK_INLINE VGK_NAME(vector) VGK_NAME(decode)(
  const int8_t *codes, const bool isPacked, const int8_t *zeroPoints, const float *scales) {
  VGK_NAME(numbers) numbers;
  if (isPacked) {
    // Each byte in 64 bits, its upper half then moved to the upper 32.
    VGK_NAME(nibbles) pairs;
    __builtin_memcpy(&pairs, codes, sizeof(pairs));
    const VGK_NAME(doubles) wide = __builtin_convertvector(pairs, VGK_NAME(doubles));
    numbers = (VGK_NAME(numbers))((wide | wide << 28) & 0xF0000000Full);
    numbers = (numbers ^ 8) - 8;
  } else {
    VGK_NAME(bytes) bytes;
    __builtin_memcpy(&bytes, codes, sizeof(bytes));
    numbers = __builtin_convertvector(bytes, VGK_NAME(numbers));
  }
  if (zeroPoints) {
    VGK_NAME(bytes) zeros;
    __builtin_memcpy(&zeros, zeroPoints, sizeof(zeros));
    numbers -= __builtin_convertvector(zeros, VGK_NAME(numbers));
  }
  return __builtin_convertvector(numbers, VGK_NAME(vector)) * VGK_NAME(load)(scales);
}

/* The value of one code, `column` columns from the first one. */
static inline float VGK_NAME(decodeOne)(const CodedRow *row, bool isPacked, size_t column) {
  int32_t code = row->codes[isPacked ? column / 2 : column];
  if (isPacked) code = column % 2 == 0 ? vgr_first_nibble((uint8_t)code) : vgr_second_nibble((uint8_t)code);
  return vgr_f32_from_code(code - (row->zeroPoints ? row->zeroPoints[column] : 0), row->scales[column]);
}

VGK_INLINE void VGK_NAME(addRows)(
  const CodedRow *rows, const size_t rowCount, const bool isPacked, const bool hasZeroPoints,
  const int8_t *const *ahead, size_t columnCount, float *sums) {
  enum { lanes = VGK_NAME(lanes) };
  size_t column = 0;
  for (; column + lanes <= columnCount; column += lanes) {
    VGK_NAME(vector) sum = VGK_NAME(load)(sums + column);
    const size_t place = isPacked ? column / 2 : column;
    VGK_UNROLL for (size_t k = 0; k < rowCount; k++) {
      if (place % 64 == 0) __builtin_prefetch(ahead[k] + place, 0, 2);
      sum += VGK_NAME(decode)(
               rows[k].codes + place, isPacked, hasZeroPoints ? rows[k].zeroPoints + column : NULL,
               rows[k].scales + column) *
             rows[k].input;
    }
    VGK_NAME(store)(sums + column, sum);
  }
  for (; column < columnCount; column++)
    for (size_t k = 0; k < rowCount; k++) {
      const float value = VGK_NAME(decodeOne)(&rows[k], isPacked, column);
      sums[column] += value * rows[k].input;
    }
}

/* sums[c] += the products of some inputs with their weight rows, in ascending order. */
static void VGK_NAME(addCodedRows)(
  const CodedRow *rows, size_t rowCount, bool isPacked, bool hasZeroPoints, size_t columnCount, float *sums) {
  for (size_t next = 0; next < rowCount;) {
    const int8_t *ahead[codedGroup];
    for (size_t k = 0; k < codedGroup; k++) ahead[k] = rows[smallerOf(next + codedGroup + k, rowCount - 1)].codes;
    const bool isWhole = next + codedGroup <= rowCount;
#define VGK_ADD(count)                                                                                   \
  if (isPacked && hasZeroPoints)                                                                         \
    VGK_NAME(addRows)(rows + next, count, true, true, ahead, columnCount, sums);                         \
  else if (isPacked)                                                                                     \
    VGK_NAME(addRows)(rows + next, count, true, false, ahead, columnCount, sums);                        \
  else                                                                                                   \
    VGK_NAME(addRows)(rows + next, count, false, hasZeroPoints, ahead, columnCount, sums);
    if (isWhole) {
      VGK_ADD(codedGroup)
    } else {
      VGK_ADD(1)
    }
#undef VGK_ADD
    next += isWhole ? codedGroup : 1;
  }
}

/* The values of a weight row. */
static void VGK_NAME(decodeRow)(const CodedRow *row, bool isPacked, size_t count, float *values) {
  size_t i = 0;
  for (; i + VGK_NAME(lanes) <= count; i += VGK_NAME(lanes)) {
    const int8_t *zeroPoints = row->zeroPoints ? row->zeroPoints + i : NULL;
    const VGK_NAME(vector) v = isPacked
      ? VGK_NAME(decode)(row->codes + i / 2, true, zeroPoints, row->scales + i)
      : VGK_NAME(decode)(row->codes + i, false, zeroPoints, row->scales + i);
    VGK_NAME(store)(values + i, v);
  }
  for (; i < count; i++) values[i] = VGK_NAME(decodeOne)(row, isPacked, i);
}
