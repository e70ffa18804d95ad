#include "vgk_reference.h"

/* Pixels in a tile of outputs: with VGK_VECTORS of each, 12 of 16 or 24 of 32 registers hold sums. */
enum { VGK_PIXELS = 6 };

#define VGK_BODY "reference_sums_body.h"
#include "for_each_isa.h"

void vgk_reference_convolution(
  VGKISA isa, const VGKConvolutionShape *shape, const float *input, const float *weights, const float *bias,
  bool appliesReLU, float *output, size_t rowStart, size_t rowEnd) {
  VGK_SELECT(isa, convolution)(shape, input, weights, bias, appliesReLU, output, rowStart, rowEnd);
}

void vgk_reference_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input, const float *weights,
  const float *bias, bool appliesReLU, float *output, size_t columnStart, size_t columnEnd) {
  VGK_SELECT(isa, dense)
  (rowCount, inputCount, outputCount, input, weights, bias, appliesReLU, output, columnStart, columnEnd);
}
