/*
 * Conversions and statistics for one instruction set (see for_each_isa.h): plain loops over bit patterns that the
 * compiler turns into vectors. Only half precision names the hardware's own conversion.
 */
enum { VGK_NAME(runLength) = 1024 };

/* How many of `count` (at most 2^32 - 1) magnitudes lie in low ... high. */
static inline uint32_t VGK_NAME(countMagnitudes)(const float *values, size_t count, uint32_t low, uint32_t high) {
  uint32_t found = 0;
  for (size_t i = 0; i < count; i++) found += vgkMagnitudeBits(values[i]) - low <= high - low;
  return found;
}

static size_t VGK_NAME(countBits)(const unsigned char *words, size_t wordCount) {
  size_t found = 0;
  for (size_t i = 0; i < wordCount; i++) {
    uint64_t word;
    __builtin_memcpy(&word, words + 8 * i, sizeof(word));
    found += (size_t)__builtin_popcountll(word);
  }
  return found;
}

static size_t VGK_NAME(countNonfinite)(const float *values, size_t count) {
  size_t found = 0;
  for (size_t start = 0; start < count; start += VGK_NAME(runLength)) {
    const size_t run = count - start < VGK_NAME(runLength) ? count - start : VGK_NAME(runLength);
    found += VGK_NAME(countMagnitudes)(values + start, run, 0x7F800000, 0x7FFFFFFF);
  }
  return found;
}

static inline void VGK_NAME(countNarrowing)(
  const float *values, size_t count, const NarrowingLimits *limits, VGKNarrowing *narrowing) {
  narrowing->underflowCount += VGK_NAME(countMagnitudes)(values, count, 1, limits->smallestResult - 1);
  narrowing->subnormalCount +=
    VGK_NAME(countMagnitudes)(values, count, limits->smallestResult, limits->smallestNormal - 1);
  narrowing->overflowCount += VGK_NAME(countMagnitudes)(values, count, limits->overflow, 0x7F7FFFFF);
}

#if VGK_HALF
typedef _Float16 VGK_NAME(halves8) __attribute__((vector_size(16)));
typedef float VGK_NAME(floats8) __attribute__((vector_size(32)));
#endif

static void VGK_NAME(f16FromF32)(
  const float *restrict values, uint16_t *restrict halves, size_t count, VGKNarrowing *narrowing) {
  for (size_t start = 0; start < count; start += VGK_NAME(runLength)) {
    const size_t end = count - start < VGK_NAME(runLength) ? count : start + VGK_NAME(runLength);
    VGK_NAME(countNarrowing)(values + start, end - start, &halfLimits, narrowing);
    size_t i = start;
#if VGK_HALF
    for (; end - i >= 8; i += 8) {
      VGK_NAME(floats8) wide;
      __builtin_memcpy(&wide, values + i, sizeof(wide));
      const VGK_NAME(halves8) narrow = __builtin_convertvector(wide, VGK_NAME(halves8));
      __builtin_memcpy(halves + i, &narrow, sizeof(narrow));
    }
#endif
    for (; i < end; i++) halves[i] = vgr_f16_from_f32(vgr_bits(values[i]));
  }
}

static void VGK_NAME(f32FromF16)(const uint16_t *restrict halves, float *restrict values, size_t count) {
  // As integers, and not by the hardware's conversion: both could quieten a NaN.
  for (size_t i = 0; i < count; i++) {
    const uint32_t bits = vgr_f32_from_f16(halves[i]);
    __builtin_memcpy(values + i, &bits, sizeof(bits));
  }
}

static void VGK_NAME(bf16FromF32)(
  const float *restrict values, uint16_t *restrict bfloats, size_t count, VGKNarrowing *narrowing) {
  for (size_t start = 0; start < count; start += VGK_NAME(runLength)) {
    const size_t run = count - start < VGK_NAME(runLength) ? count - start : VGK_NAME(runLength);
    VGK_NAME(countNarrowing)(values + start, run, &bfloatLimits, narrowing);
    for (size_t i = start; i < start + run; i++) bfloats[i] = vgr_bf16_from_f32(vgr_bits(values[i]));
  }
}

