/* Convolutions and dense layers. */
#include "vggrt_kernels.h"

#include "vgr_requantize.h"

/** The scratch is the same for all processors: four columns of int8_t or two of int16_t. */
#define COLUMN_BYTES 4u

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

uint32_t vggrt_convolution_scratch(const vggrt_layer *layer) {
  if (layer->encoding == VGGRT_WINOGRAD) return 88 * layer->input.channels;
  return COLUMN_BYTES * (((uint32_t)layer->kernel_height * layer->kernel_width * layer->input.channels + 15) & ~15u);
}

uint32_t vggrt_rows_at_once(const vggrt_layer *layer) { return layer->encoding == VGGRT_WINOGRAD ? 2 : 1; }

void vggrt_put_codes(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_channel *channel, const uint32_t *sums,
  int8_t *const *outputs, uint32_t place, uint32_t rows, uint32_t columns) {
  const int32_t zero_point = layer->output_zero_point, low = layer->low, high = layer->high;
  const uint32_t bias = (uint32_t)channel->bias, stride = layer->output.channels;
  (void)rounding;
  for (uint32_t y = 0; y < rows; y++, sums += 4) {
    int8_t *to = outputs[y] + place;
#ifndef VGGRT_NO_LITERT
    if (rounding == VGGRT_LITERT) {
      const float scale = channel->factor.scale;
      for (uint32_t x = 0; x < columns; x++, to += stride)
        *to = (int8_t)vgr_requantize_litert((int32_t)(sums[x] + bias), scale, zero_point, low, high);
      continue;
    }
#endif
    /* The multiplier is never negative, which compilers do not know. */
    const VGRMultiplier factor = {channel->factor.multiplier & INT32_MAX, channel->shift};
    for (uint32_t x = 0; x < columns; x++, to += stride)
      *to = (int8_t)vgr_requantize_tflm((int32_t)(sums[x] + bias), factor, zero_point, low, high);
  }
}

int8_t vggrt_code(const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_channel *channel, uint32_t sum) {
  int8_t code, *const output = &code;
  vggrt_put_codes(layer, rounding, channel, &sum, &output, 0, 1, 1);
  return code;
}

uint32_t vggrt_dense_sum(const int8_t *weights, const int8_t *input, uint32_t count) {
  return vggrt_sum(weights, input, count);
}

uint32_t vggrt_sparse_sum(const uint8_t *block, const int8_t *input, uint32_t count) {
  const int8_t *weight = (const int8_t *)block + (count + 7) / 8;
  uint32_t sum = 0;
  for (; count > 0; count -= count < 8 ? count : 8, input += 8) {
    const int8_t *value = input;
    for (uint32_t bits = *block++; bits; bits >>= 1, value++)
      if (bits & 1) sum += (uint32_t)(*weight++ * *value);
  }
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

/** Makes a column of the window of the output at `x`. */
static void take_column(
  const vggrt_layer *layer, const int8_t *const *rows, uint32_t x, void *columns, uint32_t size, uint32_t column) {
  static const int8_t zeros[4] = {0};
  const int8_t beside[4] = {
    layer->input_zero_point, layer->input_zero_point, layer->input_zero_point, layer->input_zero_point};
  const uint32_t channels = layer->input.channels, width = layer->input.width, dilation = layer->dilation_width;
  const uint32_t left = x * layer->stride_width - layer->padding_left;
  uint32_t place = 0;
  for (uint32_t i = 0; i < layer->kernel_height; i++) {
    const int8_t *row = rows[i * layer->dilation_height];
    uint32_t taken;
    for (uint32_t j = 0; j < layer->kernel_width; j += taken) {
      const uint32_t from = left + j * dilation;
      const int is_inside = row && from < width;
      taken = 1;
      /* Neighbours are taken together. */
      if (is_inside && dilation == 1) taken = least(layer->kernel_width - j, width - from);
      vggrt_put(
        columns, size, column, place, is_inside ? row + from * channels : beside,
        is_inside ? 1 : 0, taken * channels);
      place += taken * channels;
    }
  }
  vggrt_put(columns, size, column, place, zeros, 0, size - place);
}

void vggrt_convolution(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_panel *panel, const int8_t *const *rows,
  int8_t *const *outputs, uint32_t output_count, void *scratch) {
#ifndef VGGRT_NO_WINOGRAD
  if (layer->encoding == VGGRT_WINOGRAD) {
    vggrt_winograd(layer, rounding, panel, rows, outputs, output_count, scratch);
    return;
  }
#endif
  const uint32_t size = vggrt_row_size(layer), channels = layer->output.channels, width = layer->output.width;
  for (uint32_t y = 0; y < output_count; y++)
    for (uint32_t x = 0; x < width; x += VGGRT_COLUMNS) {
      const uint32_t columns = least(width - x, VGGRT_COLUMNS);
      for (uint32_t i = 0; i < columns; i++)
        take_column(layer, rows + y * layer->stride_height, x + i, scratch, size, i);
      const int8_t *weights = (const int8_t *)panel->weights;
      for (uint32_t i = 0; i < panel->count; i += 2, weights += 2 * size) {
        const uint32_t taken = panel->count - i < 2 ? 1 : 2;
        uint32_t sums[2 * VGGRT_COLUMNS];
        vggrt_sums(weights, taken == 2 ? size : 0, scratch, size, sums);
        for (uint32_t k = 0; k < taken; k++)
          vggrt_put_codes(
            layer, rounding, &panel->channels[i + k], sums + k * VGGRT_COLUMNS, &outputs[y],
            x * channels + panel->first + i + k, 1, columns);
      }
    }
}
