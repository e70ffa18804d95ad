#include "vgk_precision.h"

static inline uint32_t vgkBits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  return bits;
}

static inline uint32_t vgkMagnitudeBits(float value) { return vgkBits(value) & 0x7FFFFFFF; }

static inline float vgkFloat(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}

/* Where the results of a narrowing to nearest change their kind: magnitudes of float32, as bit patterns. */
typedef struct {
  /* The smallest that does not become zero: just above half of the smallest subnormal (a tie goes to zero). */
  uint32_t smallestResult;
  /* The smallest that becomes normal: half a unit below the smallest normal (a tie goes up). */
  uint32_t smallestNormal;
  /* The smallest that becomes infinite: half a unit above the largest finite (a tie goes up). */
  uint32_t overflow;
} NarrowingLimits;

/* 2^-25 and one step; 2^-14 - 2^-25; 65520 */
static const NarrowingLimits halfLimits = {0x33000001, 0x387FE000, 0x477FF000};
/* 2^-134 and one step; 2^-126 - 2^-134; 2^128 - 2^119 */
static const NarrowingLimits bfloatLimits = {0x00008001, 0x007F8000, 0x7F7F8000};

/* Drops `shift` bits, to nearest, ties to even. */
static inline uint32_t roundedShift(uint32_t bits, uint32_t shift) {
  return (bits + (1u << (shift - 1)) - 1 + (bits >> shift & 1)) >> shift;
}

static inline uint16_t vgkHalfFromFloat(float value) {
  const uint32_t magnitude = vgkMagnitudeBits(value);
  const uint32_t sign = vgkBits(value) >> 16 & 0x8000;
  uint32_t half;
  if (magnitude > 0x7F800000)
    half = 0x7E00 | (magnitude >> 13 & 0x3FF);
  else if (magnitude >= halfLimits.overflow)
    half = 0x7C00;
  else if (magnitude >= 0x38800000)
    // Normal: the exponent's bias drops from 127 to 15; a carry out of the mantissa is the right next exponent.
    half = roundedShift(magnitude - (112u << 23), 13);
  else if (magnitude < halfLimits.smallestResult)
    half = 0;
  else
    // Subnormal: the mantissa with its leading one, in units of 2^-24.
    half = roundedShift((magnitude & 0x7FFFFF) | 0x800000, 126 - (magnitude >> 23));
  return (uint16_t)(sign | half);
}

/* The bits of the same number in float32. Exponents differ by 112, so a shift and a multiplication by a power of two do
   it, subnormal numbers included; only infinity and NaN need an exponent that no multiplication gives. */
static inline uint32_t vgkFloatBitsFromHalf(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = (uint32_t)(half & 0x7FFF) << 13;
  const uint32_t finite = vgkBits(vgkFloat(magnitude) * 0x1p112f);
  return sign | (magnitude >= 0x0F800000 ? magnitude | 0x7F800000 : finite);
}

static inline uint16_t vgkBfloatFromFloat(float value) {
  const uint32_t bits = vgkBits(value);
  const uint32_t quietNaN = bits >> 16 | 0x40;
  return (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? quietNaN : roundedShift(bits, 16));
}

#define VGK_BODY "precision_body.h"
#include "for_each_isa.h"

size_t vgk_count_bits(VGKISA isa, const void *words, size_t wordCount) {
  return VGK_SELECT(isa, countBits)(words, wordCount);
}

size_t vgk_count_nonfinite_f32(VGKISA isa, const float *values, size_t count) {
  return VGK_SELECT(isa, countNonfinite)(values, count);
}

void vgk_f16_from_f32(VGKISA isa, const float *values, uint16_t *halves, size_t count, VGKNarrowing *narrowing) {
  VGK_SELECT(isa, f16FromF32)(values, halves, count, narrowing);
}

void vgk_f32_from_f16(VGKISA isa, const uint16_t *halves, float *values, size_t count) {
  VGK_SELECT(isa, f32FromF16)(halves, values, count);
}

void vgk_bf16_from_f32(VGKISA isa, const float *values, uint16_t *bfloats, size_t count, VGKNarrowing *narrowing) {
  VGK_SELECT(isa, bf16FromF32)(values, bfloats, count, narrowing);
}

void vgk_f32_from_bf16(VGKISA isa, const uint16_t *bfloats, float *values, size_t count) {
  VGK_SELECT(isa, f32FromBf16)(bfloats, values, count);
}

void vgk_absmax_columns_f32(VGKISA isa, const float *values, size_t rowCount, size_t columnCount, float *maxima) {
  VGK_SELECT(isa, absmaxColumns)(values, rowCount, columnCount, maxima);
}

void vgk_quantize_columns_s8(
  VGKISA isa, const float *values, size_t rowCount, size_t columnCount, const float *scales, int8_t *quantized) {
  VGK_SELECT(isa, quantizeColumns)(values, rowCount, columnCount, scales, quantized);
}

void vgk_dequantize_columns_s8(
  VGKISA isa, const int8_t *quantized, size_t rowCount, size_t columnCount, const float *scales, float *values) {
  VGK_SELECT(isa, dequantizeColumns)(quantized, rowCount, columnCount, scales, values);
}
