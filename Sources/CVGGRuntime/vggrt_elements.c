/* Pooling, softmax, normalisation and lookup. */
#include "vggrt_internal.h"

#include "vgr_softmax.h"
#ifndef VGGRT_NO_NORMALIZATION
#include "vgr_normalization.h"
#endif

/** The part of a window that is within the map: rows that are not NULL, and columns. */
typedef struct {
  const int8_t *const *rows;
  uint32_t height, from, to, channels;
} pooling_window;

/** The largest codes of all channels. */
static void pool_maximum(const pooling_window *window, int8_t *output) {
  for (uint32_t i = 0; i < window->channels; i++) output[i] = -128;
  for (uint32_t y = 0; y < window->height; y++)
    for (uint32_t column = window->from; window->rows[y] && column < window->to; column++) {
      const int8_t *codes = window->rows[y] + column * window->channels;
      for (uint32_t i = 0; i < window->channels; i++)
        if (codes[i] > output[i]) output[i] = codes[i];
    }
}

/** The means of codes of all channels, to nearest, ties away from zero; -128 of none. */
static void pool_average(const pooling_window *window, int8_t *output) {
  for (uint32_t i = 0; i < window->channels; i++) {
    int32_t sum = 0, count = 0;
    for (uint32_t y = 0; y < window->height; y++)
      for (uint32_t column = window->from; window->rows[y] && column < window->to; column++) {
        sum += window->rows[y][column * window->channels + i];
        count += 1;
      }
    const int32_t half = sum > 0 ? count / 2 : -(count / 2);
    output[i] = (int8_t)(count > 0 ? (sum + half) / count : -128);
  }
}

void vggrt_pooling(const vggrt_layer *layer, const int8_t *const *rows, int8_t *output) {
  pooling_window window = {.rows = rows, .height = layer->kernel_height, .channels = layer->output.channels};
  for (uint32_t x = 0; x < layer->output.width; x++, output += window.channels) {
    const uint32_t start = x * layer->stride_width, end = start + layer->kernel_width, padding = layer->padding_left;
    window.from = start > padding ? start - padding : 0;
    window.to = end > padding ? end - padding : 0;
    window.to = window.to < layer->input.width ? window.to : layer->input.width;
    if (layer->kind == VGGRT_MAXIMUM_POOLING) pool_maximum(&window, output);
    else pool_average(&window, output);
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
