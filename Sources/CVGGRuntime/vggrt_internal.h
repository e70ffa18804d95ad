/**
 * What the parts of vggrt know of each other.
 *
 *   vggrt.c             running groups and strips, reading weights
 *   vggrt_check.c       preparing and checking a model
 *   vggrt_elements.c    pooling, softmax, normalisation, lookup
 *   vggrt_products.c    convolutions and dense layers
 *   vggrt_winograd.c    convolutions whose weights are expanded
 *   vggrt_kernels.h     their loops, chosen for the processor when it is compiled
 *   vggrt_digest.c      CRC-32 and SHA-256
 */
#ifndef VGGRT_INTERNAL_H
#define VGGRT_INTERNAL_H

#include "vggrt.h"

/* What a model does not need can be left out: `vggrt_config.h` beside the sources, or the compiler's options, may define VGGRT_NO_LITERT,
   VGGRT_NO_NORMALIZATION, VGGRT_NO_WINOGRAD and VGGRT_NO_SHA256. A model that needs it all the same is refused (VGGRT_PLAN_DAMAGED). */
#if defined(__has_include)
#if __has_include("vggrt_config.h")
#include "vggrt_config.h"
#endif
#endif

/* All that is used of a library; there may be no <string.h>. */
void *memcpy(void *restrict destination, const void *restrict source, size_t count);
void *memset(void *destination, int value, size_t count);

/** The weights of some neighbouring output channels of a layer, in memory. */
typedef struct {
  /** The first of them, and how many. */
  uint32_t first, count;
  const vggrt_channel *channels;
  const uint8_t *weights;
} vggrt_panel;

/** The row of a map. */
int8_t *vggrt_row(const vggrt *runtime, uint32_t map, uint32_t y);

/** Copies a part of the weight image, if it is within it. */
vggrt_status vggrt_read(const vggrt *runtime, uint32_t offset, void *destination, uint32_t count);

/** The bytes of a row of weights of an output channel, where all have as many: of all encodings but VGGRT_SPARSE. */
uint32_t vggrt_row_size(const vggrt_layer *layer);

/** The scratch of `vggrt_convolution`, at most: the same on all machines. */
uint32_t vggrt_convolution_scratch(const vggrt_layer *layer);

/** How many rows of output `vggrt_convolution` computes best at a time: 2 for VGGRT_WINOGRAD, otherwise 1. */
uint32_t vggrt_rows_at_once(const vggrt_layer *layer);

/**
 * Computes the channels of a panel in one or two neighbouring rows of a convolution's output.
 *
 * @param rows the input rows from the first one of the first output row's window on, NULL where it is beside the map:
 *   (outputCount - 1) * stride + (kernel_height - 1) * dilation + 1 of them
 * @param outputs the output rows, of all channels
 */
void vggrt_convolution(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_panel *panel, const int8_t *const *rows,
  int8_t *const *outputs, uint32_t output_count, void *scratch);

/** A part of the sum of an output of a dense layer: of `count` inputs with their weights, which are VGGRT_PLAIN. */
uint32_t vggrt_dense_sum(const int8_t *weights, const int8_t *input, uint32_t count);

/**
 * A part of the sum of an output of a dense layer whose weights are VGGRT_SPARSE.
 *
 * @param block a bitmap of (count + 7) / 8 bytes and the codes of its ones
 */
uint32_t vggrt_sparse_sum(const uint8_t *block, const int8_t *input, uint32_t count);

/** The outputs of a panel of a dense layer whose weights are VGGRT_PLAIN. */
void vggrt_dense(
  const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_panel *panel, const int8_t *input, int8_t *output);

/** The code of a sum without the bias. */
int8_t vggrt_code(const vggrt_layer *layer, vggrt_rounding rounding, const vggrt_channel *channel, uint32_t sum);

/** One row of a pooling's output; `rows` as for `vggrt_convolution`. */
void vggrt_pooling(const vggrt_layer *layer, const int8_t *const *rows, int8_t *output);

/** One row of a softmax, a normalisation or a lookup; `output` may be `input`, but of a normalisation. */
void vggrt_elements(const vggrt_layer *layer, vggrt_rounding rounding, const int8_t *input, int8_t *output);

#endif
