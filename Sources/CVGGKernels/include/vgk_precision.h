/**
 * Conversions of stored values, and the statistics that precede them. Values of a matrix are row-major with the
 * output channel last, as in HWIO and [in, out]: a column is an output channel. Results do not depend on `isa`.
 */
#ifndef VGK_PRECISION_H
#define VGK_PRECISION_H

#include <stddef.h>
#include <stdint.h>

#include "vgk_isa.h"

#pragma clang assume_nonnull begin

/** Counts the bits that are set in words of 64 bits, which may lie at any address. */
size_t vgk_count_bits(VGKISA isa, const void *words, size_t wordCount);

/** Counts values that are infinite or NaN. */
size_t vgk_count_nonfinite_f32(VGKISA isa, const float *values, size_t count);

/** What a conversion to a narrower type lost. Conversions add to the counts, so that one value serves many tiles. */
typedef struct {
  /** Finite values that became infinite. */
  size_t overflowCount;
  /** Results that are subnormal: not zero, with fewer significant bits. */
  size_t subnormalCount;
  /** Values that were not zero and became zero. */
  size_t underflowCount;
} VGKNarrowing;

/** Converts to IEEE half precision, to nearest, ties to even; a NaN stays a NaN (quiet, upper payload bits). */
void vgk_f16_from_f32(VGKISA isa, const float *values, uint16_t *halves, size_t count, VGKNarrowing *narrowing);

/** Converts from IEEE half precision: exact, bit for bit. */
void vgk_f32_from_f16(VGKISA isa, const uint16_t *halves, float *values, size_t count);

/** Converts to bfloat16, to nearest, ties to even, subnormals kept; a NaN stays a NaN (quiet, upper payload bits). */
void vgk_bf16_from_f32(VGKISA isa, const float *values, uint16_t *bfloats, size_t count, VGKNarrowing *narrowing);

/** Converts from bfloat16: exact, bit for bit. */
void vgk_f32_from_bf16(VGKISA isa, const uint16_t *bfloats, float *values, size_t count);

/**
 * Raises maxima[column] to the largest |value| of the column; NaN counts as larger than infinity and stays.
 *
 * @param values shape [rowCount, columnCount]
 * @param maxima shape [columnCount]; start with zeros, then call for one tile of rows after the other
 */
void vgk_absmax_columns_f32(VGKISA isa, const float *values, size_t rowCount, size_t columnCount, float *maxima);

/**
 * Quantises symmetrically per column: q = clamp(round(w / scale[column]), -127, 127), ties to even.
 *
 * The quotient is a float32 division. A quotient that is NaN (0 / 0: a column of zeros) gives 0.
 *
 * @param values    shape [rowCount, columnCount]
 * @param scales    shape [columnCount], not negative
 * @param quantized shape [rowCount, columnCount]
 */
void vgk_quantize_columns_s8(
  VGKISA isa, const float *values, size_t rowCount, size_t columnCount, const float *scales, int8_t *quantized);

/** Multiplies back in float32: w = q * scale[column]. Shapes as for quantising. */
void vgk_dequantize_columns_s8(
  VGKISA isa, const int8_t *quantized, size_t rowCount, size_t columnCount, const float *scales, float *values);

/**
 * Adds to errors[candidate][column] what a candidate for a column's scale would lose: the sum of t * t over its values,
 * where t counts, to the nearest (ties to even), the 64ths of a step between a value and its code.
 *
 * In float32: steps = value * reciprocal, code = steps rounded to nearest (ties to even) within least ... most,
 * t = (steps - code) * 64 rounded. The sums are exact.
 *
 * @param values      shape [rowCount, columnCount], finite
 * @param least       shape [columnCount], the least code less the zero point
 * @param most        shape [columnCount], the largest code less the zero point
 * @param reciprocals shape [candidateCount, columnCount]: one over the scale; no value may be
 *                    beyond three and a half times the range
 * @param errors      shape [candidateCount, columnCount]; start with zeros, then call for one tile of rows after the other
 */
void vgk_code_errors_f32(
  VGKISA isa, const float *values, size_t rowCount, size_t columnCount, const float *least, const float *most,
  const float *reciprocals, size_t candidateCount, uint64_t *errors);

/** What values differ by from those that they were made of. */
typedef struct {
  double largestError, errorEnergy, signalEnergy;
  /** Values that are zero now; those among them that were not before. */
  size_t zeroCount, newZeroCount;
  /** Finite values that became infinite; values other than zero below the smallest normal one. */
  size_t overflowCount, subnormalCount;
  /** Of the values before: the largest magnitude, NaN if there is one, and the smallest but zeros, infinite if there is none. */
  float largestMagnitude, smallestMagnitude;
} VGKDifference;

/** Compares values with those that they were made of; sums are taken in an order that is the same for every instruction set. */
void vgk_difference_f32(
  VGKISA isa, const float *before, const float *after, size_t count, float smallestNormal, VGKDifference *difference);

#pragma clang assume_nonnull end

#endif
