#ifndef VGK_WITNESS_H
#define VGK_WITNESS_H

#include <stddef.h>
#include <stdint.h>

#include "vgk_isa.h"

/*
 * What a proof of scales computes: the same numbers as the code that finds them (vgk_precision.h), in another way, so that a
 * mistake in one of them is seen.
 */

/**
 * The sum of t * t over some values, where t counts, to the nearest (ties to even), the 64ths of a step between a value and its
 * code: steps = value * reciprocal, code = steps within least ... most, rounded to nearest (ties to even). Exact.
 *
 * @param values     shape [count], finite; value * reciprocal is below 2^17 in magnitude
 * @param reciprocal one over the scale
 * @param least      the least code less the zero point
 * @param most       the largest code less the zero point
 */
uint64_t vgk_witness_error_f32(
  VGKISA isa, const float *values, size_t count, float reciprocal, float least, float most);

/**
 * The least and the largest of some values and zero; minus and plus infinity where a value is not finite.
 *
 * @param values shape [count]
 */
void vgk_witness_extremes_f32(VGKISA isa, const float *values, size_t count, float *low, float *high);

#endif
