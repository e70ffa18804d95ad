/* Convolutions and dense layers of random shapes, by their plain definition. */
#include <string.h>

#include "../../../Sources/CVGGRuntime/vggrt_internal.h"
#include "random_models.h"
#include "vgr_requantize.h"
#include "vggrt_expand.h"

static uint32_t state = 1;

/** A number below `bound` (xorshift). */
static uint32_t below(uint32_t bound) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % bound;
}

/** Any code; the outermost ones are frequent in some models. */
static int8_t any_code(int is_extreme) {
  return (int8_t)(is_extreme && below(2) ? (below(2) ? -128 : 127) : (int32_t)below(256) - 128);
}

enum { most_inputs = 20000, most_weights = 40000, most_outputs = 8000, most_channels = 70, margin = 64 };

static int8_t input[most_inputs], output[most_outputs + 2 * margin];
/* Behind the weights there is nothing that may be read. */
static uint32_t weight_words[most_weights / 4];
static uint32_t expanded_words[most_weights * 4];
static uint32_t scratch_words[(88 * 80 + 4 * 9 * 80) / 4 + 2 * margin];
static vggrt_channel channels[most_channels];
static const int8_t *rows[64];

static void fill(vggrt_layer *layer, uint32_t input_count, uint32_t row, uint32_t weights, vggrt_rounding rounding) {
  const int is_extreme = below(4) == 0;
  int8_t *codes = (int8_t *)weight_words;
  for (uint32_t i = 0; i < input_count; i++) input[i] = any_code(is_extreme);
  memset(codes, 0, most_weights);
  for (uint32_t i = 0; i < layer->output.channels; i++)
    for (uint32_t k = 0; k < weights; k++) codes[i * row + k] = any_code(is_extreme);
  for (uint32_t i = 0; i < layer->output.channels; i++) {
    channels[i].bias = (int32_t)below(20000) - 10000;
    const double scale = (1 + below(1000)) / (double)(weights * 1500 + 1000);
    const VGRMultiplier factor = vgr_tflm_multiplier(scale);
    channels[i].shift = rounding == VGGRT_TFLM ? factor.shift : 0;
    if (rounding == VGGRT_TFLM) channels[i].factor.multiplier = factor.multiplier;
    else channels[i].factor.scale = (float)scale;
  }
  layer->input_zero_point = (int8_t)((int32_t)below(256) - 128);
  layer->output_zero_point = (int8_t)((int32_t)below(256) - 128);
  layer->low = (int8_t)(below(2) ? -128 : layer->output_zero_point);
  layer->high = (int8_t)(below(2) ? 127 : layer->low + (int32_t)below(128 - (uint32_t)(layer->low < 0 ? 0 : layer->low)));
  memset(output, 0x55, sizeof output);
}

static int8_t code_of(const vggrt_layer *layer, vggrt_rounding rounding, uint32_t channel, uint32_t sum) {
  const vggrt_channel *numbers = &channels[channel];
  const int32_t accumulator = (int32_t)(sum + (uint32_t)numbers->bias);
  if (rounding == VGGRT_LITERT)
    return (int8_t)vgr_requantize_litert(
      accumulator, numbers->factor.scale, layer->output_zero_point, layer->low, layer->high);
  const VGRMultiplier factor = {numbers->factor.multiplier, numbers->shift};
  return (int8_t)vgr_requantize_tflm(accumulator, factor, layer->output_zero_point, layer->low, layer->high);
}

