/*
 * Values of a weight row from its codes for one instruction set (see for_each_isa.h), as loops that the compiler
 * turns into vectors.
 */
static void VGK_NAME(decodeRow)(
  const VGKCodedWeights *w, size_t outputCount, size_t row, size_t column, size_t count, float *values) {
  const size_t parameter = row / w->groupLength * outputCount + column, place = row * outputCount + column;
  const float *scales = w->scales + parameter;
  if (w->isPacked) {
    const uint8_t *codes = (const uint8_t *)w->codes + place / 2;
    for (size_t i = 0; i < count / 2; i++) {
      values[2 * i] = (float)vgr_first_nibble(codes[i]);
      values[2 * i + 1] = (float)vgr_second_nibble(codes[i]);
    }
    if (count % 2 == 1) values[count - 1] = (float)vgr_first_nibble(codes[count / 2]);
  } else {
    const int8_t *codes = (const int8_t *)w->codes + place;
    for (size_t i = 0; i < count; i++) values[i] = codes[i];
  }
  // Differences of codes are exact in float32.
  for (size_t i = 0; w->zeroPoints && i < count; i++) values[i] -= (float)w->zeroPoints[parameter + i];
  for (size_t i = 0; i < count; i++) values[i] *= scales[i];
}
