/**
 * Sums of products, chosen for the processor when this is compiled: `vggrt_dsp.h` (Armv7E-M and Armv8-M with DSP), `vggrt_helium.h`,
 * `vggrt_neon.h` or `vggrt_portable.h`, the last one also where VGGRT_PORTABLE is defined. Each defines
 *
 *   VGGRT_COLUMNS       how many windows of neighbouring outputs are multiplied at a time
 *   vggrt_put           puts codes of a window, `step` 1, or one code, of which four are given, many times, `step` 0, into a column;
 *                       columns have `size` places
 *   vggrt_sums          the sums of two output channels, whose weights are `next` bytes apart, with all columns:
 *                       sums[channel * VGGRT_COLUMNS + column]
 *   vggrt_sum           the sum of a dense layer's output
 *   vggrt_transform     Winograd's transform of a tile of 4 x 4 pixels, the first one or the second one of two; from a row of pixels
 *                       to the next are `row` bytes
 *   vggrt_wide_sums     the sums of Winograd's products at each position, of two output channels, whose weights are `next` apart, with
 *                       two tiles: sums[position][channel * 2 + tile]
 *
 * All sums are modulo 2^32, so their order does not matter. Weights are any int8_t, -128 included.
 */
#ifndef VGGRT_KERNELS_H
#define VGGRT_KERNELS_H

#include "vggrt_internal.h"

/* A function of its own, so that it has all registers for itself; a source may leave it unused. */
#if defined(__GNUC__)
#define VGGRT_KERNEL __attribute__((noinline, unused)) static
#else
#define VGGRT_KERNEL static
#endif

/** A number that lies at any address: a load, also where the compiler is told that there is no library. */
static inline uint32_t vggrt_word(const void *bytes) {
  uint32_t word;
#if defined(__GNUC__)
  __builtin_memcpy(&word, bytes, sizeof word);
#else
  memcpy(&word, bytes, sizeof word);
#endif
  return word;
}

/* The rows of pixels that are combined for row i of a transformed tile: 0 - 2, 1 + 2, 2 - 1, 1 - 3. */
static inline uint32_t vggrt_first_row(uint32_t i) { return i == 3 ? 1 : i; }
static inline uint32_t vggrt_second_row(uint32_t i) { return i == 3 ? 3 : i == 2 ? 1 : 2; }

#if defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE & 1 && !defined(VGGRT_PORTABLE)
#include "vggrt_helium.h"
#elif defined(__ARM_FEATURE_DSP) && defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' && !defined(VGGRT_PORTABLE)
#include "vggrt_dsp.h"
#elif defined(__ARM_NEON) && !defined(VGGRT_PORTABLE)
#include "vggrt_neon.h"
#else
#include "vggrt_portable.h"
#endif

/**
 * Writes the codes of a channel in some rows of the output and up to four neighbouring columns.
 *
 * @param sums [row][4], without the bias
 * @param place where in each row of output the first code goes
 */
void vggrt_put_codes(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_channel *channel, const uint32_t *sums,
  int8_t *const *outputs, uint32_t place, uint32_t rows, uint32_t columns);

/** `vggrt_convolution` for weights that are VGGRT_WINOGRAD. */
void vggrt_winograd(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_panel *panel, const int8_t *const *rows,
  int8_t *const *outputs, uint32_t output_count, void *scratch);

#endif
