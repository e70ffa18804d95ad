/* Convolutions by Winograd's F(2x2, 3x3): 16 products instead of 36 for each input and 2 x 2 outputs, with the same sums.

   A tile of 4 x 4 codes is transformed to B d B^T, whose values are -512 to 512; the weights are in the image as 2 G w (2 G)^T, -1152 to 1152.
   Their products, summed over the inputs and transformed back, are 4 times the sums of the direct convolution, modulo 2^32.
   Such a sum is less than 2^29 (`vggrt_winograd_suits`), so a shift by two gives it.

     B rows   [1 0 -1 0] [0 1 1 0] [0 -1 1 0] [0 1 0 -1]
     2 G      [2 0 0] [1 1 1] [1 -1 1] [0 0 2]
     A        [1 1 1 0] [0 1 -1 -1] */
#include "vggrt_kernels.h"

#ifndef VGGRT_NO_WINOGRAD

/** Copies six pixels of a row from a column on, which may be left of the map. */
static void copy_pixels(const vggrt_layer *layer, const int8_t *row, uint32_t column, int8_t *to) {
  const uint32_t channels = layer->input.channels, width = layer->input.width;
  if (row && column < width && width - column >= 6) {
    memcpy(to, row + column * channels, 6 * channels);
    return;
  }
  for (const uint32_t end = column + 6; column != end; column++, to += channels) {
    if (row && column < width) memcpy(to, row + column * channels, channels);
    else memset(to, layer->input_zero_point, channels);
  }
}

/** A fourth of a number that is a multiple of four. */
static uint32_t fourth(uint32_t number) { return (uint32_t)((int32_t)number >> 2); }

/** Transforms the sums of 16 positions, which are 4 numbers apart, to those of 2 x 2 outputs. */
static void transform_back(const uint32_t *sums, uint32_t *upper, uint32_t *lower) {
  uint32_t results[2][4];
  for (uint32_t j = 0; j < 4; j++, sums += 4) {
    const uint32_t b = sums[16], c = sums[32];
    results[0][j] = sums[0] + b + c;
    results[1][j] = b - c - sums[48];
  }
  for (uint32_t i = 0; i < 2; i++, upper = lower) {
    const uint32_t *r = results[i];
    upper[0] = fourth(r[0] + r[1] + r[2]);
    upper[1] = fourth(r[1] - r[2] - r[3]);
  }
}

void vggrt_winograd(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_panel *panel, const int8_t *const *rows,
  int8_t *const *outputs, uint32_t output_count, void *scratch) {
  const uint32_t inputs = layer->input.channels, channels = layer->output.channels, width = layer->output.width;
  int8_t *const pixels = scratch;
  int16_t *const tiles = (int16_t *)(void *)(pixels + 24 * inputs);
  /* Two tiles have six columns of pixels, and give four columns of output. */
  for (uint32_t x = 0; x < width; x += 4) {
    const uint32_t columns = width - x < 4 ? width - x : 4;
    for (uint32_t i = 0; i < 4; i++)
      copy_pixels(
        layer, i < output_count + 2 ? rows[i] : NULL, x - layer->padding_left, pixels + 6 * i * inputs);
    for (uint32_t i = 0; i < 2; i++) vggrt_transform(pixels + 2 * i * inputs, 6 * inputs, inputs, tiles, i);
    for (uint32_t i = 0; i < panel->count; i += 2) {
      const uint32_t taken = panel->count - i < 2 ? 1 : 2;
      const int16_t *weights = (const int16_t *)(const void *)panel->weights + 16 * i * inputs;
      uint32_t sums[16][4];
      vggrt_wide_sums(weights, taken == 2 ? 16 * inputs : 0, tiles, inputs, sums);
      for (uint32_t k = 0; k < taken; k++) {
        uint32_t results[2][4];
        for (uint32_t j = 0; j < 2; j++)
          transform_back(&sums[0][2 * k + j], &results[0][2 * j], &results[1][2 * j]);
        vggrt_put_codes(
          layer, rounding, &panel->channels[i + k], results[0], outputs, x * channels + panel->first + i + k,
          output_count, columns);
      }
    }
  }
}

#endif
