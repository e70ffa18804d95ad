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

/* Steps whose products are summed from zero. */
#ifndef CHUNK
#define CHUNK 128
#endif
enum { vgkChunk = CHUNK };

/* Tiles of a block of Winograd's method, at most. */
enum { vgkLargestBlock = 64 };

static inline size_t smallerOf(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t divideUp(size_t count, size_t size) { return (count + size - 1) / size; }

#endif
