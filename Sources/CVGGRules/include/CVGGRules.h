/**
 * CVGGRules: the one place for each rule of rounding, for the codec, the kernels, the engine and boards.
 *
 *   vgr_float.h       float32 to and from binary16 and bfloat16
 *   vgr_code.h        codes: quantisation by a scale and back, two int4 in a byte
 *   vgr_requantize.h  from an int32 accumulator to the next layer's int8, by the two rules that runtimes follow
 *   vgr_softmax.h     the softmax of codes, by the same two rules
 *   vgr_normalization.h  the factor of a local response normalisation of codes
 *
 * Conventions. Plain C11 without a library: no libm, no allocation, no state, and freestanding headers only. All is
 * `static inline` and free of branches where it stands in loops, so that compilers turn these into vectors. Arithmetic is
 * IEEE 754 with rounding to nearest, ties to even, and with subnormal numbers, which is what every machine does unless it is
 * told otherwise; >> of a negative number is arithmetic, as with every compiler that matters.
 *
 * The verifier has rules of its own, on purpose: what it judges it does not compute with.
 */
#ifndef CVGGRULES_H
#define CVGGRULES_H

#include "vgr_code.h"
#include "vgr_float.h"
#include "vgr_normalization.h"
#include "vgr_requantize.h"
#include "vgr_softmax.h"

#endif
