#include "fast_common.h"

/* Columns of a stripe for one row and for several. */
enum { vgkDenseStripe = 4096, vgkDenseBatchStripe = 512 };

#define VGK_BODY "fast_dense_body.h"
#include "for_each_isa.h"

void vgk_fast_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input, const float *weights,
  const float *bias, bool appliesReLU, float *output, size_t columnStart, size_t columnEnd) {
  VGK_SELECT(isa, dense)
  (rowCount, inputCount, outputCount, input, weights, bias, appliesReLU, output, columnStart, columnEnd);
}

size_t vgk_fast_dense_roundings(size_t inputCount) {
  return chunkedRoundings(inputCount, VGKDenseChunk, divideUp(inputCount, VGKDenseChunk));
}

void vgk_fast_dense_add(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t inputStride, size_t outputCount, const float *input,
  const float *weights, float *sums) {
  VGK_SELECT(isa, denseAdd)(rowCount, input, inputStride, inputCount, outputCount, weights, sums);
}
