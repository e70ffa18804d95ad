/** Makes weights in the form of Winograd's F(2x2, 3x3), where a model is made. It is not part of an exported package. */
#ifndef VGGRT_EXPAND_H
#define VGGRT_EXPAND_H

#include "vggrt.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Whether a layer's weights can be VGGRT_WINOGRAD: 3x3, stride 1, not dilated, and a multiple of four inputs, at most 3640 of them: then
 * sums are less than 2^29, whatever the weights and the codes are, and the arithmetic is exact.
 */
int vggrt_winograd_suits(const vggrt_layer *layer);

/**
 * The row of an output channel, as it lies in the image.
 *
 * @param weights [row][column][input]
 * @param expanded 16 * channels numbers: [position][input], positions row by row of the 4 x 4; inputs in each group of four
 *   in the order 0, 2, 1, 3, as the DSP instruction SXTB16 takes them apart. Each is an element of (2 G) w (2 G)^T
 */
void vggrt_winograd_row(const int8_t *weights, uint32_t channels, int16_t *expanded);

#ifdef __cplusplus
}
#endif

#endif
