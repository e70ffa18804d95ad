#include "integer_common.h"

/*
 * Winograd's F(4 x 4, 3 x 3) in whole numbers, with the points 0, 1, -1, 2, -1/2 and infinity, given as fractions p/q:
 * Y = A' [(G w G') * (B' x B)] A, all mod 2^32.
 *
 * The rows of B' were multiplied by their denominators 2, 6, 6, 30, 30, 2, so that they are whole. The rows of G are
 * multiplied by what is missing of 30: 15, 5, 5, 1, 1, 15. The result is 30^2 = 4 * 225 times too large. 225 is odd,
 * so mod 2^32 it has an inverse; what is left is 4 y mod 2^32, and that is 4 y itself if |y| < 2^29. The sums before
 * that may overflow as often as they like.
 *
 * Both operands fit 16 bits: in each row of B' the positive entries sum to at most 8 and, but for one row, to as
 * much as the negative ones, so transformed inputs are at most 98 * 255; transformed weights are at most 225 * 128.
 */
enum { inputSize = 6, outputSize = 4, pointCount = inputSize * inputSize, tapCount = 9 };

/* Bytes between the weights of a point and those of the next one, where they are transformed each time. */
enum { vgkPointSkew = 128 };

/* 225 times this is 1 mod 2^32. */
static const uint32_t inverseOf225 = 0x87654321;

typedef struct {
  size_t image, row, column;
} Tile;

static inline Tile tileAt(const VGKIntegerWinograd *w, size_t index) {
  const size_t perImage = w->tileRowCount * w->tileColumnCount, inImage = index % perImage;
  return (Tile){
    .image = index / perImage, .row = inImage / w->tileColumnCount, .column = inImage % w->tileColumnCount};
}

/* Of the positions of a tile along an axis, first ..< end lie in the image; `start` is where `first` lies there. */
typedef struct {
  size_t first, end, start;
} Span;

static inline Span tileSpan(size_t paddedStart, size_t padding, size_t count) {
  const size_t first = paddedStart < padding ? smallerOf(padding - paddedStart, inputSize) : 0;
  const size_t start = paddedStart + first - padding;
  if (start >= count || first == inputSize) return (Span){.first = 0, .end = 0, .start = 0};
  return (Span){.first = first, .end = smallerOf(inputSize, first + count - start), .start = start};
}

#define VGK_BODY "integer_winograd_body.h"
#include "for_each_integer_isa.h"

/* A distance in words of at least `length` that keeps rows on cache lines, but off the same set of the cache. */
static size_t skewed(size_t length) { return (divideUp(length, 16) | 1) * 16; }

/* Whether weights are too large to be kept transformed: it takes less time to transform them than to read them. */
static bool transformsWeights(size_t inputChannels, size_t outputChannels) {
  return inputChannels * outputChannels * pointCount * 2 > 6 << 20;
}

VGKIntegerWinograd vgk_integer_winograd_plan(
  VGKISA isa, const VGKConvolutionShape *s, int32_t inputZeroPoint, size_t imageCount, const VGKPoolingShape *pooling,
  size_t threadCount) {
  enum { chunkChannels = 256 };
  VGKIntegerWinograd w = {.isa = isa, .shape = *s, .inputZeroPoint = inputZeroPoint, .pools = pooling != NULL};
  if (pooling) {
    w.pooledHeight = pooling->outputHeight;
    w.pooledWidth = pooling->outputWidth;
  }
  const size_t width = (size_t)VGK_SELECT(isa, panelWidth), halves = width, words = width / 2;
  w.tileRowCount = divideUp(s->outputHeight, outputSize);
  w.tileColumnCount = divideUp(s->outputWidth, outputSize);
  w.tileCount = imageCount * w.tileRowCount * w.tileColumnCount;
  w.inputBlocks = divideUp(s->inputChannels, halves);
  w.panelCount = divideUp(s->outputChannels, width);
  const size_t pairs = w.inputBlocks * words * w.panelCount * width;
  w.transformsWeights = transformsWeights(s->inputChannels, s->outputChannels);
  w.weightBytes = w.panelCount * width * 4 + pairs * (w.transformsWeights ? tapCount * 2 : pointCount * 4);
  w.chunkBlocks = w.transformsWeights ? smallerOf(chunkChannels / halves, w.inputBlocks) : w.inputBlocks;

  // Blocks that fit the second cache, but larger ones where weights are transformed for each of them. Few are made as
  // many as there are threads, or a multiple; fewer than that are cut by channels.
  size_t blockCount = divideUp(w.tileCount, w.transformsWeights ? 56 : 28);
  if (blockCount >= threadCount && blockCount < 4 * threadCount) blockCount = roundUp(blockCount, threadCount);
  w.blockTiles = divideUp(w.tileCount, blockCount);
  blockCount = divideUp(w.tileCount, w.blockTiles);
  const size_t parts = blockCount < threadCount ? divideUp(threadCount, blockCount) : 1;
  w.blockPanels = divideUp(w.panelCount, smallerOf(parts, w.panelCount));
  w.channelBlockCount = divideUp(w.panelCount, w.blockPanels);
  w.unitCount = blockCount * w.channelBlockCount;

  w.inputBlockStride = w.blockTiles * words;
  w.inputPointStride = skewed(w.inputBlocks * w.inputBlockStride);
  w.scratchBytes = pointCount * (w.inputPointStride + w.blockTiles * width) * 4;
  if (w.transformsWeights) w.scratchBytes += pointCount * (w.chunkBlocks * words * width * 4 + vgkPointSkew);
  return w;
}

