/*
 * Direct convolution for one instruction set (see for_each_isa.h): pixels of one row times a panel of channels.
 */
#include "fast_vector_body.h"

/* What is done with a tile of sums: whether it joins what is in the output, and whether it is the last to do so. */
typedef struct {
  bool accumulates, finishes, appliesReLU, storesBoth;
  VGK_NAME(vector) bias[2];
} VGK_NAME(Finish);

VGK_INLINE void VGK_NAME(storePixels)(
  VGK_NAME(vector) sums[][2], const size_t rows, const VGK_NAME(Finish) *f, float *output, size_t outputStride) {
  VGK_UNROLL for (size_t r = 0; r < rows; r++)
    VGK_UNROLL for (size_t i = 0; i < 2; i++) {
      float *place = output + r * outputStride + i * VGK_NAME(lanes);
      if (i == 1 && !f->storesBoth) continue;
      VGK_NAME(vector) v = sums[r][i];
      if (f->accumulates) v += VGK_NAME(load)(place);
      if (f->finishes) {
        v += f->bias[i];
        if (f->appliesReLU) v = VGK_NAME(rectified)(v);
      }
      VGK_NAME(store)(place, v);
    }
}

/* One piece of the sums of all pixels of a row, or of a run of rows for 1 x 1, for one panel. */
static void VGK_NAME(multiplyPixels)(
  size_t pixelCount, const float *a, size_t aStride, const Runs *runs, const float *b, const float *next,
  const VGK_NAME(Finish) *finish, float *output, size_t outputStride) {
  const size_t parts = divideUp(pixelCount, VGK_NAME(tileRows));
  for (size_t part = 0; part < parts; part++) {
    const size_t first = VGK_NAME(tileStart)(pixelCount, part), end = VGK_NAME(tileStart)(pixelCount, part + 1);
    // Writing to what is not in the cache makes the writer wait: ask for it now.
    for (size_t p = first; p < end; p++)
      for (size_t i = 0; i < VGK_NAME(panelWidth); i += 16)
        __builtin_prefetch(output + p * outputStride + i, 1, 3);
    VGK_NAME(vector) sums[VGK_NAME(tileRows)][2];
    switch (end - first) {
#define VGK_TILE(rows)                                                                                \
  case rows:                                                                                          \
    VGK_NAME(multiplyTile)(sums, rows, a + first * aStride, aStride, runs, b, next, NULL);            \
    VGK_NAME(storePixels)(sums, rows, finish, output + first * outputStride, outputStride);           \
    break;
      VGK_EACH_TILE
#undef VGK_TILE
    }
  }
}

/* The sums of some rows of pixels for one panel: in pieces of VGKConvolutionChunk steps, or at once if there are no more. */
static void VGK_NAME(multiplyRows)(
  const VGKDirect *d, const float *source, size_t rows, const Runs *runs, const float *b, const float *next,
  VGK_NAME(Finish) *finish, float *output) {
  const VGKConvolutionShape *s = &d->shape;
  const size_t outputStride = vgk_fast_channel_stride(s->outputChannels);
  // Rows of 1 x 1 are one long row.
  const size_t lineCount = d->isPointwise ? 1 : rows;
  const size_t lineLength = d->isPointwise ? rows * s->outputWidth : s->outputWidth;
  const size_t sourceLine = s->strideHeight * d->scratchWidth * d->inputStride;
  const size_t runCount = runs->rowCount * runs->columnCount, stepCount = runCount * runs->length;
  const size_t pieceLength = smallerOf(runs->length, VGKConvolutionChunk);
  const size_t piecesPerRun = divideUp(runs->length, VGKConvolutionChunk);
  const bool isOnePiece = stepCount <= VGKConvolutionChunk;
  for (size_t line = 0; line < lineCount; line++) {
    const float *a = source + line * sourceLine;
    float *target = output + line * s->outputWidth * outputStride;
    const size_t aStride = s->strideWidth * d->inputStride;
    if (isOnePiece) {
      finish->accumulates = false;
      finish->finishes = true;
      VGK_NAME(multiplyPixels)(lineLength, a, aStride, runs, b, next, finish, target, outputStride);
      continue;
    }
    for (size_t run = 0; run < runCount; run++)
      for (size_t piece = 0; piece < piecesPerRun; piece++) {
        const size_t start = piece * pieceLength, step = (run * runs->length + start) * VGK_NAME(panelWidth);
        const Runs part = {
          .rowCount = 1, .columnCount = 1, .length = smallerOf(pieceLength, runs->length - start)};
        finish->accumulates = run + piece > 0;
        finish->finishes = run + 1 == runCount && piece + 1 == piecesPerRun;
        VGK_NAME(multiplyPixels)(
          lineLength,
          a + run / runs->columnCount * runs->rowStep + run % runs->columnCount * runs->columnStep + start, aStride,
          &part, b + step, next + step, finish, target, outputStride);
      }
  }
}

