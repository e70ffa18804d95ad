/* Included once for each instruction set, see for_each_isa.h. */

/* Eight columns of eight values: three rounds of exchanging halves, quarters and eighths. */
static inline void VGK_NAME(turn8)(
  const uint8_t *restrict source, size_t columnStride, const uint32_t *restrict rows, float *restrict target,
  size_t rowStride) {
  VGKLanes a[8], b[8];
  for (size_t c = 0; c < 8; c++) __builtin_memcpy(&a[c], source + c * columnStride, sizeof(a[c]));
  for (size_t c = 0; c < 8; c += 2) {
    b[c] = __builtin_shufflevector(a[c], a[c + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    b[c + 1] = __builtin_shufflevector(a[c], a[c + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (size_t c = 0; c < 8; c += 4)
    for (size_t i = c; i < c + 2; i++) {
      a[i] = __builtin_shufflevector(b[i], b[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      a[i + 2] = __builtin_shufflevector(b[i], b[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (size_t i = 0; i < 4; i++) {
    b[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    b[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  for (size_t k = 0; k < 8; k++) __builtin_memcpy(target + rows[k] * rowStride, &b[k], sizeof(b[k]));
}

static void VGK_NAME(transpose)(
  const uint8_t *restrict source, size_t columnStride, size_t columnCount, size_t rowCount,
  const uint32_t *restrict rows, float *restrict target, size_t rowStride) {
  const size_t wholeColumns = columnCount & ~(size_t)7, wholeRows = rowCount & ~(size_t)7;
  for (size_t k = 0; k < wholeRows; k += 8)
    for (size_t c = 0; c < wholeColumns; c += 8)
      VGK_NAME(turn8)(source + c * columnStride + k * sizeof(float), columnStride, rows + k, target + c, rowStride);
  for (size_t k = 0; k < rowCount; k++)
    for (size_t c = k < wholeRows ? wholeColumns : 0; c < columnCount; c++)
      __builtin_memcpy(
        target + rows[k] * rowStride + c, source + c * columnStride + k * sizeof(float), sizeof(float));
}

/* Eight rows of eight values, compared with the columns of another matrix: halves are exchanged first, then quarters, then
 * eighths, the other way round than turn8 does it, so that a mistake in one of them is seen. */
static inline void VGK_NAME(differences8)(
  const uint8_t *restrict source, size_t rowStride, const uint32_t *restrict model, const size_t *restrict places,
  VGKPatterns *restrict differences) {
  VGKPatterns a[8], b[8];
  for (size_t r = 0; r < 8; r++) __builtin_memcpy(&a[r], source + r * rowStride, sizeof(a[r]));
  for (size_t i = 0; i < 4; i++) {
    b[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    b[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  for (size_t c = 0; c < 8; c += 4)
    for (size_t i = c; i < c + 2; i++) {
      a[i] = __builtin_shufflevector(b[i], b[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      a[i + 2] = __builtin_shufflevector(b[i], b[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (size_t c = 0; c < 8; c += 2) {
    b[c] = __builtin_shufflevector(a[c], a[c + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    b[c + 1] = __builtin_shufflevector(a[c], a[c + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (size_t c = 0; c < 8; c++) {
    __builtin_memcpy(&a[c], model + places[c], sizeof(a[c]));
    *differences |= a[c] ^ b[c];
  }
}

static bool VGK_NAME(isTurned)(
  const uint8_t *restrict source, size_t rowStride, size_t rowCount, size_t columnCount, const uint32_t *restrict model,
  const size_t *restrict places) {
  const size_t wholeRows = rowCount & ~(size_t)7, wholeColumns = columnCount & ~(size_t)7;
  VGKPatterns differences = {0};
  for (size_t c = 0; c < wholeColumns; c += 8)
    for (size_t r = 0; r < wholeRows; r += 8)
      VGK_NAME(differences8)(
        source + r * rowStride + c * sizeof(uint32_t), rowStride, model + r, places + c, &differences);
  uint32_t difference = 0;
  for (size_t k = 0; k < 8; k++) difference |= differences[k];
  for (size_t r = 0; r < rowCount; r++)
    for (size_t c = r < wholeRows ? wholeColumns : 0; c < columnCount; c++) {
      uint32_t value;
      __builtin_memcpy(&value, source + r * rowStride + c * sizeof(value), sizeof(value));
      difference |= value ^ model[places[c] + r];
    }
  return difference == 0;
}
