/* Sums of products for Cortex-M4, M7, M33 and others with SMLAD, which multiplies and adds two pairs of int16_t.

   SXTB16 takes the bytes 0 and 2 of a word, or 1 and 3, apart: so int16_t are in that order. Both columns, and both tiles, take turns after
   four inputs: so one instruction loads all that four codes of weights are multiplied with. The loops are in assembly, as they need
   every register. */
#include <arm_acle.h>

#define VGGRT_COLUMNS 2u

/** The bytes 0 and 2 of a word as int16_t. */
static inline uint32_t vggrt_even(uint32_t word) { return (uint32_t)__sxtb16((int8x4_t)word); }

/** The bytes 1 and 3 of a word as int16_t; compilers make two instructions of it. */
static inline uint32_t vggrt_odd(uint32_t word) {
  uint32_t result;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
  return result;
}

static inline void vggrt_put(
  void *columns, uint32_t size, uint32_t column, uint32_t place, const int8_t *codes, uint32_t step, uint32_t count) {
  (void)size;
  while (count > 0) {
    uint32_t *to = (uint32_t *)columns + (place & ~3u) + 2 * column;
    if (place % 4 > 0 || count < 4) {
      ((int16_t *)(void *)to)[(place & 1) << 1 | (place >> 1 & 1)] = *codes;
      count--, place++, codes += step;
    } else {
      for (; count >= 4; count -= 4, place += 4, codes += 4 * step, to += 4) {
        const uint32_t word = vggrt_word(codes);
        to[0] = vggrt_even(word);
        to[1] = vggrt_odd(word);
      }
    }
  }
}

#define VGGRT_UNUSED __attribute__((unused))

/* r0, r1: weights; r2: columns; r3: where the weights of r0 end; r4 to r7: sums. */
__attribute__((naked, noinline, unused)) static void vggrt_sums(
  VGGRT_UNUSED const int8_t *weights, VGGRT_UNUSED uint32_t next, VGGRT_UNUSED const void *columns,
  VGGRT_UNUSED uint32_t count, VGGRT_UNUSED uint32_t *sums) {
  __asm__ volatile(
    "push {r4-r11, lr}\n"
    "add r1, r0\n"
    "add r3, r0\n"
    "movs r4, #0\n"
    "movs r5, #0\n"
    "movs r6, #0\n"
    "movs r7, #0\n"
    "1:\n"
    "ldr r12, [r0], #4\n"
    "ldmia r2!, {r8-r11}\n"
    "sxtb16 lr, r12\n"
    "sxtb16 r12, r12, ror #8\n"
    "smlad r4, lr, r8, r4\n"
    "smlad r5, lr, r10, r5\n"
    "smlad r4, r12, r9, r4\n"
    "smlad r5, r12, r11, r5\n"
    "ldr r12, [r1], #4\n"
    "sxtb16 lr, r12\n"
    "sxtb16 r12, r12, ror #8\n"
    "smlad r6, lr, r8, r6\n"
    "smlad r7, lr, r10, r7\n"
    "smlad r6, r12, r9, r6\n"
    "smlad r7, r12, r11, r7\n"
    "cmp r0, r3\n"
    "bne 1b\n"
    "ldr r8, [sp, #36]\n"
    "stmia r8!, {r4-r7}\n"
    "pop {r4-r11, pc}\n");
}

static inline uint32_t vggrt_smlad(uint32_t a, uint32_t b, uint32_t sum) {
  return (uint32_t)__smlad((int16x2_t)a, (int16x2_t)b, (int32_t)sum);
}

VGGRT_KERNEL uint32_t vggrt_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  uint32_t sum = 0;
  const int8_t *const end = weights + (count & ~3u);
  while (weights != end) {
    const uint32_t v = vggrt_word(weights), x = vggrt_word(input);
    sum = vggrt_smlad(vggrt_even(v), vggrt_even(x), sum);
    sum = vggrt_smlad(vggrt_odd(v), vggrt_odd(x), sum);
    weights += 4;
    input += 4;
  }
  for (count &= 3; count > 0; count--) sum += (uint32_t)(*weights++ * *input++);
  return sum;
}

#ifndef VGGRT_NO_WINOGRAD

/* r0, r1: weights; r2: tiles; r3: where the weights of r0 of a position end; r4 to r7: sums. On the stack: the bytes of a position, where
   the next sums go, and where they end. */
