/* Sums of products in plain C. */
#define VGGRT_COLUMNS 2u

#include "vggrt_bytes.h"

static inline void vggrt_sums(
  const int8_t *weights, uint32_t next, const void *columns, uint32_t count, uint32_t sums[2 * VGGRT_COLUMNS]) {
  const int8_t *const v = weights, *const w = weights + next, *const x = columns, *const y = x + count;
  uint32_t vx = 0, vy = 0, wx = 0, wy = 0;
  for (uint32_t i = 0; i < count; i++) {
    vx += (uint32_t)(v[i] * x[i]);
    vy += (uint32_t)(v[i] * y[i]);
    wx += (uint32_t)(w[i] * x[i]);
    wy += (uint32_t)(w[i] * y[i]);
  }
  sums[0] = vx;
  sums[1] = vy;
  sums[2] = wx;
  sums[3] = wy;
}

static inline uint32_t vggrt_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += (uint32_t)(weights[i] * input[i]);
  return sum;
}

static inline void vggrt_wide_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t count, uint32_t sums[16][4]) {
  for (uint32_t i = 0; i < 16; i++, weights += count, tiles += count) {
    const int16_t *const v = weights, *const w = weights + next, *const x = tiles, *const y = tiles + 16 * count;
    uint32_t vx = 0, vy = 0, wx = 0, wy = 0;
    for (uint32_t k = 0; k < count; k++) {
      vx += (uint32_t)(v[k] * x[k]);
      vy += (uint32_t)(v[k] * y[k]);
      wx += (uint32_t)(w[k] * x[k]);
      wy += (uint32_t)(w[k] * y[k]);
    }
    sums[i][0] = vx;
    sums[i][1] = vy;
    sums[i][2] = wx;
    sums[i][3] = wy;
  }
}

#include "vggrt_tiles.h"
