/* Winograd's transform of the input in plain C: tiles are [tile][position][input]. */

/** Which input is at a place: four of them are in the order 0, 2, 1, 3. */
static inline uint32_t vggrt_input_at(uint32_t place) { return (place & ~3u) | (place & 1u) << 1 | (place & 2u) >> 1; }

VGGRT_KERNEL void vggrt_transform(
  const int8_t *pixels, uint32_t row, uint32_t channels, int16_t *tiles, uint32_t index) {
  int16_t *to = tiles + 16 * index * channels;
  for (uint32_t i = 0; i < 4; i++, to += 3 * channels) {
    const int8_t *first = pixels + vggrt_first_row(i) * row, *second = pixels + vggrt_second_row(i) * row;
    const int32_t sign = i == 1 ? 1 : -1;
    for (uint32_t k = 0; k < channels; k++, to++) {
      const int8_t *p = first + vggrt_input_at(k), *q = second + vggrt_input_at(k);
      const int32_t a = p[0] + sign * q[0], b = p[channels] + sign * q[channels];
      const int32_t c = p[2 * channels] + sign * q[2 * channels], d = p[3 * channels] + sign * q[3 * channels];
      to[0] = (int16_t)(a - c);
      to[channels] = (int16_t)(b + c);
      to[2 * channels] = (int16_t)(c - b);
      to[3 * channels] = (int16_t)(b - d);
    }
  }
}
