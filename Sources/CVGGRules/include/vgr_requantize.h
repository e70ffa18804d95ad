/**
 * From the accumulator of a layer of integers to the codes of the next one: the product with a scale, rounded, plus the
 * zero point, within bounds.
 *
 * Runtimes follow one of two rules, and their results differ by 1 now and then; a model names its rule.
 *
 *   litert  a float32 product, to nearest, ties to even: LiteRT with XNNPACK, ONNX Runtime
 *   tflm    fixed point, rounded twice: TensorFlow Lite Micro, CMSIS-NN, ESP-NN
 *
 * docs/integer_arithmetic.md says how the scale is computed, and what else a layer of integers is.
 *
 * Bounds are those of the codes, or narrower ones where an activation clips: low <= high, and both are less than 2^21 away
 * from the zero point.
 */
#ifndef VGR_REQUANTIZE_H
#define VGR_REQUANTIZE_H

#include <stdint.h>

#include "vgr_code.h"

/** By the rule `litert`. */
static inline int32_t vgr_requantize_litert(
  int32_t accumulator, float scale, int32_t zeroPoint, int32_t low, int32_t high) {
  const float least = (float)(low - zeroPoint), most = (float)(high - zeroPoint);
  /* Bounds are whole numbers: it makes no difference whether they or the rounding come first. */
  float product = (float)accumulator * scale;
  product = product < most ? product : most;
  product = product > least ? product : least;
  return vgr_nearest(product) + zeroPoint;
}

/** A factor in fixed point: multiplier * 2^(shift - 31). */
typedef struct {
  /** 0, or 2^30 to 2^31 - 1. */
  int32_t multiplier;
  /** -31 to 31. */
  int32_t shift;
} VGRMultiplier;

/**
 * A scale in fixed point, to nearest, ties up; 0 where a right shift by 31 would be too little.
 *
 * @param scale 0, or positive and at most 2^31 - 1
 */
static inline VGRMultiplier vgr_tflm_multiplier(double scale) {
  const union {
    double value;
    uint64_t bits;
  } number = {.value = scale};
  const int32_t exponent = (int32_t)(number.bits >> 52 & 0x7FF);
  VGRMultiplier result = {0, 0};
  if (exponent == 0) return result;
  uint64_t fraction = (number.bits & 0xFFFFFFFFFFFFFull) | 1ull << 52;
  int32_t shift = exponent - 1022;
  fraction = (fraction + (1u << 21)) >> 22;
  if (fraction == 1ull << 31) {
    fraction >>= 1;
    shift += 1;
  }
  if (shift < -31) return result;
  result.multiplier = (int32_t)fraction;
  result.shift = shift;
  return result;
}

/** The upper half of 2 a b, to nearest, ties up (SaturatingRoundingDoublingHighMul, SQRDMULH). */
static inline int32_t vgr_doubling_high_product(int32_t a, int32_t b) {
  /* The only product that does not fit. */
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/** Divides by 2^shift, 0 to 31, to nearest, ties away from zero (RoundingDivideByPOT). */
static inline int32_t vgr_rounded_right_shift(int32_t value, int32_t shift) {
  const uint32_t mask = (1u << shift) - 1;
  const uint32_t remainder = (uint32_t)value & mask, half = (mask >> 1) + (value < 0);
  return (value >> shift) + (remainder > half);
}

/** A number times a factor, rounded twice; what a left shift pushes out is lost. */
static inline int32_t vgr_tflm_product(int32_t value, VGRMultiplier factor) {
  const int32_t left = factor.shift > 0 ? factor.shift : 0, right = factor.shift > 0 ? 0 : -factor.shift;
  const int32_t shifted = (int32_t)((uint32_t)value << left);
  return vgr_rounded_right_shift(vgr_doubling_high_product(shifted, factor.multiplier), right);
}

/** By the rule `tflm`. */
static inline int32_t vgr_requantize_tflm(
  int32_t accumulator, VGRMultiplier scale, int32_t zeroPoint, int32_t low, int32_t high) {
  const int32_t least = low - zeroPoint, most = high - zeroPoint;
  int32_t product = vgr_tflm_product(accumulator, scale);
  product = product < most ? product : most;
  product = product > least ? product : least;
  return product + zeroPoint;
}

#endif
