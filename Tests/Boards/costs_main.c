/* Runs one kernel of vggrt once, or none: costs.sh counts the instructions. CASE says which one, WIDTH how wide it is. */
#include "board.h"
#include "vggrt_expand.h"
#include "vggrt_internal.h"

enum { NOTHING, CONVOLUTION, EXPANDED, DENSE, POOLING, SOFTMAX };

/* Read when it runs, so that all programs are the same but for it. */
static const volatile int chosen = CASE;

enum { EXTENT = 8, OUTPUTS = 16 };

static int8_t input[EXTENT * EXTENT * 64], output[EXTENT * EXTENT * 64];
static int8_t weights[OUTPUTS * 4096];
static uint32_t expanded[OUTPUTS * 64 * 8];
static vggrt_channel channels[OUTPUTS];
static int32_t exponentials[256];
static _Alignas(16) uint8_t scratch[16384];

static void convolve(vggrt_layer *layer) {
  const uint32_t row = EXTENT * WIDTH, at_once = vggrt_rows_at_once(layer);
  const int is_expanded = layer->encoding == VGGRT_WINOGRAD;
  const vggrt_panel panel = {0, OUTPUTS, channels, is_expanded ? (const uint8_t *)expanded : (const uint8_t *)weights};
  for (uint32_t y = 0; y < EXTENT; y += at_once) {
    const int8_t *rows[4];
    for (uint32_t i = 0; i < at_once + 2; i++) rows[i] = y + i - 1 < EXTENT ? input + (y + i - 1) * row : NULL;
    int8_t *const outputs[2] = {output, output + EXTENT * OUTPUTS};
    vggrt_convolution(layer, VGGRT_TFLM, &panel, rows, outputs, at_once, scratch);
  }
}

int main(void) {
  for (uint32_t i = 0; i < OUTPUTS; i++) {
    channels[i].factor.multiplier = 0x5a827999;
    channels[i].shift = -9;
  }
  for (uint32_t i = 0; i < 256; i++) exponentials[i] = (int32_t)(0x7fffffffu >> i / 16);
  vggrt_layer layer = {
    .low = -128, .high = 127, .stride_height = 1, .stride_width = 1, .dilation_height = 1, .dilation_width = 1,
    .kernel_height = 1, .kernel_width = 1, .input = {1, 1, WIDTH}, .output = {1, 1, WIDTH}, .table = exponentials};
  switch (chosen) {
    case CONVOLUTION:
    case EXPANDED:
      layer.kind = VGGRT_CONVOLUTION;
      layer.encoding = chosen == EXPANDED ? VGGRT_WINOGRAD : VGGRT_PLAIN;
      layer.padding_top = layer.padding_left = 1;
      layer.kernel_height = layer.kernel_width = 3;
      layer.input = (vggrt_shape){EXTENT, EXTENT, WIDTH};
      layer.output = (vggrt_shape){EXTENT, EXTENT, OUTPUTS};
      convolve(&layer);
      break;
    case DENSE: {
      const vggrt_panel panel = {0, OUTPUTS, channels, (const uint8_t *)weights};
      layer.kind = VGGRT_DENSE;
      layer.output.channels = OUTPUTS;
      vggrt_dense(&layer, VGGRT_TFLM, &panel, input, output);
      break;
    }
    case POOLING: {
      const int8_t *const rows[2] = {input, input + EXTENT * WIDTH};
      layer.kind = VGGRT_MAXIMUM_POOLING;
      layer.kernel_height = layer.kernel_width = layer.stride_height = layer.stride_width = 2;
      layer.input = (vggrt_shape){2, EXTENT, WIDTH};
      layer.output = (vggrt_shape){1, EXTENT / 2, WIDTH};
      vggrt_pooling(&layer, rows, output);
      break;
    }
    case SOFTMAX:
      layer.kind = VGGRT_SOFTMAX;
      vggrt_elements(&layer, VGGRT_TFLM, input, output);
      break;
    default: break;
  }
  return 0;
}
