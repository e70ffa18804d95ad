#include <math.h>
#include <stdbool.h>

#include "vgk_witness.h"

enum { VGK_WITNESS_LANES = 16 };
typedef float VGKWitnessLanes __attribute__((vector_size(VGK_WITNESS_LANES * sizeof(float))));
typedef uint32_t VGKWitnessBits __attribute__((vector_size(VGK_WITNESS_LANES * sizeof(uint32_t))));
typedef uint64_t VGKWitnessSums __attribute__((vector_size(VGK_WITNESS_LANES * sizeof(uint64_t))));

#define VGK_BODY "witness_body.h"
#include "for_each_isa.h"

uint64_t vgk_witness_error_f32(
  VGKISA isa, const float *values, size_t count, float reciprocal, float least, float most) {
  return VGK_SELECT(isa, witnessError)(values, count, reciprocal, least, most);
}

void vgk_witness_extremes_f32(VGKISA isa, const float *values, size_t count, float *low, float *high) {
  VGK_SELECT(isa, witnessExtremes)(values, count, low, high);
}