/** The sum of an output, by definition. */
static uint32_t sum_of(const vggrt_layer *layer, uint32_t row, uint32_t y, uint32_t x, uint32_t channel) {
  const int8_t *weight = (const int8_t *)weight_words + channel * row;
  uint32_t sum = 0;
  for (int32_t i = 0; i < layer->kernel_height; i++)
    for (int32_t j = 0; j < layer->kernel_width; j++)
      for (uint32_t k = 0; k < layer->input.channels; k++) {
        const int32_t r = (int32_t)y * layer->stride_height + i * layer->dilation_height - layer->padding_top;
        const int32_t c = (int32_t)x * layer->stride_width + j * layer->dilation_width - layer->padding_left;
        const int is_inside = r >= 0 && r < layer->input.height && c >= 0 && c < layer->input.width;
        const uint32_t place = ((uint32_t)r * layer->input.width + (uint32_t)c) * layer->input.channels + k;
        sum += (uint32_t)(*weight++ * (is_inside ? input[place] : layer->input_zero_point));
      }
  return sum;
}

/** Runs a layer row by row, a panel of channels at a time, and compares all that was written. */
static int is_right(const vggrt_layer *layer, vggrt_rounding rounding, uint32_t plain_row, uint32_t panel_count) {
  const uint32_t width = layer->output.width, count = layer->output.channels, height = layer->output.height;
  const uint32_t at_once = vggrt_rows_at_once(layer), scratch_size = vggrt_convolution_scratch(layer);
  const uint8_t *weights = (const uint8_t *)(layer->encoding == VGGRT_WINOGRAD ? expanded_words : weight_words);
  int8_t *map = output + margin;
  uint8_t *scratch = (uint8_t *)((uintptr_t)((uint8_t *)scratch_words + margin) & ~(uintptr_t)15);
  memset(scratch_words, 0x5A, sizeof scratch_words);
  for (uint32_t first = 0; first < count; first += panel_count)
    for (uint32_t y = 0; y < height; y += at_once) {
      const uint32_t taken = height - y < at_once ? 1 : at_once;
      const uint32_t needed = (taken - 1) * layer->stride_height + (layer->kernel_height - 1u) * layer->dilation_height + 1;
      for (uint32_t i = 0; i < needed; i++) {
        const uint32_t row = y * layer->stride_height + i - layer->padding_top;
        rows[i] = row < layer->input.height ? input + row * layer->input.width * layer->input.channels : NULL;
      }
      const vggrt_panel panel = {
        first, count - first < panel_count ? count - first : panel_count, channels + first,
        weights + first * vggrt_row_size(layer)};
      int8_t *const outputs[2] = {map + y * width * count, map + (y + taken - 1) * width * count};
      vggrt_convolution(layer, rounding, &panel, rows, outputs, taken, scratch);
    }
  for (uint32_t i = 0; i < margin / 2; i++)
    if (scratch[-1 - (int32_t)i] != 0x5A || scratch[scratch_size + i] != 0x5A) return 0;
  for (uint32_t y = 0; y < height; y++)
    for (uint32_t x = 0; x < width; x++)
      for (uint32_t i = 0; i < count; i++)
        if (*map++ != code_of(layer, rounding, i, sum_of(layer, plain_row, y, x, i))) return 0;
  for (uint32_t i = 0; i < margin; i++)
    if (output[i] != 0x55 || map[i] != 0x55) return 0;
  return 1;
}

static uint32_t extent(uint32_t input_extent, uint32_t padding, uint32_t reach, uint32_t stride) {
  return input_extent + padding < reach ? 0 : (input_extent + padding - reach) / stride + 1;
}

