#include "integer_common.h"

enum {
  /* Inputs whose operands are made at a time, and of them, how many weight rows are read at a time. */
  denseChunk = 256,
  denseGroup = 8,
  /* Columns of a stripe for one row and for several, and how many these are. */
  denseStripe = 4096,
  denseBatchStripe = 512,
  denseBatch = 8,
};

/* Where sums go: to codes, or as they are. */
typedef struct {
  const int32_t *bias;
  const VGKRequantization *requantization;
  int8_t *codes;
  int32_t *accumulators;
} DenseOutput;

#define VGK_BODY "integer_dense_body.h"
#include "for_each_integer_isa.h"

void vgk_integer_dense(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t inputZeroPoint,
  const int8_t *weights, const int32_t *bias, const VGKRequantization *requantization, int8_t *output,
  size_t columnStart, size_t columnEnd) {
  const DenseOutput target = {.bias = bias, .requantization = requantization, .codes = output};
  VGK_SELECT(isa, dense)
  (rowCount, inputCount, outputCount, input, inputZeroPoint, weights, &target, columnStart, columnEnd);
}

void vgk_integer_dense_accumulators(
  VGKISA isa, size_t rowCount, size_t inputCount, size_t outputCount, const int8_t *input, int32_t inputZeroPoint,
  const int8_t *weights, const int32_t *bias, int32_t *accumulators, size_t columnStart, size_t columnEnd) {
  const DenseOutput target = {.bias = bias, .accumulators = accumulators};
  VGK_SELECT(isa, dense)
  (rowCount, inputCount, outputCount, input, inputZeroPoint, weights, &target, columnStart, columnEnd);
}