static void VGK_NAME(direct)(
  const VGKDirect *d, const float *input, const float *packed, const float *bias, bool appliesReLU, float *output,
  float *scratch, size_t rowStart, size_t rowEnd) {
  const VGKConvolutionShape *s = &d->shape;
  const size_t outputStride = vgk_fast_channel_stride(s->outputChannels);
  const size_t rowLength = d->scratchWidth * d->inputStride;
  const size_t panelLength = s->kernelHeight * s->kernelWidth * s->inputChannels * VGK_NAME(panelWidth);
  // Taps of one kernel row lie side by side if nothing is between the pixels.
  const bool isDense = s->dilationWidth == 1 && d->inputStride == s->inputChannels;
  const Runs runs = {
    .rowCount = s->kernelHeight, .rowStep = s->dilationHeight * rowLength,
    .columnCount = isDense ? 1 : s->kernelWidth, .columnStep = s->dilationWidth * d->inputStride,
    .length = isDense ? s->kernelWidth * s->inputChannels : s->inputChannels};

  for (size_t row = rowStart; row < rowEnd;) {
    const size_t image = row / s->outputHeight, y = row % s->outputHeight;
    size_t rows = smallerOf(smallerOf(d->blockRows, rowEnd - row), d->isPointwise ? rowEnd : s->outputHeight - y);
    const float *source = input + row * s->inputWidth * d->inputStride;
    if (!d->isPointwise) {
      source = scratch;
      copyPadded(d, input + image * s->inputHeight * s->inputWidth * d->inputStride, y * s->strideHeight,
                 (rows - 1) * s->strideHeight + (s->kernelHeight - 1) * s->dilationHeight + 1, scratch);
    }
    for (size_t panel = 0; panel < d->panelCount; panel++) {
      const size_t column = panel * VGK_NAME(panelWidth);
      const float *b = packed + panel * panelLength, *next = b + panelLength;
      // A pixel may end with the first register.
      VGK_NAME(Finish) finish = {
        .appliesReLU = appliesReLU, .storesBoth = outputStride - column > VGK_NAME(lanes)};
      for (size_t i = 0; bias && i < 2; i++) {
        const size_t first = column + i * VGK_NAME(lanes);
        if (first < s->outputChannels)
          finish.bias[i] = VGK_NAME(loadFirst)(bias + first, s->outputChannels - first);
      }
      VGK_NAME(multiplyRows)(
        d, source, rows, &runs, b, next, &finish, output + row * s->outputWidth * outputStride + column);
    }
    row += rows;
  }
}

/* Packs some rows of the weights: target[panel][kernel row][kernel column][input channel][panelWidth]. */
static void VGK_NAME(directWeights)(
  const VGKDirect *d, const float *weights, float *target, size_t rowStart, size_t rowEnd) {
  const VGKConvolutionShape *s = &d->shape;
  const size_t rowCount = s->kernelHeight * s->kernelWidth * s->inputChannels, outputs = s->outputChannels;
  for (size_t panel = 0; panel < d->panelCount; panel++)
    for (size_t row = rowStart; row < rowEnd; row++)
      for (size_t column = 0; column < VGK_NAME(panelWidth); column += VGK_NAME(lanes)) {
        const size_t output = panel * VGK_NAME(panelWidth) + column;
        VGK_NAME(vector) v = {0};
        if (output < outputs)
          v = VGK_NAME(loadFirst)(weights + (row - rowStart) * outputs + output, outputs - output);
        VGK_NAME(store)(target + (panel * rowCount + row) * VGK_NAME(panelWidth) + column, v);
      }
}
