/*
 * The errors of candidates for a scale, for one instruction set (see for_each_isa.h): plain loops that the compiler turns
 * into vectors. Sums are of integers, so their order does not matter.
 */
enum {
  VGK_NAME(errorColumns) = 64,
  /* A square is below 2^29 where no value is beyond three and a half times the range: so many fit 32 bits. */
  VGK_NAME(errorRows) = 8
};

static inline __attribute__((always_inline)) void VGK_NAME(sumErrors)(
  const float *restrict values, size_t rowCount, size_t rowLength, size_t columnCount, const float *restrict least,
  const float *restrict most, const float *restrict reciprocals, uint64_t *restrict errors) {
  uint32_t sums[VGK_NAME(errorColumns)] = {0};
  for (size_t row = 0; row < rowCount; row++) {
    const float *rowValues = values + row * rowLength;
    for (size_t column = 0; column < columnCount; column++) {
      const float steps = rowValues[column] * reciprocals[column];
      float code = steps > most[column] ? most[column] : steps;
      code = code < least[column] ? least[column] : code;
      /* Rounds to nearest, ties to even; see vgr_nearest. */
      code += 12582912.0f;
      code -= 12582912.0f;
      const float missing = (steps - code) * 64;
      const int32_t error = vgr_nearest(missing);
      sums[column] += (uint32_t)(error * error);
    }
  }
  for (size_t column = 0; column < columnCount; column++) errors[column] += sums[column];
}

static void VGK_NAME(codeErrors)(
  const float *restrict values, size_t rowCount, size_t columnCount, const float *restrict least,
  const float *restrict most, const float *restrict reciprocals, size_t candidateCount, uint64_t *restrict errors) {
  for (size_t column = 0; column < columnCount; column += VGK_NAME(errorColumns)) {
    const size_t rest = columnCount - column;
    for (size_t row = 0; row < rowCount; row += VGK_NAME(errorRows)) {
      const size_t rows = rowCount - row < VGK_NAME(errorRows) ? rowCount - row : VGK_NAME(errorRows);
      const float *first = values + row * columnCount + column;
      for (size_t candidate = 0; candidate < candidateCount; candidate++) {
        const size_t place = candidate * columnCount + column;
        if (rest >= VGK_NAME(errorColumns))
          VGK_NAME(sumErrors)(
            first, rows, columnCount, VGK_NAME(errorColumns), least + column, most + column, reciprocals + place,
            errors + place);
        else
          VGK_NAME(sumErrors)(
            first, rows, columnCount, rest, least + column, most + column, reciprocals + place, errors + place);
      }
    }
  }
}
