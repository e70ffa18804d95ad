#include "integer_common.h"

#define VGK_BODY "integer_direct_body.h"
#include "for_each_integer_isa.h"

/* What is added to a code so that it becomes an operand of quads. */
enum { quadOffset = vgkHasUnsignedQuads ? 128 : 0 };

VGKIntegerDirect vgk_integer_direct_plan(
  VGKISA isa, const VGKConvolutionShape *s, int32_t inputZeroPoint, size_t imageCount, size_t threadCount) {
  enum { blockPixels = 112 };
  VGKIntegerDirect d = {.isa = isa, .shape = *s, .inputZeroPoint = inputZeroPoint};
  const size_t width = (size_t)VGK_SELECT(isa, panelWidth);
  d.elementBytes = VGK_SELECT(isa, hasQuads) ? 1 : 2;
  // Taps that lie side by side are one run.
  const bool isDense = s->dilationWidth == 1;
  d.runElements = isDense ? s->kernelWidth * s->inputChannels : s->inputChannels;
  d.runCount = isDense ? s->kernelHeight : s->kernelHeight * s->kernelWidth;
  d.runWords = divideUp(d.runElements * d.elementBytes, 4);
  d.panelCount = divideUp(s->outputChannels, width);
  d.weightBytes = d.panelCount * width * 4 * (1 + d.runCount * d.runWords);

  d.blockRows = smallerOf(divideUp(blockPixels, s->outputWidth), s->outputHeight);
  d.blocksPerImage = divideUp(s->outputHeight, d.blockRows);
  const size_t blockCount = imageCount * d.blocksPerImage;
  const size_t parts = blockCount < threadCount ? divideUp(threadCount, blockCount) : 1;
  d.blockPanels = divideUp(d.panelCount, smallerOf(parts, d.panelCount));
  d.channelBlockCount = divideUp(d.panelCount, d.blockPanels);
  d.unitCount = blockCount * d.channelBlockCount;

  d.scratchWidth = (s->outputWidth - 1) * s->strideWidth + (s->kernelWidth - 1) * s->dilationWidth + 1;
  // The last word of a run may reach beyond the last pixel.
  d.scratchRowBytes = roundUp(d.scratchWidth * s->inputChannels * d.elementBytes, 4) + 4;
  d.scratchBytes =
    ((d.blockRows - 1) * s->strideHeight + (s->kernelHeight - 1) * s->dilationHeight + 1) * d.scratchRowBytes;
  return d;
}

void vgk_integer_direct_weights(
  const VGKIntegerDirect *d, const int8_t *weights, const int32_t *bias, void *prepared, size_t panelStart,
  size_t panelEnd) {
  const VGKConvolutionShape *s = &d->shape;
  const size_t width = (size_t)VGK_SELECT(d->isa, panelWidth), wordCount = d->runCount * d->runWords;
  int32_t *biases = prepared;
  int8_t *panels = (int8_t *)(biases + d->panelCount * width);
  for (size_t panel = panelStart; panel < panelEnd; panel++) {
    int8_t *target = panels + panel * wordCount * width * 4;
    memset(target, 0, wordCount * width * 4);
    for (size_t column = 0; column < width; column++) {
      const size_t channel = panel * width + column;
      const bool exists = channel < s->outputChannels;
      int32_t sum = 0;
      for (size_t run = 0; exists && run < d->runCount; run++)
        for (size_t i = 0; i < d->runElements; i++) {
          const int8_t weight = weights[(run * d->runElements + i) * s->outputChannels + channel];
          const size_t word = run * d->runWords + i * d->elementBytes / 4;
          sum += weight;
          if (d->elementBytes == 1) {
            target[(word * width + column) * 4 + i % 4] = weight;
          } else {
            const int16_t wide = weight;
            memcpy(target + word * width * 4 + 2 * pairPlace(column, i % 2), &wide, sizeof wide);
          }
        }
      const int32_t offset = d->elementBytes == 1 ? d->inputZeroPoint + quadOffset : 0;
      biases[channel] = exists ? (int32_t)((bias ? (uint32_t)bias[channel] : 0) - (uint32_t)offset * (uint32_t)sum) : 0;
    }
  }
}

void vgk_integer_direct(
  const VGKIntegerDirect *d, const int8_t *input, const void *prepared, const VGKRequantization *requantization,
  int8_t *output, void *scratch, size_t unitStart, size_t unitEnd) {
  VGK_SELECT(d->isa, direct)(d, input, prepared, requantization, output, scratch, unitStart, unitEnd);
}
