#ifndef VGK_LAYOUT_H
#define VGK_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "vgk_isa.h"

/**
 * Turns a matrix of float32 and puts its rows where a table says:
 * target[rows[k] * rowStride + c] = source[c][k] for k < rowCount and c < columnCount.
 *
 * @param source          the first value of column 0; each column's values are neighbours; aligned in no way
 * @param columnStride    bytes from the first value of a column to that of the next one
 * @param rows            shape [rowCount]: the row of the target that the k-th value of each column belongs to
 * @param rowStride       floats from a row of the target to the next one
 */
void vgk_transpose_f32(
  VGKISA isa, const void *source, size_t columnStride, size_t columnCount, size_t rowCount, const uint32_t *rows,
  float *target, size_t rowStride);

#endif
