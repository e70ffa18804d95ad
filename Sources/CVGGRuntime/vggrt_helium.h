/* Sums of products for Helium (Cortex-M55, M85): sixteen at a time, or what is left. The loops are in
   assembly, as compilers do not make the loops with a tail of these processors. */
#include <arm_mve.h>

#include "vggrt_bytes.h"

#define VGGRT_COLUMNS 4u

VGGRT_KERNEL void vggrt_sums(
  const int8_t *weights, uint32_t next, const void *columns, uint32_t count, uint32_t sums[2 * VGGRT_COLUMNS]) {
  /* VMLADAVA has seven registers for sums in such a loop: one channel at a time. */
  for (uint32_t i = 0; i < 2; i++, weights += next, sums += VGGRT_COLUMNS) {
    const int8_t *v = weights, *x = columns, *y = x + count, *z = y + count, *w = z + count;
    uint32_t vx = 0, vy = 0, vz = 0, vw = 0;
    __asm__ volatile(
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[v]], #16\n"
      "vldrb.8 q1, [%[x]], #16\n"
      "vmladava.s8 %[vx], q0, q1\n"
      "vldrb.8 q2, [%[y]], #16\n"
      "vmladava.s8 %[vy], q0, q2\n"
      "vldrb.8 q3, [%[z]], #16\n"
      "vmladava.s8 %[vz], q0, q3\n"
      "vldrb.8 q1, [%[w]], #16\n"
      "vmladava.s8 %[vw], q0, q1\n"
      "letp lr, 1b\n"
      "2:\n"
      : [v] "+r"(v), [x] "+r"(x), [y] "+r"(y), [z] "+r"(z), [w] "+r"(w), [vx] "+Te"(vx), [vy] "+Te"(vy),
        [vz] "+Te"(vz), [vw] "+Te"(vw)
      : [count] "r"(count)
      : "lr", "q0", "q1", "q2", "q3", "memory");
    sums[0] = vx;
    sums[1] = vy;
    sums[2] = vz;
    sums[3] = vw;
  }
}

static inline uint32_t vggrt_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  uint32_t sum = 0;
  __asm__ volatile(
    "wlstp.8 lr, %[count], 2f\n"
    "1:\n"
    "vldrb.8 q0, [%[v]], #16\n"
    "vldrb.8 q1, [%[x]], #16\n"
    "vmladava.s8 %[sum], q0, q1\n"
    "letp lr, 1b\n"
    "2:\n"
    : [v] "+r"(weights), [x] "+r"(input), [sum] "+Te"(sum)
    : [count] "r"(count)
    : "lr", "q0", "q1", "memory");
  return sum;
}

VGGRT_KERNEL void vggrt_wide_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t count, uint32_t sums[16][4]) {
  for (uint32_t i = 0; i < 16; i++, weights += count, tiles += count) {
    const int16_t *v = weights, *w = weights + next, *x = tiles, *y = tiles + 16 * count;
    uint32_t vx = 0, vy = 0, wx = 0, wy = 0;
    __asm__ volatile(
      "wlstp.16 lr, %[count], 2f\n"
      "1:\n"
      "vldrh.16 q0, [%[v]], #16\n"
      "vldrh.16 q1, [%[x]], #16\n"
      "vmladava.s16 %[vx], q0, q1\n"
      "vldrh.16 q2, [%[y]], #16\n"
      "vmladava.s16 %[vy], q0, q2\n"
      "vldrh.16 q3, [%[w]], #16\n"
      "vmladava.s16 %[wx], q3, q1\n"
      "vmladava.s16 %[wy], q3, q2\n"
      "letp lr, 1b\n"
      "2:\n"
      : [v] "+r"(v), [w] "+r"(w), [x] "+r"(x), [y] "+r"(y), [vx] "+Te"(vx), [vy] "+Te"(vy), [wx] "+Te"(wx),
        [wy] "+Te"(wy)
      : [count] "r"(count)
      : "lr", "q0", "q1", "q2", "q3", "memory");
    sums[i][0] = vx;
    sums[i][1] = vy;
    sums[i][2] = wx;
    sums[i][3] = wy;
  }
}

VGGRT_KERNEL void vggrt_transform(
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
