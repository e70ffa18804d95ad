#include "fast_common.h"
#include "vgr_code.h"

enum {
  /* Weight rows that are taken at a time. */
  codedGroup = 8,
  /* Columns of a stripe for one row and for several, and how many these are: the sums of a stripe stay in the cache. */
  codedStripe = 4096,
  codedBatchStripe = 512,
  codedBatch = 14,
};

/* The part of a weight row that lies in a stripe, and the input that it is multiplied with if there is one row. */
typedef struct {
  const int8_t *codes, *zeroPoints;
  const float *scales;
  float input;
} CodedRow;

static CodedRow codedRow(const VGKCodedWeights *w, size_t outputCount, size_t row, size_t column, float input) {
  const size_t parameter = row / w->groupLength * outputCount + column, place = row * outputCount + column;
  return (CodedRow){
    .codes = (const int8_t *)w->codes + (w->isPacked ? place / 2 : place),
    .zeroPoints = w->zeroPoints ? w->zeroPoints + parameter : NULL, .scales = w->scales + parameter, .input = input};
}

#define VGK_BODY "fast_coded_dense_body.h"
#include "for_each_isa.h"

/* Adds the products of inputs start ..< end with a stripe of columns to the sums, [rowCount, columnCount]. */
static void addChunk(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input, const VGKCodedWeights *w,
  size_t start, size_t end, size_t column, size_t columnCount, float *sums) {
  if (rowCount == 1) {
    CodedRow rows[VGKDenseChunk];
    size_t count = 0;
    for (size_t i = start; i < end; i++)
      if (input[i] != 0) rows[count++] = codedRow(w, outputCount, i, column, input[i]);
    VGK_SELECT(isa, addCodedRows)(rows, count, w->isPacked, w->zeroPoints != NULL, columnCount, sums);
    return;
  }
  float decoded[codedGroup * codedBatchStripe];
  for (size_t next = start; next < end; next += codedGroup) {
    const size_t count = smallerOf(codedGroup, end - next);
    for (size_t i = 0; i < count; i++) {
      const CodedRow row = codedRow(w, outputCount, next + i, column, 0);
      VGK_SELECT(isa, decodeRow)(&row, w->isPacked, columnCount, decoded + i * columnCount);
    }
    vgk_fast_dense_add(isa, rowCount, count, inputCount, columnCount, input + next, decoded, sums);
  }
}

void vgk_fast_coded_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input,
  const VGKCodedWeights *weights, const float *bias, bool appliesReLU, float *output, size_t columnStart,
  size_t columnEnd) {
  float sums[codedBatch * codedBatchStripe], totals[codedBatch * codedBatchStripe];
  const size_t stripe = rowCount == 1 ? codedStripe : codedBatchStripe;
  size_t rows = 0;
  for (size_t row = 0; row < rowCount; row += rows) {
    // No batch of a single row that is left over: such a row would skip its zeros, others do not.
    rows = smallerOf(rowCount - row, codedBatch);
    if (rowCount - row == codedBatch + 1) rows -= 1;
    for (size_t column = columnStart; column < columnEnd; column += stripe) {
      const size_t columns = smallerOf(columnEnd - column, stripe), count = rows * columns;
      for (size_t i = 0; i < count; i++) totals[i] = 0;
      for (size_t start = 0; start < inputCount; start += VGKDenseChunk) {
        for (size_t i = 0; i < count; i++) sums[i] = 0;
        addChunk(
          isa, rows, inputCount, outputCount, input + row * inputCount, weights, start,
          smallerOf(start + VGKDenseChunk, inputCount), column, columns, sums);
        for (size_t i = 0; i < count; i++) totals[i] += sums[i];
      }
      for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
          const float sum = totals[r * columns + c] + (bias ? bias[column + c] : 0);
          output[(row + r) * outputCount + column + c] = appliesReLU && sum <= 0 ? 0 : sum;
        }
    }
  }
}
