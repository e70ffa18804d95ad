#include "vggrt_expand.h"

int vggrt_winograd_suits(const vggrt_layer *layer) {
  return layer->kind == VGGRT_CONVOLUTION && layer->kernel_height == 3 && layer->kernel_width == 3
    && layer->stride_height == 1 && layer->stride_width == 1 && layer->dilation_height == 1
    && layer->dilation_width == 1 && layer->input.channels % 4 == 0 && layer->input.channels <= 3640;
}

void vggrt_winograd_row(const int8_t *weights, uint32_t channels, int16_t *expanded) {
  static const int twice_g[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};
  for (uint32_t position = 0; position < 16; position++)
    for (uint32_t k = 0; k < channels; k++) {
      const uint32_t input = (k & ~3u) | (k & 1u) << 1 | (k & 2u) >> 1;
      int sum = 0;
      for (uint32_t i = 0; i < 3; i++)
        for (uint32_t j = 0; j < 3; j++)
          sum += twice_g[position / 4][i] * twice_g[position % 4][j] * weights[(3 * i + j) * channels + input];
      expanded[position * channels + k] = (int16_t)sum;
    }
}