static void VGK_NAME(f32FromBf16)(const uint16_t *restrict bfloats, float *restrict values, size_t count) {
  // As integers: moving through a floating-point register could quieten a NaN.
  for (size_t i = 0; i < count; i++) {
    const uint32_t bits = vgr_f32_from_bf16(bfloats[i]);
    __builtin_memcpy(values + i, &bits, sizeof(bits));
  }
}

static void VGK_NAME(absmaxColumns)(
  const float *restrict values, size_t rowCount, size_t columnCount, float *restrict maxima) {
  // Magnitudes are ordered as their bits are, and NaN comes behind infinity.
  for (size_t row = 0; row < rowCount; row++) {
    const float *rowValues = values + row * columnCount;
    for (size_t column = 0; column < columnCount; column++) {
      uint32_t bits, largest;
      __builtin_memcpy(&bits, rowValues + column, sizeof(bits));
      __builtin_memcpy(&largest, maxima + column, sizeof(largest));
      bits &= 0x7FFFFFFF;
      largest = bits > largest ? bits : largest;
      __builtin_memcpy(maxima + column, &largest, sizeof(largest));
    }
  }
}

static void VGK_NAME(quantizeColumns)(
  const float *restrict values, size_t rowCount, size_t columnCount, const float *restrict scales,
  int8_t *restrict quantized) {
  for (size_t row = 0; row < rowCount; row++) {
    const float *rowValues = values + row * columnCount;
    int8_t *rowQuantized = quantized + row * columnCount;
    for (size_t column = 0; column < columnCount; column++)
      rowQuantized[column] = (int8_t)vgr_code_from_f32(rowValues[column], scales[column], 127);
  }
}

static void VGK_NAME(dequantizeColumns)(
  const int8_t *restrict quantized, size_t rowCount, size_t columnCount, const float *restrict scales,
  float *restrict values) {
  for (size_t row = 0; row < rowCount; row++)
    for (size_t column = 0; column < columnCount; column++)
      values[row * columnCount + column] = vgr_f32_from_code(quantized[row * columnCount + column], scales[column]);
}

static void VGK_NAME(difference)(
  const float *restrict before, const float *restrict after, size_t count, float smallestNormal,
  VGKDifference *restrict difference) {
  DifferenceLanes lanes = {0};
  for (size_t lane = 0; lane < 8; lane++) lanes.smallestBits[lane] = 0x7F800000 - 1;
  const uint32_t normalBits = vgkMagnitudeBits(smallestNormal);
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (size_t lane = 0; lane < 8; lane++) addToLane(&lanes, lane, before[i + lane], after[i + lane], normalBits);
  for (; i < count; i++) addToLane(&lanes, i % 8, before[i], after[i], normalBits);
  *difference = (VGKDifference){0};
  uint32_t largest = 0, smallest = 0x7F800000 - 1;
  for (size_t lane = 0; lane < 8; lane++) {
    if (lanes.largestError[lane] > difference->largestError) difference->largestError = lanes.largestError[lane];
    difference->errorEnergy += lanes.errorEnergy[lane];
    difference->signalEnergy += lanes.signalEnergy[lane];
    difference->zeroCount += lanes.zeros[lane];
    difference->newZeroCount += lanes.newZeros[lane];
    difference->overflowCount += lanes.overflows[lane];
    difference->subnormalCount += lanes.subnormals[lane];
    if (lanes.largestBits[lane] > largest) largest = lanes.largestBits[lane];
    if (lanes.smallestBits[lane] < smallest) smallest = lanes.smallestBits[lane];
  }
  smallest++;
  __builtin_memcpy(&difference->largestMagnitude, &largest, sizeof(largest));
  __builtin_memcpy(&difference->smallestMagnitude, &smallest, sizeof(smallest));
}