/* How many times as many products of bytes as of 16 bits an instruction set takes at a time. For dot products of AArch64
   that is 4, which leaves no gain; a little more keeps to direct convolution until somebody has measured. */
static double directSpeed(VGKISA isa) {
  switch (isa) {
    case VGKISAAvxVnni:
    case VGKISAAvx512Vnni: return 2;
    case VGKISANeonDot: return 5;
    case VGKISAPortable:
    case VGKISANeon:
    case VGKISAAvx2:
    case VGKISAAvx512: return 1;
  }
  return 1;
}

/* Costs are cycles of a core with AVX-512 VNNI for an image; for others, their ratios matter. */
bool vgk_integer_winograd_pays(VGKISA isa, const VGKConvolutionShape *s) {
  const bool fits = s->kernelHeight == 3 && s->kernelWidth == 3 && s->strideHeight == 1 && s->strideWidth == 1 &&
                    s->dilationHeight == 1 && s->dilationWidth == 1;
  if (!fits) return false;
  const size_t width = (size_t)VGK_SELECT(isa, panelWidth);
  const double tiles = (double)(divideUp(s->outputHeight, outputSize) * divideUp(s->outputWidth, outputSize));
  const double inputs = (double)roundUp(s->inputChannels, width), outputs = (double)roundUp(s->outputChannels, width);
  const double pixels = (double)(s->outputHeight * s->outputWidth);
  double transforms = tiles * (8 * inputs + 16 * outputs);
  if (transformsWeights(s->inputChannels, s->outputChannels)) transforms += 5 * inputs * outputs;
  const double winograd = pointCount * tiles * inputs * outputs / 64 + transforms;
  const double direct = 1.2 * pixels * tapCount * (double)s->inputChannels * outputs / 64 / directSpeed(isa);
  return winograd < direct;
}

bool vgk_integer_winograd_is_exact(const VGKConvolutionShape *s, int32_t inputZeroPoint, const int8_t *weights) {
  const int64_t limit = (int64_t)1 << 29, least = -128 - inputZeroPoint, most = 127 - inputZeroPoint;
  const size_t count = s->kernelHeight * s->kernelWidth * s->inputChannels;
  for (size_t channel = 0; channel < s->outputChannels; channel++) {
    int64_t positive = 0, negative = 0;
    for (size_t i = 0; i < count; i++) {
      const int8_t weight = weights[i * s->outputChannels + channel];
      if (weight > 0) positive += weight;
      else negative += weight;
    }
    if (most * positive + least * negative >= limit || least * positive + most * negative <= -limit) return false;
  }
  return true;
}

void vgk_integer_winograd_weights(
  const VGKIntegerWinograd *w, const int8_t *weights, const int32_t *bias, void *prepared, size_t panelStart,
  size_t panelEnd) {
  for (size_t panel = panelStart; panel < panelEnd; panel++)
    VGK_SELECT(w->isa, prepareWeights)(w, weights, bias, prepared, panel);
}

void vgk_integer_winograd(
  const VGKIntegerWinograd *w, const int8_t *input, const void *prepared, const VGKRequantization *requantization,
  int8_t *output, void *scratch, size_t unitStart, size_t unitEnd) {
  VGK_SELECT(w->isa, winograd)(w, input, prepared, requantization, output, scratch, unitStart, unitEnd);
}
