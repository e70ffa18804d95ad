/*
 * What the files of the fast path share besides vectors.
 */
#ifndef FAST_COMMON_H
#define FAST_COMMON_H

#include <math.h>
#include <stdint.h>

#include "vgk_fast.h"

/* Where the numbers of a row of A lie: runs of `length` side by side, in rows and columns of runs. */
typedef struct {
  size_t rowCount, rowStep, columnCount, columnStep, length;
} Runs;

/* Tiles of a block of Winograd's method, at most. */
enum { vgkLargestBlock = 64 };

static inline size_t smallerOf(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t divideUp(size_t count, size_t size) { return (count + size - 1) / size; }

/* Roundings of one of `termCount` products on its way: its own, one for each further term of its chunk, one for each chunk,
   and the bias's. Never more than with all terms in one row. */
static inline size_t chunkedRoundings(size_t termCount, size_t chunk, size_t chunkCount) {
  return smallerOf(termCount + 1, smallerOf(termCount, chunk) + chunkCount + 2);
}

#endif
