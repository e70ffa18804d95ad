#include "vgk_layout.h"

typedef float VGKLanes __attribute__((vector_size(8 * sizeof(float))));

#define VGK_BODY "layout_body.h"
#include "for_each_isa.h"

void vgk_transpose_f32(
  VGKISA isa, const void *source, size_t columnStride, size_t columnCount, size_t rowCount, const uint32_t *rows,
  float *target, size_t rowStride) {
  VGK_SELECT(isa, transpose)(source, columnStride, columnCount, rowCount, rows, target, rowStride);
}
