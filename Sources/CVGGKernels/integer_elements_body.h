/*
 * Pooling of codes and their conversion for one instruction set (see for_each_integer_isa.h), as loops that the
 * compiler turns into vectors.
 */

/* The maximum of a window, for one block of channels after the other: what a register or two hold. */
static void VGK_NAME(poolMaximum)(
  const VGKPoolingShape *s, const int8_t *image, Window rows, Window columns, int8_t *target) {
  enum { block = 4 * VGK_WORDS };
  size_t channel = 0;
  for (; channel + block <= s->channels; channel += block) {
    int8_t largest[block];
    memset(largest, -128, block);
    for (size_t y = rows.start; y < rows.end; y++)
      for (size_t x = columns.start; x < columns.end; x++) {
        const int8_t *codes = image + (y * s->inputWidth + x) * s->channels + channel;
        for (size_t i = 0; i < block; i++) largest[i] = codes[i] > largest[i] ? codes[i] : largest[i];
      }
    memcpy(target + channel, largest, block);
  }
  for (; channel < s->channels; channel++) {
    int8_t largest = -128;
    for (size_t y = rows.start; y < rows.end; y++)
      for (size_t x = columns.start; x < columns.end; x++) {
        const int8_t code = image[(y * s->inputWidth + x) * s->channels + channel];
        largest = code > largest ? code : largest;
      }
    target[channel] = largest;
  }
}

static void VGK_NAME(poolAverage)(
  const VGKPoolingShape *s, const int8_t *image, Window rows, Window columns, int8_t *target) {
  enum { block = 64 };
  const int32_t count = (int32_t)((rows.end - rows.start) * (columns.end - columns.start));
  for (size_t channel = 0; channel < s->channels; channel += block) {
    int32_t sums[block] = {0};
    const size_t channels = smallerOf(s->channels - channel, block);
    for (size_t y = rows.start; y < rows.end; y++)
      for (size_t x = columns.start; x < columns.end; x++) {
        const int8_t *codes = image + (y * s->inputWidth + x) * s->channels + channel;
        for (size_t i = 0; i < channels; i++) sums[i] += codes[i];
      }
    for (size_t i = 0; i < channels; i++)
      target[channel + i] = (int8_t)((sums[i] > 0 ? sums[i] + count / 2 : sums[i] - count / 2) / count);
  }
}

static void VGK_NAME(pooling)(
  const VGKPoolingShape *s, VGKPooling kind, const int8_t *input, int8_t *output, size_t rowStart, size_t rowEnd) {
  for (size_t row = rowStart; row < rowEnd; row++) {
    const int8_t *image = input + row / s->outputHeight * s->inputHeight * s->inputWidth * s->channels;
    const Window rows =
      pooledWindow(row % s->outputHeight, s->kernelHeight, s->strideHeight, s->paddingHeight, s->inputHeight);
    for (size_t x = 0; x < s->outputWidth; x++) {
      const Window columns = pooledWindow(x, s->kernelWidth, s->strideWidth, s->paddingWidth, s->inputWidth);
      int8_t *target = output + (row * s->outputWidth + x) * s->channels;
      const bool isEmpty = rows.start >= rows.end || columns.start >= columns.end;
      if (kind == VGKPoolingMaximum || isEmpty)
        VGK_NAME(poolMaximum)(s, image, rows, columns, target);
      else
        VGK_NAME(poolAverage)(s, image, rows, columns, target);
    }
  }
}

static void VGK_NAME(quantize)(const float *values, size_t count, float scale, int32_t zeroPoint, int8_t *codes) {
  for (size_t i = 0; i < count; i++)
    codes[i] = (int8_t)vgr_code_from_zero_point(values[i], scale, zeroPoint, -128, 127);
}

static void VGK_NAME(dequantize)(const int8_t *codes, size_t count, float scale, int32_t zeroPoint, float *values) {
  for (size_t i = 0; i < count; i++) values[i] = vgr_f32_from_code(codes[i] - zeroPoint, scale);
}
