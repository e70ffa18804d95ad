/* Sums of products for NEON: sixteen at a time, by SDOT where there is one. */
#include <arm_neon.h>

#include "vggrt_bytes.h"

#define VGGRT_COLUMNS 4u

/** Adds sixteen products to four sums. The product of two int8_t fits, that of -128 with itself twice does not: so each is added for itself. */
static inline int32x4_t vggrt_add_products(int32x4_t sums, int8x16_t a, int8x16_t b) {
#ifdef __ARM_FEATURE_DOTPROD
  return vdotq_s32(sums, a, b);
#else
  sums = vpadalq_s16(sums, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
  return vpadalq_s16(sums, vmull_s8(vget_high_s8(a), vget_high_s8(b)));
#endif
}

/** The sum of four numbers. */
static inline uint32_t vggrt_total(int32x4_t numbers) {
  const int32x2_t pair = vadd_s32(vget_low_s32(numbers), vget_high_s32(numbers));
  return (uint32_t)vget_lane_s32(vpadd_s32(pair, pair), 0);
}

/** Up to fifteen bytes, and zeros. */
static inline int8x16_t vggrt_rest(const int8_t *bytes, uint32_t count) {
  int8_t copy[16] = {0};
  for (uint32_t i = 0; i < count; i++) copy[i] = bytes[i];
  return vld1q_s8(copy);
}

VGGRT_KERNEL void vggrt_sums(
  const int8_t *weights, uint32_t next, const void *columns, uint32_t count, uint32_t sums[2 * VGGRT_COLUMNS]) {
  const int8_t *x = columns;
  int32x4_t totals[2][VGGRT_COLUMNS];
  for (uint32_t i = 0; i < VGGRT_COLUMNS; i++) totals[0][i] = totals[1][i] = vdupq_n_s32(0);
  uint32_t done = 0;
  for (; count - done >= 16; done += 16) {
    const int8x16_t v = vld1q_s8(weights + done), w = vld1q_s8(weights + next + done);
    for (uint32_t i = 0; i < VGGRT_COLUMNS; i++) {
      const int8x16_t codes = vld1q_s8(x + i * count + done);
      totals[0][i] = vggrt_add_products(totals[0][i], v, codes);
      totals[1][i] = vggrt_add_products(totals[1][i], w, codes);
    }
  }
  if (done < count) {
    const int8x16_t v = vggrt_rest(weights + done, count - done);
    const int8x16_t w = vggrt_rest(weights + next + done, count - done);
    for (uint32_t i = 0; i < VGGRT_COLUMNS; i++) {
      const int8x16_t codes = vggrt_rest(x + i * count + done, count - done);
      totals[0][i] = vggrt_add_products(totals[0][i], v, codes);
      totals[1][i] = vggrt_add_products(totals[1][i], w, codes);
    }
  }
  for (uint32_t i = 0; i < VGGRT_COLUMNS; i++) {
    sums[i] = vggrt_total(totals[0][i]);
    sums[VGGRT_COLUMNS + i] = vggrt_total(totals[1][i]);
  }
}

static inline uint32_t vggrt_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  int32x4_t total = vdupq_n_s32(0);
  for (; count >= 16; count -= 16, weights += 16, input += 16)
    total = vggrt_add_products(total, vld1q_s8(weights), vld1q_s8(input));
  if (count > 0) total = vggrt_add_products(total, vggrt_rest(weights, count), vggrt_rest(input, count));
  return vggrt_total(total);
}

VGGRT_KERNEL void vggrt_wide_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t count, uint32_t sums[16][4]) {
  for (uint32_t i = 0; i < 16; i++, weights += count, tiles += count) {
    int32x4_t totals[4];
    for (uint32_t j = 0; j < 4; j++) totals[j] = vdupq_n_s32(0);
    for (uint32_t k = 0; k < count; k += 4) {
      const int16x4_t v = vld1_s16(weights + k), w = vld1_s16(weights + next + k);
      const int16x4_t x = vld1_s16(tiles + k), y = vld1_s16(tiles + 16 * count + k);
      totals[0] = vmlal_s16(totals[0], v, x);
      totals[1] = vmlal_s16(totals[1], v, y);
      totals[2] = vmlal_s16(totals[2], w, x);
      totals[3] = vmlal_s16(totals[3], w, y);
    }
    for (uint32_t j = 0; j < 4; j++) sums[i][j] = vggrt_total(totals[j]);
  }
}

#include "vggrt_tiles.h"
