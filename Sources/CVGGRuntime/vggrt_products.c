/* Convolutions and dense layers, as plainly as they can be written. */
#include "vggrt_internal.h"

#include "vgr_requantize.h"

uint32_t vggrt_convolution_scratch(const vggrt_layer *layer) {
  (void)layer;
  return 0;
}

uint32_t vggrt_rows_at_once(const vggrt_layer *layer) { return layer->encoding == VGGRT_WINOGRAD ? 2 : 1; }

int8_t vggrt_code(const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_channel *channel, uint32_t sum) {
  const int32_t accumulator = (int32_t)(sum + (uint32_t)channel->bias);
  const int32_t zero_point = layer->output_zero_point, low = layer->low, high = layer->high;
#ifndef VGGRT_NO_LITERT
  if (rounding == VGGRT_LITERT)
    return (int8_t)vgr_requantize_litert(accumulator, channel->factor.scale, zero_point, low, high);
#endif
  (void)rounding;
  const VGRMultiplier factor = {channel->factor.multiplier, channel->shift};
  return (int8_t)vgr_requantize_tflm(accumulator, factor, zero_point, low, high);
}

uint32_t vggrt_dense_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += (uint32_t)(weights[i] * input[i]);
  return sum;
}

uint32_t vggrt_sparse_sum(const uint8_t *block, const int8_t *input, uint32_t count) {
  const int8_t *weight = (const int8_t *)block + (count + 7) / 8;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; i++)
    if (block[i / 8] >> (i & 7) & 1) sum += (uint32_t)(*weight++ * input[i]);
  return sum;
}

void vggrt_dense(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_panel *panel, const int8_t *input, int8_t *output) {
  const uint32_t count = (uint32_t)layer->input.height * layer->input.width * layer->input.channels;
  const int8_t *weights = (const int8_t *)panel->weights;
  for (uint32_t i = 0; i < panel->count; i++, weights += vggrt_row_size(layer))
    output[panel->first + i] =
      vggrt_code(layer, rounding, &panel->channels[i], vggrt_dense_sum(weights, input, count));
}

/** The sum of a window; `weights` are those of an output channel. */
static uint32_t window_sum(const vggrt_layer *layer, const int8_t *weights, const int8_t *const *rows, uint32_t x) {
  const uint32_t channels = layer->input.channels;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < layer->kernel_height; i++)
    for (uint32_t j = 0; j < layer->kernel_width; j++, weights += channels) {
      const int8_t *row = rows[i * layer->dilation_height];
      const uint32_t column = x * layer->stride_width + j * layer->dilation_width - layer->padding_left;
      if (row && column < layer->input.width) sum += vggrt_dense_sum(weights, row + column * channels, channels);
      else
        for (uint32_t k = 0; k < channels; k++) sum += (uint32_t)(weights[k] * layer->input_zero_point);
    }
  return sum;
}

void vggrt_convolution(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_panel *panel, const int8_t *const *rows,
  int8_t *const *outputs, uint32_t output_count, void *scratch) {
  (void)scratch;
  const uint32_t size = vggrt_row_size(layer), channels = layer->output.channels;
  for (uint32_t y = 0; y < output_count; y++)
    for (uint32_t x = 0; x < layer->output.width; x++)
      for (uint32_t i = 0; i < panel->count; i++) {
        const int8_t *weights = (const int8_t *)panel->weights + i * size;
        outputs[y][x * channels + panel->first + i] = vggrt_code(
          layer, rounding, &panel->channels[i], window_sum(layer, weights, rows + y * layer->stride_height, x));
      }
}
