/* Winograd's products and transform of the input, in plain C: tiles are [tile][position][input]. */

static inline void vggrt_wide_sums(
  const int16_t *weights, uint32_t next, const int16_t *tiles, uint32_t count, uint32_t sums[16][4]) {
  for (uint32_t i = 0; i < 16; i++, weights += count, tiles += count) {
    const int16_t *x = tiles, *y = tiles + 16 * count, *v = weights, *w = weights + next, *const end = v + count;
    uint32_t vx = 0, vy = 0, wx = 0, wy = 0;
    for (; v != end; v++, w++, x++, y++) {
      vx += (uint32_t)(*v * *x);
      vy += (uint32_t)(*v * *y);
      wx += (uint32_t)(*w * *x);
      wy += (uint32_t)(*w * *y);
    }
    sums[i][0] = vx;
    sums[i][1] = vy;
    sums[i][2] = wx;
    sums[i][3] = wy;
  }
}

static inline void vggrt_transform(
  const int8_t *pixels, uint32_t row, uint32_t channels, int16_t *tiles, uint32_t index) {
  int16_t *to = tiles + 16 * index * channels;
  for (uint32_t i = 0; i < 4; i++, to += 3 * channels) {
    const int8_t *first = pixels + vggrt_first_row(i) * row, *second = pixels + vggrt_second_row(i) * row;
    const int sign = i == 1 ? 1 : -1;
    for (uint32_t k = 0; k < channels; k++, to++) {
      const uint32_t from = (k & ~3u) | (k & 1u) << 1 | (k & 2u) >> 1;
      int values[4];
      for (uint32_t j = 0; j < 4; j++) values[j] = first[j * channels + from] + sign * second[j * channels + from];
      to[0] = (int16_t)(values[0] - values[2]);
      to[channels] = (int16_t)(values[1] + values[2]);
      to[2 * channels] = (int16_t)(values[2] - values[1]);
      to[3 * channels] = (int16_t)(values[1] - values[3]);
    }
  }
}
