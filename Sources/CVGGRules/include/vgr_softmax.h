/**
 * The softmax of codes, by the two rules that runtimes follow. The codes that come out stand for multiples of 1/256, counted from
 * -128; docs/integer_arithmetic.md has the formulas.
 *
 * Both rules read the exponentials from a table: a code only says how far it is below the largest one of its row. The table of
 * the rule `tflm` is computed here, in integers. That of the rule `litert` needs an exponential and is the caller's: entry d is
 * e^(-scale d), the product in float32, the exponential in double and then rounded to float32.
 */
#ifndef VGR_SOFTMAX_H
#define VGR_SOFTMAX_H

#include <stddef.h>
#include <stdint.h>

#include "vgr_requantize.h"

/** Entries of a table: the differences of two codes. */
enum { VGRDifferenceCount = 256 };

/** The largest code of a row of at least one. */
static inline int32_t vgr_largest_code(const int8_t *codes, size_t count) {
  int8_t largest = codes[0];
  for (size_t i = 1; i < count; i++) largest = codes[i] > largest ? codes[i] : largest;
  return largest;
}

/**
 * By the rule `litert`, from the codes of a row to those of its probabilities.
 *
 * @param table e^(-scale d) for each difference d
 * @param count at least 1
 */
static inline void vgr_softmax_litert(const float *table, const int8_t *input, int8_t *output, size_t count) {
  const int32_t largest = vgr_largest_code(input, count);
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += table[largest - input[i]];
  const float factor = 1 / (sum * 0x1p-8f);
  for (size_t i = 0; i < count; i++) {
    /* Half of one more than twice the value, as whole numbers: to nearest, ties up. */
    const int32_t rounded = ((int32_t)(table[largest - input[i]] * factor * 2) + 1) >> 1;
    output[i] = (int8_t)(rounded < 255 ? rounded - 128 : 127);
  }
}

/** e^a as a number with 31 bits of fraction, for an a <= 0 with 26 bits of fraction, above -32 (exp_on_negative_values). */
static inline int32_t vgr_tflm_exponential(int32_t a) {
  /* e^(-2^j) for each power of two that is not in the part from -1/4 to 0. */
  static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  enum { quarter = 1 << 24, exponentialOfEighth = 1895147668, third = 715827883 };
  if (a == 0) return INT32_MAX;
  const int32_t rest = (int32_t)((uint32_t)a & (quarter - 1)) - quarter;
  /* Around -1/8, by the series up to x^4 / 24. */
  const int32_t x = rest * 32 + (1 << 28);
  const int32_t x2 = vgr_doubling_high_product(x, x);
  const int32_t x3 = vgr_doubling_high_product(x2, x), x4 = vgr_doubling_high_product(x2, x2);
  const int32_t tail = vgr_rounded_right_shift(
    vgr_doubling_high_product(vgr_rounded_right_shift(x4, 2) + x3, third) + x2, 1);
  int32_t result = exponentialOfEighth + vgr_doubling_high_product(exponentialOfEighth, x + tail);
  const int32_t whole = rest - a;
  for (uint32_t bit = 0; bit < sizeof(powers) / sizeof(powers[0]); bit++)
    if (whole >> (24 + bit) & 1) result = vgr_doubling_high_product(result, powers[bit]);
  return result;
}

/**
 * The table of the rule `tflm`: e^(-scale d) with 31 bits of fraction for each difference d, 0 for those that are left out.
 *
 * @param scale of the input, positive
 */
static inline void vgr_tflm_softmax_table(float scale, int32_t *table) {
  const double steps = (double)scale * 0x1p26;
  const VGRMultiplier factor = vgr_tflm_multiplier(steps < INT32_MAX ? steps : INT32_MAX);
  /* The largest difference whose product, with 26 bits of fraction, is within 32 bits. */
  const int32_t last = factor.shift > 0 ? (int32_t)((31u << 26) >> factor.shift) : VGRDifferenceCount;
  for (int32_t difference = 0; difference < VGRDifferenceCount; difference++)
    table[difference] = difference <= last ? vgr_tflm_exponential(vgr_tflm_product(-difference, factor)) : 0;
}

/** 1 / x with 31 bits of fraction, for an x from 1 to less than 2 with as many (one_over_one_plus_x_for_x_in_0_1). */
static inline int32_t vgr_tflm_reciprocal(uint32_t x) {
  const int32_t half = (int32_t)(x >> 1);
  /* Newton's method, from 48/17 - 32/17 half. */
  int32_t value = 1515870810 + vgr_doubling_high_product(half, -1010580540);
  for (int step = 0; step < 3; step++) {
    const int32_t error = (1 << 29) - vgr_doubling_high_product(half, value);
    value += vgr_doubling_high_product(value, error) * 4;
  }
  return value < 1 << 30 ? value * 2 : INT32_MAX;
}

/**
 * By the rule `tflm`, from the codes of a row to those of its probabilities.
 *
 * @param table of `vgr_tflm_softmax_table`
 * @param count at least 1
 */
static inline void vgr_softmax_tflm(const int32_t *table, const int8_t *input, int8_t *output, size_t count) {
  const int32_t largest = vgr_largest_code(input, count);
  /* 1 is 2^19 here. */
  uint64_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += (uint64_t)vgr_rounded_right_shift(table[largest - input[i]], 12);
  /* From 512 on no probability is more than half a code; sums of more than 32 bits are among these. */
  const int isFlat = sum >= 512u << 19;
  uint32_t normalized = isFlat ? 1u << 31 : (uint32_t)sum;
  int32_t shift = 35;
  for (; normalized < 1u << 31; normalized <<= 1) shift -= 1;
  const int32_t factor = vgr_tflm_reciprocal(normalized);
  for (size_t i = 0; i < count; i++) {
    const int32_t product = vgr_doubling_high_product(factor, table[largest - input[i]]);
    const int32_t rounded = isFlat ? 0 : vgr_rounded_right_shift(product, shift);
    output[i] = (int8_t)(rounded < 255 ? rounded - 128 : 127);
  }
}

#endif
