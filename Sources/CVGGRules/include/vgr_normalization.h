/**
 * The factor of a local response normalisation of codes, whose exponent is a multiple of 1/4, as docs/integer_arithmetic.md defines it:
 * in double, rounded after each operation, so with the same bits on every machine. The root is taken of integers: many boards have none.
 */
#ifndef VGR_NORMALIZATION_H
#define VGR_NORMALIZATION_H

#include <stdint.h>

#include "vgr_float.h"

/** The square root, to nearest; not a number below 0. */
static inline double vgr_square_root(double value) {
  union {
    double value;
    uint64_t bits;
  } number = {.value = value};
  /* 0, infinity and what is not a number stay. */
  if (value == 0 || value != value || number.bits == 0x7FF0000000000000ull) return value;
  if (value < 0) {
    number.bits = 0x7FF8000000000000ull;
    return number.value;
  }
  /* A subnormal number becomes a normal one; its root is one in any case. */
  const int isSubnormal = number.bits >> 52 == 0;
  if (isSubnormal) number.value = value * 0x1p54;
  const int32_t exponent = (int32_t)(number.bits >> 52) - 1023;
  /* An even exponent, and a fraction of 54 bits with the point behind the second one. */
  uint64_t fraction = ((number.bits & 0xFFFFFFFFFFFFFull) | 1ull << 52) << (exponent & 1);
  /* Digit by digit, as with pencil and paper: two bits of the number, and 54 zeros behind it, give one of the root. */
  uint64_t remainder = 0, root = 0;
  for (int32_t digit = 0; digit < 54; digit++) {
    remainder = remainder << 2 | (fraction >> 52 & 3);
    fraction <<= 2;
    const uint64_t trial = root << 2 | 1;
    root <<= 1;
    if (remainder >= trial) {
      remainder -= trial;
      root |= 1;
    }
  }
  /* One bit more than a double has; it is never a tie, for the square of an odd root is odd. */
  const int32_t half = (exponent - (exponent & 1)) / 2 - (isSubnormal ? 27 : 0);
  number.bits = ((uint64_t)(half + 1022) << 52) + ((root + 1) >> 1);
  return number.value;
}

/** base^(quarters / 4), for 1 to 16 quarters: whole ones first, then the root, then the root of the root. */
static inline double vgr_power_of_quarters(double base, int32_t quarters) {
  double power = 1;
  for (int32_t whole = quarters >> 2; whole > 0; whole--) power *= base;
  if ((quarters & 3) == 0) return power;
  const double root = vgr_square_root(base);
  if (quarters & 2) power *= root;
  if (quarters & 1) power *= vgr_square_root(root);
  return power;
}

/**
 * (scale ratio) / (k + unit * sum)^(quarters / 4) as a float32, which is finite.
 *
 * @param unit what the sum of squares is multiplied with, the square of the input's scale included
 * @param scaleRatio the scale of the input by that of the output
 * @param sum the sum of squares, a whole number
 */
static inline float vgr_normalization_factor(
  double k, double unit, double scaleRatio, int32_t quarters, double sum) {
  /* A volatile variable keeps compilers from a fused operation. */
  const volatile double product = unit * sum;
  const float quotient = (float)(scaleRatio / vgr_power_of_quarters(k + product, quarters));
  const float most = 0x1.fffffep127f;
  if (quotient != quotient) return 0;
  return quotient > most ? most : quotient < -most ? -most : quotient;
}

#endif
