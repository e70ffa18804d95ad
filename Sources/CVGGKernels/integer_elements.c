#include <string.h>

#include "integer_common.h"

/* The part of a window along one axis that lies in the image. */
typedef struct {
  size_t start, end;
} Window;

static inline Window pooledWindow(size_t index, size_t kernel, size_t stride, size_t padding, size_t count) {
  const size_t first = index * stride, last = first + kernel;
  return (Window){
    .start = first > padding ? smallerOf(first - padding, count) : 0,
    .end = last > padding ? smallerOf(last - padding, count) : 0};
}

#define VGK_BODY "integer_elements_body.h"
#include "for_each_integer_isa.h"

void vgk_integer_pooling(
  VGKISA isa, const VGKPoolingShape *shape, VGKPooling kind, const int8_t *input, int8_t *output, size_t rowStart,
  size_t rowEnd) {
  VGK_SELECT(isa, pooling)(shape, kind, input, output, rowStart, rowEnd);
}

void vgk_integer_quantize(
  VGKISA isa, const float *values, size_t count, float scale, int32_t zeroPoint, int8_t *codes) {
  VGK_SELECT(isa, quantize)(values, count, scale, zeroPoint, codes);
}

void vgk_integer_dequantize(
  VGKISA isa, const int8_t *codes, size_t count, float scale, int32_t zeroPoint, float *values) {
  VGK_SELECT(isa, dequantize)(codes, count, scale, zeroPoint, values);
}
