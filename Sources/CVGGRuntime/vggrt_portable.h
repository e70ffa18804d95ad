/* Sums of products in plain C. */
#define VGGRT_COLUMNS 2u

#include "vggrt_bytes.h"

static inline void vggrt_sums(
  const int8_t *weights, uint32_t next, const void *columns, uint32_t count, uint32_t sums[2 * VGGRT_COLUMNS]) {
  const int8_t *x = columns, *y = x + count, *v = weights, *w = weights + next, *const end = v + count;
  uint32_t vx = 0, vy = 0, wx = 0, wy = 0;
  for (; v != end; v++, w++, x++, y++) {
    vx += (uint32_t)(*v * *x);
    vy += (uint32_t)(*v * *y);
    wx += (uint32_t)(*w * *x);
    wy += (uint32_t)(*w * *y);
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

#include "vggrt_wide.h"
