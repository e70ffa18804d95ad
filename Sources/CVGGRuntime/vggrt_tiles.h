/* Winograd's transform of the input in plain C: tiles are [tile][position][input]. */

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
