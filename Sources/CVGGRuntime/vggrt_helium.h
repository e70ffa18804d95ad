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

static inline void vggrt_wide_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t count, uint32_t sums[16][4]) {
  for (uint32_t i = 0; i < 16; i++) {
    int32_t vx = 0, vy = 0, wx = 0, wy = 0;
    for (uint32_t k = 0; k < count; k += 8) {
      const mve_pred16_t some = vctp16q(count - k);
      const int16x8_t v = vldrhq_z_s16(weights + k, some), w = vldrhq_z_s16(weights + next + k, some);
      const int16x8_t x = vldrhq_z_s16(tiles + k, some), y = vldrhq_z_s16(tiles + 16 * count + k, some);
      vx = vmladavaq_s16(vx, v, x);
      vy = vmladavaq_s16(vy, v, y);
      wx = vmladavaq_s16(wx, w, x);
      wy = vmladavaq_s16(wy, w, y);
    }
    const int32_t all[4] = {vx, vy, wx, wy};
    for (uint32_t j = 0; j < 4; j++) sums[i][j] = (uint32_t)all[j];
    weights += count;
    tiles += count;
  }
}

static inline void vggrt_transform(
  const int8_t *pixels, uint32_t row, uint32_t channels, int16_t *tiles, uint32_t index) {
  static const uint16_t in_order[8] = {0, 2, 1, 3, 4, 6, 5, 7};
  const uint16x8_t order = vldrhq_u16(in_order);
  int16_t *to = tiles + 16 * index * channels;
  for (uint32_t i = 0; i < 4; i++, to += 4 * channels) {
    const int8_t *first = pixels + vggrt_first_row(i) * row, *second = pixels + vggrt_second_row(i) * row;
    for (uint32_t k = 0; k < channels; k += 8) {
      const mve_pred16_t some = vctp16q(channels - k);
      int16x8_t values[4];
      for (uint32_t j = 0; j < 4; j++) {
        const int16x8_t a = vldrbq_gather_offset_z_s16(first + j * channels + k, order, some);
        const int16x8_t b = vldrbq_gather_offset_z_s16(second + j * channels + k, order, some);
        values[j] = i == 1 ? vaddq_s16(a, b) : vsubq_s16(a, b);
      }
      vstrhq_p_s16(to + k, vsubq_s16(values[0], values[2]), some);
      vstrhq_p_s16(to + channels + k, vaddq_s16(values[1], values[2]), some);
      vstrhq_p_s16(to + 2 * channels + k, vsubq_s16(values[2], values[1]), some);
      vstrhq_p_s16(to + 3 * channels + k, vsubq_s16(values[1], values[3]), some);
    }
  }
}
