/*
 * What a core can do at best, for one instruction set (see for_each_isa.h).
 */
#include "fast_vector_body.h"

static double VGK_NAME(probeArithmetic)(size_t stepCount, float *result) {
  enum { chainCount = VGK_VECTORS == 4 ? 14 : 12 };
  // Independent chains hide the latency. They start from different numbers that the compiler does not know, near one.
  VGK_NAME(vector) sums[chainCount];
  VGK_UNROLL for (size_t i = 0; i < chainCount; i++) sums[i] = (VGK_NAME(vector)){0} + (*result + 0.001f * (float)i);
  VGK_NAME(vector) factor = (VGK_NAME(vector)){0} + 0.999f, addend = (VGK_NAME(vector)){0} + 0.001f;
  VGK_NO_UNROLL for (size_t step = 0; step < stepCount; step++)
    VGK_UNROLL for (size_t i = 0; i < chainCount; i++) sums[i] = sums[i] * factor + addend;
  VGK_NAME(vector) sum = sums[0];
  VGK_UNROLL for (size_t i = 1; i < chainCount; i++) sum += sums[i];
  *result = sum[0];
  return 2.0 * VGK_NAME(lanes) * chainCount * (double)stepCount;
}

static void VGK_NAME(probeReading)(const float *values, size_t count, float *result) {
  VGK_NAME(vector) sums[8];
  VGK_UNROLL for (size_t i = 0; i < 8; i++) sums[i] = (VGK_NAME(vector)){0};
  size_t place = 0;
  for (; place + 8 * VGK_NAME(lanes) <= count; place += 8 * VGK_NAME(lanes))
    VGK_UNROLL for (size_t i = 0; i < 8; i++) sums[i] += VGK_NAME(load)(values + place + i * VGK_NAME(lanes));
  VGK_UNROLL for (size_t i = 1; i < 8; i++) sums[0] += sums[i];
  *result = sums[0][0];
}