__attribute__((naked, noinline, unused)) static void vggrt_wide_sums(
  VGGRT_UNUSED const int16_t *weights, VGGRT_UNUSED uint32_t next, VGGRT_UNUSED const int16_t *tiles,
  VGGRT_UNUSED uint32_t count, VGGRT_UNUSED uint32_t sums[16][4]) {
  __asm__ volatile(
    "push {r4-r11, lr}\n"
    "ldr r4, [sp, #36]\n"
    "add r5, r4, #256\n"
    "lsls r3, r3, #1\n"
    "push {r3-r5}\n"
    "add r1, r0, r1, lsl #1\n"
    "1:\n"
    "ldr r3, [sp]\n"
    "add r3, r0\n"
    "movs r4, #0\n"
    "movs r5, #0\n"
    "movs r6, #0\n"
    "movs r7, #0\n"
    "2:\n"
    "ldmia r2!, {r8-r11}\n"
    "ldrd r12, lr, [r0], #8\n"
    "smlad r4, r12, r8, r4\n"
    "smlad r5, r12, r10, r5\n"
    "smlad r4, lr, r9, r4\n"
    "smlad r5, lr, r11, r5\n"
    "ldrd r12, lr, [r1], #8\n"
    "smlad r6, r12, r8, r6\n"
    "smlad r7, r12, r10, r7\n"
    "smlad r6, lr, r9, r6\n"
    "smlad r7, lr, r11, r7\n"
    "cmp r0, r3\n"
    "bne 2b\n"
    "ldrd r8, r9, [sp, #4]\n"
    "stmia r8!, {r4-r7}\n"
    "str r8, [sp, #4]\n"
    "cmp r8, r9\n"
    "bne 1b\n"
    "add sp, #12\n"
    "pop {r4-r11, pc}\n");
}

static inline uint32_t vggrt_plus(uint32_t a, uint32_t b) { return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b); }

static inline uint32_t vggrt_minus(uint32_t a, uint32_t b) { return (uint32_t)__ssub16((int16x2_t)a, (int16x2_t)b); }

/* Bytes 0 and 2 of two words, or 1 and 3: the first ones less the second ones; more them and 1, if `flips` is all ones. */
#define VGGRT_EVEN(first, second, flips) \
  vggrt_minus(vggrt_even(vggrt_word(first)), vggrt_even(vggrt_word(second) ^ (flips)))
#define VGGRT_ODD(first, second, flips) \
  vggrt_minus(vggrt_odd(vggrt_word(first)), vggrt_odd(vggrt_word(second) ^ (flips)))

/** A row of a transformed tile, of two channels; `a` to `d` are a row of four pixels, combined with another row. */
static inline void vggrt_put_row(
  uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t excess, uint32_t *to, uint32_t position) {
  to[0] = vggrt_minus(a, c);
  to[position] = vggrt_minus(vggrt_plus(b, c), excess);
  to[2 * position] = vggrt_minus(c, b);
  to[3 * position] = vggrt_minus(b, d);
}

VGGRT_KERNEL void vggrt_transform(
  const int8_t *pixels, uint32_t row, uint32_t channels, int16_t *tiles, uint32_t index) {
  uint32_t *to = (uint32_t *)(void *)tiles + 2 * index;
  const uint32_t n = channels;
  for (uint32_t i = 0; i < 4; i++, to += 3 * n) {
    const int8_t *p = pixels + vggrt_first_row(i) * row, *q = pixels + vggrt_second_row(i) * row;
    /* Row 1 is a sum: the difference of the complement, which is 1 too much. */
    const uint32_t flips = i == 1 ? 0xFFFFFFFF : 0, excess = i == 1 ? 0x00020002 : 0;
    for (const int8_t *const end = p + n; p != end; p += 4, q += 4, to += 4) {
      vggrt_put_row(
        VGGRT_EVEN(p, q, flips), VGGRT_EVEN(p + n, q + n, flips), VGGRT_EVEN(p + 2 * n, q + 2 * n, flips),
        VGGRT_EVEN(p + 3 * n, q + 3 * n, flips), excess, to, n);
      vggrt_put_row(
        VGGRT_ODD(p, q, flips), VGGRT_ODD(p + n, q + n, flips), VGGRT_ODD(p + 2 * n, q + 2 * n, flips),
        VGGRT_ODD(p + 3 * n, q + 3 * n, flips), excess, to + 1, n);
    }
  }
}

#endif
