/* Sums of products for Helium (Cortex-M55, M85): sixteen at a time. */
#include <arm_mve.h>

#include "vggrt_bytes.h"

#define VGGRT_COLUMNS 4u

static inline void vggrt_sums(
  const int8_t *weights, uint32_t next, const void *columns, uint32_t count, uint32_t sums[2 * VGGRT_COLUMNS]) {
  const int8_t *x = columns;
  int32_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
  for (uint32_t left = count; left > 0; left -= left < 16 ? left : 16, weights += 16, x += 16) {
    const mve_pred16_t some = vctp8q(left);
    const int8x16_t v = vldrbq_z_s8(weights, some), w = vldrbq_z_s8(weights + next, some);
    const int8x16_t x0 = vldrbq_z_s8(x, some), x1 = vldrbq_z_s8(x + count, some);
    a = vmladavaq_s8(a, v, x0);
    b = vmladavaq_s8(b, v, x1);
    e = vmladavaq_s8(e, w, x0);
    f = vmladavaq_s8(f, w, x1);
    const int8x16_t x2 = vldrbq_z_s8(x + 2 * count, some), x3 = vldrbq_z_s8(x + 3 * count, some);
    c = vmladavaq_s8(c, v, x2);
    d = vmladavaq_s8(d, v, x3);
    g = vmladavaq_s8(g, w, x2);
    h = vmladavaq_s8(h, w, x3);
  }
  const int32_t all[2 * VGGRT_COLUMNS] = {a, b, c, d, e, f, g, h};
  for (uint32_t i = 0; i < 2 * VGGRT_COLUMNS; i++) sums[i] = (uint32_t)all[i];
}

static inline uint32_t vggrt_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  int32_t sum = 0;
  for (; count > 0; count -= count < 16 ? count : 16, weights += 16, input += 16) {
    const mve_pred16_t some = vctp8q(count);
    sum = vmladavaq_s8(sum, vldrbq_z_s8(weights, some), vldrbq_z_s8(input, some));
  }
  return (uint32_t)sum;
}

#include "vggrt_wide.h"
