/* Columns of int8_t, one after the other. */

static inline void vggrt_put(
  void *columns, uint32_t size, uint32_t column, uint32_t place, const int8_t *codes, uint32_t step, uint32_t count) {
  int8_t *to = (int8_t *)columns + column * size + place;
  if (step > 0) memcpy(to, codes, count);
  else memset(to, *codes, count);
}
