#include <string.h>

#include "fast_common.h"

/* The part of a window along one axis that lies in the image, and the length of what lies in the padded image. */
typedef struct {
  size_t start, end, paddedLength;
} Window;

static inline Window pooledWindow(size_t index, size_t kernel, size_t stride, size_t padding, size_t count) {
  const size_t first = index * stride, last = smallerOf(first + kernel, count + 2 * padding);
  const size_t start = first > padding ? first - padding : 0;
  const size_t end = last > padding ? smallerOf(last - padding, count) : 0;
  return (Window){.start = start, .end = end, .paddedLength = last - first};
}

#define VGK_BODY "fast_pooling_body.h"
#include "for_each_isa.h"

void vgk_fast_pooling(
  VGKISA isa, const VGKPoolingShape *shape, VGKPooling kind, const float *input, float *output, size_t rowStart,
  size_t rowEnd) {
  VGK_SELECT(isa, pooling)(shape, kind, input, output, rowStart, rowEnd);
}

void vgk_fast_pad_channels(size_t channels, const float *input, float *output, size_t pixelStart, size_t pixelEnd) {
  const size_t stride = vgk_fast_channel_stride(channels);
  for (size_t pixel = pixelStart; pixel < pixelEnd; pixel++) {
    memcpy(output + pixel * stride, input + pixel * channels, channels * sizeof(float));
    memset(output + pixel * stride + channels, 0, (stride - channels) * sizeof(float));
  }
}

void vgk_fast_unpad_channels(size_t channels, const float *input, float *output, size_t pixelStart, size_t pixelEnd) {
  const size_t stride = vgk_fast_channel_stride(channels);
  for (size_t pixel = pixelStart; pixel < pixelEnd; pixel++)
    memcpy(output + pixel * channels, input + pixel * stride, channels * sizeof(float));
}
