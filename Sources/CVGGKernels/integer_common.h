/*
 * What the kernels of integers share besides vectors.
 */
#ifndef INTEGER_COMMON_H
#define INTEGER_COMMON_H

#include <stdint.h>
#include <string.h>

#include "vgk_integer.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define VGK_INLINE static inline __attribute__((always_inline))
#define VGK_NO_UNROLL _Pragma("clang loop unroll(disable)")
#define VGK_UNROLL _Pragma("clang loop unroll(full)")

/* Whether the first factor of products of bytes is unsigned. */
#if defined(__x86_64__)
enum { vgkHasUnsignedQuads = 1 };
#else
enum { vgkHasUnsignedQuads = 0 };
#endif

/* Columns of the widest panel. */
enum { vgkWidestPanel = 32 };

static inline size_t smallerOf(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t divideUp(size_t count, size_t size) { return (count + size - 1) / size; }
static inline size_t roundUp(size_t count, size_t multiple) { return divideUp(count, multiple) * multiple; }

/* Where the operands of a row lie: runs of `words` words side by side, in rows and columns of runs; steps are bytes. */
typedef struct {
  size_t rowCount, rowStep, columnCount, columnStep, words;
} Runs;

/* How the columns of a panel become codes; those beyond the last output channel give anything. */
typedef struct {
  VGKRounding rounding;
  int32_t zeroPoint, least, most;
  /* Whether no larger accumulator has a smaller code: where nothing is pushed out by a left shift. */
  bool isMonotone;
  float scales[vgkWidestPanel];
  int32_t multipliers[vgkWidestPanel], shifts[vgkWidestPanel];
} Factors;

static inline Factors factorsOf(const VGKRequantization *r, size_t column, size_t columnCount) {
  Factors f = {
    .rounding = r->rounding, .zeroPoint = r->zeroPoint, .least = r->low - r->zeroPoint, .most = r->high - r->zeroPoint,
    .isMonotone = true};
  for (size_t i = 0; i < columnCount; i++) {
    if (r->rounding == VGKRoundingLitert) {
      f.scales[i] = r->scales[column + i];
    } else {
      f.multipliers[i] = r->multipliers[column + i].multiplier;
      f.shifts[i] = r->multipliers[column + i].shift;
      if (f.shifts[i] > 0) f.isMonotone = false;
    }
  }
  return f;
}

/* Where the numbers of a pair of 16 bits lie in a panel: side by side, or, for smlal, those of four columns side by
   side. */
static inline size_t pairPlace(size_t column, size_t odd) {
#if defined(__aarch64__)
  return column / 4 * 8 + odd * 4 + column % 4;
#else
  return column * 2 + odd;
#endif
}

#endif
