/**
 * Codes: whole numbers that stand for multiples of a scale. Symmetric: the code 0 is the value 0; otherwise the zero point is.
 */
#ifndef VGR_CODE_H
#define VGR_CODE_H

#include <stdint.h>

#include "vgr_float.h"

/** The whole number nearest to `value`, which is within -2^22 ... 2^22; ties to even. */
static inline int32_t vgr_nearest(float value) {
  /* Beside 1.5 * 2^23 there are no bits for a fraction: the addition itself rounds, and counts up the bits. */
  return (int32_t)(vgr_bits(value + 12582912.0f) - 0x4B400000u);
}

/**
 * The code of a value: the nearest multiple of the scale, ties to even, counted from the zero point, within
 * least ... most; the zero point for NaN.
 *
 * @param scale positive and finite
 */
static inline int32_t vgr_code_from_zero_point(
  float value, float scale, int32_t zero_point, int32_t least, int32_t most) {
  const float low = (float)(least - zero_point), high = (float)(most - zero_point);
  float quotient = value / scale;
  quotient = quotient == quotient ? quotient : 0;
  quotient = quotient > high ? high : quotient;
  quotient = quotient < low ? low : quotient;
  return vgr_nearest(quotient) + zero_point;
}

/**
 * The symmetric code of a value: the nearest multiple of the scale, ties to even, within -limit ... limit; 0 for NaN.
 *
 * @param scale positive and finite
 * @param limit 127 for int8, 7 for int4: the most negative code is not used
 */
static inline int32_t vgr_code_from_f32(float value, float scale, int32_t limit) {
  return vgr_code_from_zero_point(value, scale, 0, -limit, limit);
}

/** The value that a code stands for; where there is a zero point, it is subtracted first. */
static inline float vgr_f32_from_code(int32_t code, float scale) { return (float)code * scale; }

/** The code of at most 22 bits of which `vgr_f32_from_code` gave this value; of any other value anything. */
static inline int32_t vgr_code_of_exact(float value, float scale) { return vgr_nearest(value / scale); }

/** Two int4 codes in a byte, the first one in the lower half. */
static inline uint8_t vgr_nibbles(int32_t first, int32_t second) {
  return (uint8_t)(((uint32_t)first & 0xF) | ((uint32_t)second & 0xF) << 4);
}

/** The first int4 code of a byte, -8 to 7. */
static inline int32_t vgr_first_nibble(uint8_t byte) { return (int32_t)((byte & 0xFu) ^ 8u) - 8; }

/** The second int4 code of a byte, -8 to 7. */
static inline int32_t vgr_second_nibble(uint8_t byte) { return (int32_t)((byte >> 4) ^ 8u) - 8; }

#endif
