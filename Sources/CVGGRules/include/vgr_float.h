/**
 * float32 to and from the two floating-point types of 16 bits.
 *
 * All are bit patterns here: a signalling NaN that moves as a float may become quiet on the way.
 */
#ifndef VGR_FLOAT_H
#define VGR_FLOAT_H

#include <stdint.h>

#ifdef __FAST_MATH__
#error "the rules of rounding need IEEE arithmetic: compile without -ffast-math"
#endif

/** The bits of a number. */
static inline uint32_t vgr_bits(float value) {
  const union {
    float value;
    uint32_t bits;
  } number = {.value = value};
  return number.bits;
}

/** The number of bits. */
static inline float vgr_float(uint32_t bits) {
  const union {
    uint32_t bits;
    float value;
  } number = {.bits = bits};
  return number.value;
}

/** Drops `shift` bits, 1 to 31, to nearest, ties to even. `bits` is at most 2^32 - 2^(shift - 1). */
static inline uint32_t vgr_rounded_shift(uint32_t bits, uint32_t shift) {
  return (bits + (1u << (shift - 1)) - 1 + (bits >> shift & 1)) >> shift;
}

/** float32 to binary16, to nearest, ties to even; a NaN stays a NaN (quiet, upper payload bits). */
static inline uint16_t vgr_f16_from_f32(uint32_t bits) {
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  const uint32_t quietNaN = 0x7E00 | (magnitude >> 13 & 0x3FF);
  /* Normal: the exponent's bias drops from 127 to 15; a carry out of the mantissa is the right next exponent. */
  const uint32_t normal = vgr_rounded_shift(magnitude - (112u << 23), 13);
  /* Below 2^-14: beside 0.5 the last bit of a float32 is 2^-24, the unit of binary16's subnormal numbers. */
  const uint32_t subnormal = vgr_bits(vgr_float(magnitude) + 0.5f) - 0x3F000000;
  /* 65520, half a unit above the largest finite number, is the first one that becomes infinite. */
  const uint32_t finite = magnitude >= 0x38800000 ? normal : subnormal;
  const uint32_t half = magnitude > 0x7F800000 ? quietNaN : magnitude >= 0x477FF000 ? 0x7C00 : finite;
  return (uint16_t)(sign | half);
}

/** binary16 to float32: exact, bit for bit. */
static inline uint32_t vgr_f32_from_f16(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = (uint32_t)(half & 0x7FFF) << 13;
  /* Exponents differ by 112, so a multiplication by a power of two does it, subnormal numbers included; only infinity and
     NaN need an exponent that no multiplication gives. */
  const uint32_t finite = vgr_bits(vgr_float(magnitude) * 0x1p112f);
  return sign | (magnitude >= 0x0F800000 ? magnitude | 0x7F800000 : finite);
}

/** float32 to bfloat16, to nearest, ties to even, subnormals kept; a NaN stays a NaN (quiet, upper payload bits). */
static inline uint16_t vgr_bf16_from_f32(uint32_t bits) {
  const uint32_t quietNaN = bits >> 16 | 0x40;
  return (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? quietNaN : vgr_rounded_shift(bits, 16));
}

/** bfloat16 to float32: exact, bit for bit. */
static inline uint32_t vgr_f32_from_bf16(uint16_t bfloat) { return (uint32_t)bfloat << 16; }

/** The binary16 of which `vgr_f32_from_f16` gave this float32, NaN included; of any other float32 anything. */
static inline uint16_t vgr_f16_of_exact(uint32_t bits) {
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  const uint32_t finite = vgr_bits(vgr_float(magnitude) * 0x1p-112f) >> 13;
  const uint32_t special = 0x7C00 | (magnitude >> 13 & 0x3FF);
  return (uint16_t)(sign | (magnitude >= 0x7F800000 ? special : finite));
}

/** The bfloat16 of which `vgr_f32_from_bf16` gave this float32, NaN included; of any other float32 anything. */
static inline uint16_t vgr_bf16_of_exact(uint32_t bits) { return (uint16_t)(bits >> 16); }

#endif
