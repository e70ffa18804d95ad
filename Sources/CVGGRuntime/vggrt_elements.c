/* Pooling, softmax, normalisation and lookup. */
#include "vggrt_internal.h"

#include "vgr_softmax.h"
#ifndef VGGRT_NO_NORMALIZATION
#include "vgr_normalization.h"
#endif

/** The mean of codes, to nearest, ties away from zero. */
static int32_t mean(int32_t sum, int32_t count) {
  return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

void vggrt_pooling(const vggrt_layer *layer, const int8_t *const *rows, int8_t *output) {
  const uint32_t channels = layer->output.channels;
  for (uint32_t x = 0; x < layer->output.width; x++) {
    /* The window's columns that are within the map. */
    const uint32_t start = x * layer->stride_width, padding = layer->padding_left;
    uint32_t from = start > padding ? start - padding : 0, to = start + layer->kernel_width;
    to = to > padding ? to - padding : 0;
    to = to < layer->input.width ? to : layer->input.width;
    for (uint32_t channel = 0; channel < channels; channel++) {
      int32_t largest = -128, sum = 0, count = 0;
      for (uint32_t y = 0; y < layer->kernel_height; y++) {
        if (!rows[y]) continue;
        for (uint32_t column = from; column < to; column++) {
          const int32_t code = rows[y][column * channels + channel];
          largest = code > largest ? code : largest;
          sum += code;
          count += 1;
        }
      }
      const int is_mean = layer->kind == VGGRT_AVERAGE_POOLING && count > 0;
      *output++ = (int8_t)(is_mean ? mean(sum, count) : largest);
    }
  }
}

#ifndef VGGRT_NO_NORMALIZATION

static void normalize(const vggrt_layer *layer, const int8_t *input, int8_t *output) {
  const vggrt_normalization *rule = layer->table;
  const uint32_t channels = layer->output.channels, reach = rule->reach;
  for (uint32_t channel = 0; channel < channels; channel++) {
    const uint32_t from = channel > reach ? channel - reach : 0;
    const uint32_t to = channels - channel > reach ? channel + reach + 1 : channels;
    uint32_t sum = 0;
    for (uint32_t i = from; i < to; i++) {
      const int32_t difference = input[i] - layer->input_zero_point;
      sum += (uint32_t)(difference * difference);
    }
    const float factor =
      vgr_normalization_factor(rule->k, rule->unit, rule->scale_ratio, rule->quarters, sum);
    output[channel] = (int8_t)vgr_requantize_litert(
      input[channel] - layer->input_zero_point, factor, layer->output_zero_point, -128, 127);
  }
}

#endif

void vggrt_elements(const vggrt_layer *layer, vggrt_rounding rounding, const int8_t *input, int8_t *output) {
  const uint32_t channels = layer->output.channels;
  for (uint32_t x = 0; x < layer->output.width; x++, input += channels, output += channels) {
    if (layer->kind == VGGRT_LOOKUP) {
      const int8_t *table = layer->table;
      for (uint32_t i = 0; i < channels; i++) output[i] = table[input[i] + 128];
    }
#ifndef VGGRT_NO_NORMALIZATION
    if (layer->kind == VGGRT_NORMALIZATION) normalize(layer, input, output);
#endif
    if (layer->kind != VGGRT_SOFTMAX) continue;
    if (rounding == VGGRT_TFLM) vgr_softmax_tflm(layer->table, input, output, channels);
#ifndef VGGRT_NO_LITERT
    else vgr_softmax_litert(layer->table, input, output, channels);
#endif
  }
}
