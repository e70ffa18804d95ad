/* Sums of products for Cortex-M4, M7, M33 and others with SMLAD, which multiplies and adds two pairs of int16_t.

   SXTB16 takes the bytes 0 and 2 of a word, or 1 and 3, apart. So a column is int16_t in that order: 0, 2, 1, 3. */
#include <arm_acle.h>

#define VGGRT_COLUMNS 2u
#define VGGRT_CELL 2u

/** The bytes 0 and 2 of a word as int16_t. */
static inline uint32_t vggrt_even(uint32_t word) { return (uint32_t)__sxtb16(word); }

/** The bytes 1 and 3 of a word as int16_t. */
static inline uint32_t vggrt_odd(uint32_t word) { return (uint32_t)__sxtb16(word >> 8 | word << 24); }

static inline uint32_t vggrt_smlad(uint32_t a, uint32_t b, uint32_t sum) {
  return (uint32_t)__smlad((int16x2_t)a, (int16x2_t)b, (int32_t)sum);
}

/** The codes are in the upper half of the column. */
static inline void vggrt_widen(int8_t *column, uint32_t count) {
  uint32_t *to = (uint32_t *)(void *)column;
  for (const int8_t *from = column + count, *const end = from + count; from != end; from += 4, to += 2) {
    const uint32_t word = vggrt_word(from);
    to[0] = vggrt_even(word);
    to[1] = vggrt_odd(word);
  }
}

static inline void vggrt_sums(
  const int8_t *weights, uint32_t next, const void *columns, uint32_t count, uint32_t sums[2 * VGGRT_COLUMNS]) {
  const uint32_t *x = columns, *y = x + count / 2;
  const int8_t *v = weights, *w = weights + next, *const end = v + count;
  uint32_t vx = 0, vy = 0, wx = 0, wy = 0;
  for (; v != end; v += 4, w += 4, x += 2, y += 2) {
    const uint32_t first = vggrt_word(v), second = vggrt_word(w), x0 = x[0], x1 = x[1], y0 = y[0], y1 = y[1];
    const uint32_t v0 = vggrt_even(first), v1 = vggrt_odd(first);
    vx = vggrt_smlad(v1, x1, vggrt_smlad(v0, x0, vx));
    vy = vggrt_smlad(v1, y1, vggrt_smlad(v0, y0, vy));
    const uint32_t w0 = vggrt_even(second), w1 = vggrt_odd(second);
    wx = vggrt_smlad(w1, x1, vggrt_smlad(w0, x0, wx));
    wy = vggrt_smlad(w1, y1, vggrt_smlad(w0, y0, wy));
  }
  sums[0] = vx;
  sums[1] = vy;
  sums[2] = wx;
  sums[3] = wy;
}

static inline uint32_t vggrt_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  uint32_t sum = 0, i = 0;
  for (; i + 4 <= count; i += 4) {
    const uint32_t v = vggrt_word(weights + i), x = vggrt_word(input + i);
    sum = vggrt_smlad(vggrt_odd(v), vggrt_odd(x), vggrt_smlad(vggrt_even(v), vggrt_even(x), sum));
  }
  for (; i < count; i++) sum += (uint32_t)(weights[i] * input[i]);
  return sum;
}

static inline void vggrt_wide_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t next_tile, uint32_t count, uint32_t sums[4]) {
  const uint32_t *v = (const uint32_t *)(const void *)weights, *w = (const uint32_t *)(const void *)(weights + next);
  const uint32_t *x = (const uint32_t *)(const void *)tiles, *y = (const uint32_t *)(const void *)(tiles + next_tile);
  const uint32_t *const end = v + count / 2;
  uint32_t vx = 0, vy = 0, wx = 0, wy = 0;
  for (; v != end; v += 2, w += 2, x += 2, y += 2) {
    const uint32_t v0 = v[0], v1 = v[1], w0 = w[0], w1 = w[1], x0 = x[0], x1 = x[1];
    vx = vggrt_smlad(v1, x1, vggrt_smlad(v0, x0, vx));
    wx = vggrt_smlad(w1, x1, vggrt_smlad(w0, x0, wx));
    const uint32_t y0 = y[0], y1 = y[1];
    vy = vggrt_smlad(v1, y1, vggrt_smlad(v0, y0, vy));
    wy = vggrt_smlad(w1, y1, vggrt_smlad(w0, y0, wy));
  }
  sums[0] = vx;
  sums[1] = vy;
  sums[2] = wx;
  sums[3] = wy;
}

static inline uint32_t vggrt_plus(uint32_t a, uint32_t b) { return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b); }

static inline uint32_t vggrt_minus(uint32_t a, uint32_t b) { return (uint32_t)__ssub16((int16x2_t)a, (int16x2_t)b); }

/** One row of a transformed tile, of pairs of channels: `pixels` are a row of pixels combined with another one. */
static inline void vggrt_transform_pairs(const uint32_t pixels[4], uint32_t *to, uint32_t position) {
  to[0] = vggrt_minus(pixels[0], pixels[2]);
  to[position] = vggrt_plus(pixels[1], pixels[2]);
  to[2 * position] = vggrt_minus(pixels[2], pixels[1]);
  to[3 * position] = vggrt_minus(pixels[1], pixels[3]);
}

static inline void vggrt_transform(const int8_t *pixels, uint32_t row, uint32_t channels, int16_t *tile) {
  const uint32_t position = channels / 2;
  for (uint32_t i = 0; i < 4; i++) {
    const int8_t *first = pixels + (i == 0 ? 0 : i == 2 ? 2 : 1) * row, *second = pixels + (i < 2 ? 2 : i == 2 ? 1 : 3) * row;
    uint32_t *to = (uint32_t *)(void *)(tile + 4 * i * channels);
    for (const int8_t *const end = first + channels; first != end; first += 4, second += 4, to += 2) {
      uint32_t even[4], odd[4];
      for (uint32_t j = 0; j < 4; j++) {
        const uint32_t a = vggrt_word(first + j * channels), b = vggrt_word(second + j * channels);
        even[j] = i == 1 ? vggrt_plus(vggrt_even(a), vggrt_even(b)) : vggrt_minus(vggrt_even(a), vggrt_even(b));
        odd[j] = i == 1 ? vggrt_plus(vggrt_odd(a), vggrt_odd(b)) : vggrt_minus(vggrt_odd(a), vggrt_odd(b));
      }
      vggrt_transform_pairs(even, to, position);
      vggrt_transform_pairs(odd, to + 1, position);
    }
  }
}
