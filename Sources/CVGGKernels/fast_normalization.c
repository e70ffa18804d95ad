#include "fast_common.h"

/* Channels whose squares are taken at a time, and the largest reach of a window to either side. */
enum { vgkNormalizedBlock = 256, vgkLargestReach = 512 };

static float normalizedInDouble(const VGKNormalization *n, size_t count, const float *x, size_t channel) {
  const size_t reach = n->windowSize / 2;
  double sum = 0;
  for (size_t i = channel > reach ? channel - reach : 0; i < smallerOf(channel + reach + 1, count); i++)
    sum += (double)x[i] * (double)x[i];
  return (float)((double)x[channel] / pow(n->k + n->scale * sum, n->beta));
}

double vgk_fast_normalization_roundings(double beta, size_t elementCount, double logarithm) {
  return 8 + beta * (double)(elementCount + 3) + 2 * beta * logarithm;
}

#define VGK_BODY "fast_normalization_body.h"
#include "for_each_isa.h"

void vgk_fast_normalization(
  VGKISA isa, const VGKNormalization *n, size_t channels, const float *input, float *output, size_t pixelStart,
  size_t pixelEnd) {
  const bool isOrdinary = n->windowSize / 2 <= vgkLargestReach && n->windowSize % 2 == 1 && fabs(n->beta) < 1000;
  if (isOrdinary) {
    VGK_SELECT(isa, normalization)(n, channels, input, output, pixelStart, pixelEnd);
    return;
  }
  vgk_reference_lrn_across_channels(n, vgk_fast_channel_stride(channels), input, output, pixelStart, pixelEnd);
}
