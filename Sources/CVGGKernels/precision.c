#include "CVGGRules.h"
#include "vgk_precision.h"

static inline uint32_t vgkMagnitudeBits(float value) { return vgr_bits(value) & 0x7FFFFFFF; }

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

/* What is known of every eighth value. */
typedef struct {
  double largestError[8], errorEnergy[8], signalEnergy[8];
  uint32_t zeros[8], newZeros[8], overflows[8], subnormals[8];
  uint32_t largestBits[8], smallestBits[8];
} DifferenceLanes;

static inline void addToLane(DifferenceLanes *lanes, size_t lane, float old, float new, uint32_t smallestNormal) {
  const double error = (double)new - (double)old, magnitude = error < 0 ? -error : error;
  lanes->largestError[lane] = magnitude > lanes->largestError[lane] ? magnitude : lanes->largestError[lane];
  lanes->errorEnergy[lane] += error * error;
  lanes->signalEnergy[lane] += (double)old * (double)old;
  // Magnitudes are ordered as their bits are, NaN behind infinity.
  const uint32_t oldBits = vgkMagnitudeBits(old), newBits = vgkMagnitudeBits(new);
  lanes->zeros[lane] += newBits == 0;
  lanes->newZeros[lane] += (newBits == 0) & (oldBits != 0);
  lanes->overflows[lane] += (newBits == 0x7F800000) & (oldBits < 0x7F800000);
  lanes->subnormals[lane] += (newBits != 0) & (newBits < smallestNormal);
  lanes->largestBits[lane] = oldBits > lanes->largestBits[lane] ? oldBits : lanes->largestBits[lane];
  // One less, so that a zero is the largest of all.
  lanes->smallestBits[lane] = oldBits - 1 < lanes->smallestBits[lane] ? oldBits - 1 : lanes->smallestBits[lane];
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

void vgk_difference_f32(
  VGKISA isa, const float *before, const float *after, size_t count, float smallestNormal, VGKDifference *difference) {
  VGK_SELECT(isa, difference)(before, after, count, smallestNormal, difference);
}
