#ifndef VGK_LAYOUT_H
#define VGK_LAYOUT_H

#include <stdbool.h>
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

/**
 * Whether the columns of a matrix are runs of a model's values, bit for bit:
 * source[r][c] == model[places[c] + r] for r < rowCount and c < columnCount.
 *
 * It finds out by another way than vgk_transpose_f32, so that it can be a witness for it.
 *
 * @param source          the first value of row 0; each row's values are neighbours; aligned in no way
 * @param rowStride       bytes from the first value of a row to that of the next one
 * @param places          shape [columnCount]: where each column's first value is in the model
 */
bool vgk_is_transposed_f32(
  VGKISA isa, const void *source, size_t rowStride, size_t rowCount, size_t columnCount, const float *model,
  const size_t *places);

#endif
