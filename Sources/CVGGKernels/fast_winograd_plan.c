/* How Winograd's work is cut up, and for which tile it pays. Costs are cycles of a core with AVX-512; for others,
   their ratios matter. */
#include "fast_common.h"

/* Columns of a panel: two registers. */
static size_t panelWidth(VGKISA isa) {
  switch (isa) {
    case VGKISAAvx512:
    case VGKISAAvx512Vnni: return 32;
    case VGKISAAvx2:
    case VGKISAAvxVnni: return 16;
    case VGKISANeon:
    case VGKISANeonDot:
    case VGKISAPortable: return 8;
  }
  return 8;
}

/* A distance in floats of at least `length` that keeps rows on cache lines, but off the same set of the cache. */
static size_t skewed(size_t length) { return (divideUp(length, 16) | 1) * 16; }

static size_t roundUp(size_t count, size_t multiple) { return divideUp(count, multiple) * multiple; }

static size_t pointCount(size_t outputTile) { return (outputTile + 2) * (outputTile + 2); }

/* Tiles along an axis: in pairs where windows of pooling lie across two tiles. */
static size_t tilesAlong(size_t count, size_t outputTile, bool pools) {
  const size_t tiles = divideUp(count, outputTile);
  return pools && outputTile % 2 == 1 ? roundUp(tiles, 2) : tiles;
}

/* Tiles of a block: weights that no cache holds are read for as many as can be; the fewer there are, the more of what is
   transformed stays in the cache. */
static size_t targetTiles(size_t weightBytes) {
  return weightBytes <= (24 << 20) ? 16 : vgkLargestBlock;
}

VGKWinograd vgk_fast_winograd_plan(
  VGKISA isa, size_t outputTile, const VGKConvolutionShape *s, size_t imageCount, const VGKPoolingShape *pooling,
  size_t threadCount) {
  const bool pools = pooling != NULL;
  VGKWinograd w = {.isa = isa, .outputTile = outputTile, .shape = *s, .pools = pools};
  if (pools) {
    w.pooledHeight = pooling->outputHeight;
    w.pooledWidth = pooling->outputWidth;
  }
  const size_t width = panelWidth(isa), points = pointCount(outputTile);
  w.groupTiles = pools && outputTile % 2 == 1 ? 4 : 1;
  w.tileRowCount = tilesAlong(s->outputHeight, outputTile, pools);
  w.tileColumnCount = tilesAlong(s->outputWidth, outputTile, pools);
  w.tileCount = imageCount * w.tileRowCount * w.tileColumnCount;
  w.panelCount = divideUp(vgk_fast_channel_stride(s->outputChannels), width);
  w.weightCount = points * w.panelCount * s->inputChannels * width;

  // Few blocks are made as many as there are threads, or a multiple; fewer than that are cut by channels.
  size_t blockCount = divideUp(w.tileCount, targetTiles(w.weightCount * sizeof(float)));
  if (blockCount >= threadCount && blockCount < 4 * threadCount) blockCount = roundUp(blockCount, threadCount);
  w.blockTiles = roundUp(divideUp(w.tileCount, blockCount), w.groupTiles);
  blockCount = divideUp(w.tileCount, w.blockTiles);
  const size_t parts = blockCount < threadCount ? divideUp(threadCount, blockCount) : 1;
  w.blockPanels = divideUp(w.panelCount, smallerOf(parts, w.panelCount));
  w.channelBlockCount = divideUp(w.panelCount, w.blockPanels);
  w.unitCount = blockCount * w.channelBlockCount;

  w.inputRowStride = skewed(vgk_fast_channel_stride(s->inputChannels));
  w.inputPointStride = skewed(w.blockTiles * w.inputRowStride);
  w.scratchCount = points * w.inputPointStride + (outputTile + 2) * (outputTile + 1) * w.blockTiles * width;
  return w;
}

/* Cycles for one image on one thread. What is chosen must not depend on threads or batch: results would, too. */
static double winogradCost(size_t outputTile, const VGKConvolutionShape *s, bool pools) {
  const double tiles = (double)(tilesAlong(s->outputHeight, outputTile, pools) *
                                tilesAlong(s->outputWidth, outputTile, pools));
  const double inputs = (double)s->inputChannels, outputs = (double)s->outputChannels;
  const double points = (double)pointCount(outputTile);
  const double products = points * tiles * inputs * outputs / 16, reading = points * inputs * outputs * 4 / 8;
  // A transform takes about 12 cycles for each point of a tile and vector of channels; products pass the cache, too.
  const double arithmetic = products + tiles * points * (12 * inputs + 16 * outputs) / 16;
  return arithmetic > reading ? arithmetic : reading;
}

static double directCost(const VGKConvolutionShape *s) {
  const double pixels = (double)(s->outputHeight * s->outputWidth);
  const double weights = 9 * (double)s->inputChannels * (double)s->outputChannels;
  const double arithmetic = pixels * weights / 16 * 1.1, reading = weights * 4 / 8;
  return arithmetic > reading ? arithmetic : reading;
}

size_t vgk_fast_winograd_best_tile(const VGKConvolutionShape *s, bool pools, size_t largestTile) {
  const bool fits = s->kernelHeight == 3 && s->kernelWidth == 3 && s->strideHeight == 1 && s->strideWidth == 1 &&
                    s->dilationHeight == 1 && s->dilationWidth == 1;
  if (!fits) return 0;
  size_t best = 0;
  double cost = directCost(s);
  for (size_t tile = 4; tile <= smallerOf(largestTile, 7); tile++) {
    const double tileCost = winogradCost(tile, s, pools);
    if (tileCost >= cost) continue;
    best = tile;
    cost = tileCost;
  }
  return best;
}
