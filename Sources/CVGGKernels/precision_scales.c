#include "CVGGRules.h"
#include "vgk_precision.h"

#define VGK_BODY "precision_scales_body.h"
#include "for_each_isa.h"

void vgk_code_errors_f32(
  VGKISA isa, const float *values, size_t rowCount, size_t columnCount, const float *least, const float *most,
  const float *reciprocals, size_t candidateCount, uint64_t *errors) {
  VGK_SELECT(isa, codeErrors)(values, rowCount, columnCount, least, most, reciprocals, candidateCount, errors);
}
