#include <string.h>

#include "fast_common.h"

/* Copies rows paddedY ..< paddedY + rowCount of the padded image, with zeros for what lies in the padding. */
static void copyPadded(
  const VGKDirect *d, const float *image, size_t paddedY, size_t rowCount, float *target) {
  const VGKConvolutionShape *s = &d->shape;
  const size_t left = smallerOf(s->paddingWidth, d->scratchWidth);
  const size_t width = smallerOf(s->inputWidth, d->scratchWidth - left);
  const size_t right = d->scratchWidth - left - width, pixel = d->inputStride;
  for (size_t row = 0; row < rowCount; row++, target += d->scratchWidth * pixel) {
    const size_t y = paddedY + row;
    if (y < s->paddingHeight || y - s->paddingHeight >= s->inputHeight) {
      memset(target, 0, d->scratchWidth * pixel * sizeof(float));
      continue;
    }
    const float *source = image + (y - s->paddingHeight) * s->inputWidth * pixel;
    memset(target, 0, left * pixel * sizeof(float));
    memcpy(target + left * pixel, source, width * pixel * sizeof(float));
    memset(target + (left + width) * pixel, 0, right * pixel * sizeof(float));
  }
}

#define VGK_BODY "fast_direct_body.h"
#include "for_each_isa.h"

VGKDirect vgk_fast_direct_plan(VGKISA isa, const VGKConvolutionShape *s, size_t inputStride) {
  enum { blockPixels = 112 };
  VGKDirect d = {.isa = isa, .shape = *s, .inputStride = inputStride};
  const size_t width = (size_t)VGK_SELECT(isa, panelWidth);
  d.panelCount = divideUp(vgk_fast_channel_stride(s->outputChannels), width);
  d.weightCount = d.panelCount * s->kernelHeight * s->kernelWidth * s->inputChannels * width;
  d.isPointwise = s->kernelHeight == 1 && s->kernelWidth == 1 && s->strideHeight == 1 && s->strideWidth == 1 &&
                  s->paddingHeight == 0 && s->paddingWidth == 0 && s->inputHeight == s->outputHeight &&
                  s->inputWidth == s->outputWidth;
  d.blockRows = divideUp(blockPixels, s->outputWidth);
  if (d.isPointwise) return d;
  d.scratchWidth = (s->outputWidth - 1) * s->strideWidth + (s->kernelWidth - 1) * s->dilationWidth + 1;
  d.blockRows = smallerOf(d.blockRows, s->outputHeight);
  d.scratchCount = ((d.blockRows - 1) * s->strideHeight + (s->kernelHeight - 1) * s->dilationHeight + 1) *
                   d.scratchWidth * inputStride;
  return d;
}

size_t vgk_fast_direct_roundings(const VGKConvolutionShape *s) {
  const size_t area = s->kernelHeight * s->kernelWidth;
  return chunkedRoundings(
    area * s->inputChannels, VGKConvolutionChunk, area * divideUp(s->inputChannels, VGKConvolutionChunk));
}

void vgk_fast_direct_weights(
  const VGKDirect *d, const float *weights, float *packed, size_t rowStart, size_t rowEnd) {
  VGK_SELECT(d->isa, directWeights)(d, weights, packed, rowStart, rowEnd);
}

void vgk_fast_direct(
  const VGKDirect *d, const float *input, const float *packed, const float *bias, bool appliesReLU, float *output,
  float *scratch, size_t rowStart, size_t rowEnd) {
  VGK_SELECT(d->isa, direct)(d, input, packed, bias, appliesReLU, output, scratch, rowStart, rowEnd);
}
