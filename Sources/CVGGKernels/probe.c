#include "vgk_probe.h"

#include "fast_common.h"

#define VGK_BODY "probe_body.h"
#include "for_each_isa.h"

double vgk_probe_arithmetic(VGKISA isa, size_t stepCount, float *result) {
  return VGK_SELECT(isa, probeArithmetic)(stepCount, result);
}

void vgk_probe_reading(VGKISA isa, const float *values, size_t count, float *result) {
  VGK_SELECT(isa, probeReading)(values, count, result);
}
