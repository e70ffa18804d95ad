/* Winograd's products and transform of the input, in plain C. */

static inline void vggrt_wide_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t next_tile, uint32_t count, uint32_t sums[4]) {
  const int16_t *x = tiles, *y = tiles + next_tile, *v = weights, *w = weights + next, *const end = v + count;
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

/**
 * Transforms a tile of 4 x 4 pixels.
 *
 * @param row the bytes from a row of pixels to the next
 * @param tile [position][input]
 */
static inline void vggrt_transform(const int8_t *pixels, uint32_t row, uint32_t channels, int16_t *tile) {
  for (uint32_t i = 0; i < 4; i++) {
    /* a - c, b + c, c - b, b - d */
    const int8_t *first = pixels + (i == 0 ? 0 : i == 2 ? 2 : 1) * row, *second = pixels + (i < 2 ? 2 : i == 2 ? 1 : 3) * row;
    const int sign = i == 1 ? 1 : -1;
    int16_t *to = tile + 4 * i * channels;
    for (uint32_t k = 0; k < channels; k++) {
      const uint32_t from = (k & ~3u) | (k & 1u) << 1 | (k & 2u) >> 1;
      int values[4];
      for (uint32_t j = 0; j < 4; j++) values[j] = first[j * channels + from] + sign * second[j * channels + from];
      to[k] = (int16_t)(values[0] - values[2]);
      to[channels + k] = (int16_t)(values[1] + values[2]);
      to[2 * channels + k] = (int16_t)(values[2] - values[1]);
      to[3 * channels + k] = (int16_t)(values[1] - values[3]);
    }
  }
}