static int convolution_is_right(uint32_t index) {
  vggrt_layer layer = {.kind = VGGRT_CONVOLUTION};
  const int is_winograd = index % 3 == 0, is_usual = is_winograd || below(2);
  layer.kernel_height = (uint16_t)(is_usual ? 3 : 1 + below(5));
  layer.kernel_width = (uint16_t)(is_usual ? 3 : 1 + below(5));
  layer.stride_height = (uint8_t)(is_usual ? 1 : 1 + below(3));
  layer.stride_width = (uint8_t)(is_usual ? 1 : 1 + below(3));
  layer.dilation_height = (uint8_t)(is_usual ? 1 : 1 + below(3));
  layer.dilation_width = (uint8_t)(is_usual ? 1 : 1 + below(3));
  layer.padding_top = (uint16_t)below(layer.kernel_height + 1u);
  layer.padding_left = (uint16_t)below(layer.kernel_width + 1u);
  layer.input.height = (uint16_t)(1 + below(11));
  layer.input.width = (uint16_t)(1 + below(15));
  layer.input.channels = is_winograd ? 4 + 4 * below(9) : 1 + below(below(3) ? 9 : 40);
  layer.output.height = (uint16_t)extent(
    layer.input.height, layer.padding_top + below(3), (layer.kernel_height - 1u) * layer.dilation_height + 1,
    layer.stride_height);
  layer.output.width = (uint16_t)extent(
    layer.input.width, layer.padding_left + below(3), (layer.kernel_width - 1u) * layer.dilation_width + 1,
    layer.stride_width);
  layer.output.channels = 1 + below(9);
  const uint32_t weights = (uint32_t)layer.kernel_height * layer.kernel_width * layer.input.channels;
  const uint32_t row = (weights + 3) & ~3u;
  const uint32_t outputs = layer.output.height * layer.output.width * layer.output.channels;
  if (outputs > most_outputs || row * layer.output.channels > most_weights) return 1;
  const vggrt_rounding rounding = below(2) ? VGGRT_TFLM : VGGRT_LITERT;
  fill(&layer, layer.input.height * layer.input.width * layer.input.channels, row, weights, rounding);
  if (is_winograd) {
    if (!vggrt_winograd_suits(&layer)) return 0;
    layer.encoding = VGGRT_WINOGRAD;
    for (uint32_t i = 0; i < layer.output.channels; i++)
      vggrt_winograd_row(
        (const int8_t *)weight_words + i * row, layer.input.channels,
        (int16_t *)expanded_words + i * 16 * layer.input.channels);
  }
  return is_right(&layer, rounding, row, 1 + below(layer.output.channels));
}

static int dense_is_right(void) {
  vggrt_layer layer = {.kind = VGGRT_DENSE, .input = {1, 1, 1 + below(600)}, .output = {1, 1, 1 + below(9)}};
  const uint32_t count = layer.input.channels, row = (count + 3) & ~3u;
  const vggrt_rounding rounding = below(2) ? VGGRT_TFLM : VGGRT_LITERT;
  fill(&layer, count + 3, row, count, rounding);
  /* A map begins anywhere. */
  const int8_t *map = input + below(4);
  const vggrt_panel panel = {0, layer.output.channels, channels, (const uint8_t *)weight_words};
  vggrt_dense(&layer, rounding, &panel, map, output + margin);
  for (uint32_t i = 0; i < layer.output.channels; i++) {
    const int8_t *weights = (const int8_t *)weight_words + i * row;
    uint32_t sum = 0;
    for (uint32_t k = 0; k < count; k++) sum += (uint32_t)(weights[k] * map[k]);
    if (output[margin + i] != code_of(&layer, rounding, i, sum)) return 0;
  }
  return output[margin + layer.output.channels] == 0x55;
}

static int sparse_is_right(void) {
  static uint8_t block[288];
  const uint32_t count = 1 + below(256), bitmap = (count + 7) / 8, density = 1 + below(10);
  uint32_t used = bitmap, sum = 0;
  memset(block, 0, sizeof block);
  for (uint32_t i = 0; i < count; i++) {
    input[i] = any_code(0);
    if (below(10) >= density) continue;
    block[i / 8] |= (uint8_t)(1u << i % 8);
    const int8_t weight = any_code(0);
    block[used++] = (uint8_t)weight;
    sum += (uint32_t)(weight * input[i]);
  }
  return vggrt_sparse_sum(block, input, count) == sum;
}

uint32_t random_products_check(uint32_t first, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    state = 2654435761u * (first + i + 1);
    if (!convolution_is_right(first + i) || !dense_is_right() || !sparse_is_right()) return i;
  }
  return count;
}
