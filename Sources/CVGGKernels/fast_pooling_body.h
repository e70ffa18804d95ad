/*
 * Pooling for one instruction set (see for_each_isa.h): vectors run over the channels of a pixel.
 */
#include "fast_vector_body.h"

static void VGK_NAME(pooling)(
  const VGKPoolingShape *s, VGKPooling kind, const float *input, float *output, size_t rowStart, size_t rowEnd) {
  const size_t pixel = vgk_fast_channel_stride(s->channels), line = s->inputWidth * pixel;
  for (size_t row = rowStart; row < rowEnd; row++) {
    const float *image = input + row / s->outputHeight * s->inputHeight * line;
    const Window rows =
      pooledWindow(row % s->outputHeight, s->kernelHeight, s->strideHeight, s->paddingHeight, s->inputHeight);
    for (size_t x = 0; x < s->outputWidth; x++) {
      const Window columns = pooledWindow(x, s->kernelWidth, s->strideWidth, s->paddingWidth, s->inputWidth);
      float *target = output + (row * s->outputWidth + x) * pixel;
      const float area = (float)(rows.paddedLength * columns.paddedLength);
      const float start = kind == VGKPoolingMaximum ? -INFINITY : 0;
      for (size_t channel = 0; channel < pixel; channel += VGK_NAME(lanes)) {
        VGK_NAME(vector) v = (VGK_NAME(vector)){0} + start;
        for (size_t inputY = rows.start; inputY < rows.end; inputY++)
          for (size_t inputX = columns.start; inputX < columns.end; inputX++) {
            const VGK_NAME(vector) value = VGK_NAME(load)(image + inputY * line + inputX * pixel + channel);
            v = kind == VGKPoolingMaximum ? VGK_NAME(maximum)(v, value) : v + value;
          }
        VGK_NAME(store)(target + channel, kind == VGKPoolingMaximum ? v : v / area);
      }
    }
  }
}
