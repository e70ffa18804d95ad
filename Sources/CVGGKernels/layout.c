#include "vgk_layout.h"

typedef float VGKLanes __attribute__((vector_size(8 * sizeof(float))));
typedef uint32_t VGKPatterns __attribute__((vector_size(8 * sizeof(uint32_t))));

#define VGK_BODY "layout_body.h"
#include "for_each_isa.h"

void vgk_transpose_f32(
  VGKISA isa, const void *source, size_t columnStride, size_t columnCount, size_t rowCount, const uint32_t *rows,
  float *target, size_t rowStride) {
  VGK_SELECT(isa, transpose)(source, columnStride, columnCount, rowCount, rows, target, rowStride);
}

bool vgk_is_transposed_f32(
  VGKISA isa, const void *source, size_t rowStride, size_t rowCount, size_t columnCount, const float *model,
  const size_t *places) {
  return VGK_SELECT(isa, isTurned)(source, rowStride, rowCount, columnCount, (const uint32_t *)model, places);
}
