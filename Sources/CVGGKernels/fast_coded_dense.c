#include "fast_common.h"
#include "vgr_code.h"

/* Columns of a stripe, and weight rows that are decoded at a time: they stay in the first cache. */
enum { codedStripe = 512, codedGroup = 8 };

#define VGK_BODY "fast_coded_dense_body.h"
#include "for_each_isa.h"

/* Adds the products of a chunk of inputs with a stripe of columns to the sums, [rowCount, columnCount]. */
static void addChunk(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input,
  const VGKCodedWeights *weights, size_t start, size_t end, size_t column, size_t columnCount, float *sums) {
  float decoded[codedGroup * codedStripe], inputs[codedGroup];
  for (size_t next = start; next < end;) {
    size_t count = 0, first = next;
    for (; count < codedGroup && next < end; next++) {
      if (rowCount == 1 && input[next] == 0) continue;
      VGK_SELECT(isa, decodeRow)(weights, outputCount, next, column, columnCount, decoded + count * columnCount);
      inputs[count] = input[next];
      count += 1;
    }
    const float *x = rowCount == 1 ? inputs : input + first;
    vgk_fast_dense_add(isa, rowCount, count, inputCount, columnCount, x, decoded, sums);
  }
}

void vgk_fast_coded_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const float *input,
  const VGKCodedWeights *weights, const float *bias, bool appliesReLU, float *output, size_t columnStart,
  size_t columnEnd) {
  enum { batch = 14 };
  float sums[batch * codedStripe], totals[batch * codedStripe];
  for (size_t row = 0; row < rowCount; row += batch)
    for (size_t column = columnStart; column < columnEnd; column += codedStripe) {
      const size_t columns = smallerOf(columnEnd - column, codedStripe), rows = smallerOf(rowCount - row, batch);
      for (size_t i = 0; i < rows * columns; i++) totals[i] = 0;
      for (size_t start = 0; start < inputCount; start += VGKDenseChunk) {
        for (size_t i = 0; i < rows * columns; i++) sums[i] = 0;
        addChunk(
          isa, rows, inputCount, outputCount, input + row * inputCount, weights, start,
          smallerOf(start + VGKDenseChunk, inputCount), column, columns, sums);
        for (size_t i = 0; i < rows * columns; i++) totals[i] += sums[i];
      }
      for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
          const float sum = totals[r * columns + c] + (bias ? bias[column + c] : 0);
          output[(row + r) * outputCount + column + c] = appliesReLU && sum <= 0 ? 0 : sum;
        }
    }
}
