/* Sums of products in plain C. */
#define VGGRT_COLUMNS 2u

#include "vggrt_bytes.h"

/* The sums of products of two rows v and w of weights with two of inputs, x, which ends at `end`, and y:
   vx, vy, wx, wy. Types differ, the loop is one. */
#define VGGRT_FOUR_SUMS(v, w, x, y, end, sums) \
  do { \
    uint32_t vx = 0, vy = 0, wx = 0, wy = 0; \
    do { \
      const int32_t a = *(v)++, b = *(w)++, c = *(x)++, d = *(y)++; \
      vx += (uint32_t)(a * c); \
      vy += (uint32_t)(a * d); \
      wx += (uint32_t)(b * c); \
      wy += (uint32_t)(b * d); \
    } while ((x) != (end)); \
    (sums)[0] = vx; \
    (sums)[1] = vy; \
    (sums)[2] = wx; \
    (sums)[3] = wy; \
  } while (0)

VGGRT_KERNEL void vggrt_sums(
  const int8_t *weights, uint32_t next, const void *columns, uint32_t count, uint32_t sums[2 * VGGRT_COLUMNS]) {
  const int8_t *x = columns, *y = x + count, *v = weights, *w = weights + next, *const end = y;
  VGGRT_FOUR_SUMS(v, w, x, y, end, sums);
}

VGGRT_KERNEL uint32_t vggrt_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  uint32_t sum = 0;
  for (const int8_t *const end = weights + (count & ~3u); weights != end; weights += 4, input += 4) {
    sum += (uint32_t)(weights[0] * input[0]) + (uint32_t)(weights[1] * input[1]);
    sum += (uint32_t)(weights[2] * input[2]) + (uint32_t)(weights[3] * input[3]);
  }
  for (count &= 3; count > 0; count--) sum += (uint32_t)(*weights++ * *input++);
  return sum;
}

/** The sums of a position. */
VGGRT_KERNEL void vggrt_position_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t count, uint32_t sums[4]) {
  const int16_t *x = tiles, *y = x + 16 * count, *v = weights, *w = weights + next, *const end = x + count;
  VGGRT_FOUR_SUMS(v, w, x, y, end, sums);
}

static inline void vggrt_wide_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t count, uint32_t sums[16][4]) {
  for (uint32_t i = 0; i < 16; i++, weights += count, tiles += count)
    vggrt_position_sums(weights, next, tiles, count, sums[i]);
}

#include "vggrt_tiles.h"
