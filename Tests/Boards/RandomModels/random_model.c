#include "random_model.h"

#include <string.h>

#include "CVGGRules.h"
#include "vgk_reference_integer.h"
#include "vggrt_expand.h"

uint32_t random_below(random_model *m, uint32_t bound) {
  m->state ^= m->state << 13;
  m->state ^= m->state >> 17;
  m->state ^= m->state << 5;
  return (m->state >> 8) % bound;
}

static int8_t random_code(random_model *m) { return (int8_t)((int32_t)random_below(m, 256) - 128); }

static uint32_t size_of(const vggrt_shape *shape) { return (uint32_t)shape->height * shape->width * shape->channels; }

/** Room for `count` bytes in the image. */
static uint32_t take(random_model *m, uint32_t count) {
  const uint32_t offset = m->model.weights_length;
  m->model.weights_length = (offset + count + 3) & ~3u;
  return offset;
}

/** As many outputs as any rounding gives: a window begins before the map's end. */
static uint16_t random_extent(random_model *m, uint32_t input, uint32_t padding, uint32_t stride) {
  const uint32_t most = (input - 1 + padding) / stride + 1, limited = most < MOST_ROWS ? most : MOST_ROWS;
  return (uint16_t)(random_below(m, 4) ? limited : 1 + random_below(m, limited));
}

/** Often a few, or a multiple of four; as many as the map has room for. */
static uint32_t random_channels(random_model *m, const vggrt_shape *shape) {
  const uint32_t room = (uint32_t)MAP_SIZE / ((uint32_t)shape->height * shape->width);
  const uint32_t most = room < MOST_CHANNELS ? room : MOST_CHANNELS;
  const uint32_t count = 1 + random_below(m, random_below(m, 2) && most > 10 ? 10 : most);
  return random_below(m, 2) && count > 4 ? count & ~3u : count;
}

/** Sometimes a window as VGG has it. */
static void make_window(random_model *m, vggrt_layer *layer, int isConvolution) {
  const int is3x3 = isConvolution && random_below(m, 2);
  layer->kernel_height = (uint16_t)(is3x3 ? 3 : 1 + random_below(m, 4));
  layer->kernel_width = (uint16_t)(is3x3 ? 3 : 1 + random_below(m, 4));
  layer->padding_top = (uint16_t)(is3x3 ? random_below(m, 2) : random_below(m, layer->kernel_height));
  layer->padding_left = (uint16_t)(is3x3 ? random_below(m, 2) : random_below(m, layer->kernel_width));
  layer->stride_height = (uint8_t)(is3x3 ? 1 : 1 + random_below(m, 3));
  layer->stride_width = (uint8_t)(is3x3 ? 1 : 1 + random_below(m, 3));
  layer->dilation_height = (uint8_t)(isConvolution && !is3x3 ? 1 + random_below(m, 2) : 1);
  layer->dilation_width = (uint8_t)(isConvolution && !is3x3 ? 1 + random_below(m, 2) : 1);
  layer->output.height = random_extent(m, layer->input.height, layer->padding_top, layer->stride_height);
  layer->output.width = random_extent(m, layer->input.width, layer->padding_left, layer->stride_width);
}

/** Adds the weights of an output to the image. */
static void encode(random_model *m, const vggrt_layer *layer, const int8_t *row, uint32_t inputs) {
  if (layer->encoding == VGGRT_PLAIN) memcpy(m->image + take(m, inputs), row, inputs);
  if (layer->encoding == VGGRT_WINOGRAD) {
    int16_t expanded[16 * MOST_CHANNELS];
    const uint32_t size = 32 * layer->input.channels;
    vggrt_winograd_row(row, layer->input.channels, expanded);
    memcpy(m->image + take(m, size), expanded, size);
  }
  if (layer->encoding != VGGRT_SPARSE) return;
  const uint32_t begin = m->model.weights_length;
  uint32_t end = begin + 4, bitmap = 0;
  for (uint32_t i = 0; i < inputs; i++) {
    if (i % 256 == 0) {
      const uint32_t rest = inputs - i < 256 ? inputs - i : 256;
      bitmap = end;
      end += (rest + 7) / 8;
    }
    if (row[i] == 0) continue;
    uint8_t *byte = &m->image[bitmap + i % 256 / 8];
    *byte = (uint8_t)(*byte | 1u << (i & 7));
    m->image[end++] = (uint8_t)row[i];
  }
  const uint32_t length = end - begin - 4;
  memcpy(m->image + begin, &length, 4);
  take(m, end - begin);
}

/** The numbers and weights of a layer: random, in the image for vggrt and in the other order for the reference. */
static void run_products(random_model *m, vggrt_layer *layer, const int8_t *input, int8_t *output) {
  static int8_t weights[IMAGE_SIZE];
  static int32_t biases[MOST_CHANNELS];
  static float scales[MOST_CHANNELS];
  static VGRMultiplier multipliers[MOST_CHANNELS];
  const uint32_t outputs = layer->output.channels;
  const uint32_t inputs = layer->kind == VGGRT_DENSE
    ? size_of(&layer->input)
    : (uint32_t)layer->kernel_height * layer->kernel_width * layer->input.channels;
  layer->channels_offset = take(m, outputs * (uint32_t)sizeof(vggrt_channel));
  layer->weights_offset = m->model.weights_length;
  for (uint32_t o = 0; o < outputs; o++) {
    int8_t row[4 * 4 * MOST_CHANNELS > MAP_SIZE ? 4 * 4 * MOST_CHANNELS : MAP_SIZE];
    int32_t sum = 0;
    for (uint32_t i = 0; i < inputs; i++) {
      row[i] = layer->encoding == VGGRT_SPARSE && random_below(m, 4) ? 0 : random_code(m);
      weights[i * outputs + o] = row[i];
      sum += row[i];
    }
    encode(m, layer, row, inputs);
    /* Outputs are spread over the codes, and now and then beyond. */
    double scale = 1.0 / (1 + random_below(m, 40) + inputs * 4);
    biases[o] = (int32_t)random_below(m, 20001) - 10000;
    scales[o] = (float)scale;
    multipliers[o] = vgr_tflm_multiplier(scale);
    vggrt_channel channel = {.bias = biases[o] - layer->input_zero_point * sum};
    if (m->model.rounding == VGGRT_LITERT) channel.factor.scale = scales[o];
    else {
      channel.factor.multiplier = multipliers[o].multiplier;
      channel.shift = multipliers[o].shift;
    }
    memcpy(m->image + layer->channels_offset + o * sizeof channel, &channel, sizeof channel);
  }
  layer->weights_length = m->model.weights_length - layer->weights_offset;
  const VGKRequantization requantization = {
    .rounding = m->model.rounding == VGGRT_LITERT ? VGKRoundingLitert : VGKRoundingTflm,
    .scales = scales, .multipliers = multipliers, .zeroPoint = layer->output_zero_point, .low = layer->low,
    .high = layer->high};
  if (layer->kind == VGGRT_DENSE) {
    vgk_reference_integer_dense(
      1, inputs, outputs, input, layer->input_zero_point, weights, biases, &requantization, output, 0, outputs);
    return;
  }
  const VGKConvolutionShape shape = {
    layer->input.height, layer->input.width, layer->input.channels, layer->output.height, layer->output.width, outputs,
    layer->kernel_height, layer->kernel_width, layer->stride_height, layer->stride_width, layer->padding_top,
    layer->padding_left, layer->dilation_height, layer->dilation_width};
  vgk_reference_integer_convolution(
    &shape, input, layer->input_zero_point, weights, biases, &requantization, output, 0, layer->output.height);
}

static void run_pooling(const vggrt_layer *layer, const int8_t *input, int8_t *output) {
  const VGKPoolingShape shape = {
    .inputHeight = layer->input.height, .inputWidth = layer->input.width, .channels = layer->input.channels,
    .outputHeight = layer->output.height, .outputWidth = layer->output.width, .kernelHeight = layer->kernel_height,
    .kernelWidth = layer->kernel_width, .strideHeight = layer->stride_height, .strideWidth = layer->stride_width,
    .paddingHeight = layer->padding_top, .paddingWidth = layer->padding_left};
  const VGKPooling kind = layer->kind == VGGRT_MAXIMUM_POOLING ? VGKPoolingMaximum : VGKPoolingAverage;
  vgk_reference_integer_pooling(&shape, kind, input, output, 0, layer->output.height);
}

static void run_elements(random_model *m, vggrt_layer *layer, uint32_t index, const int8_t *input, int8_t *output) {
  const uint32_t channels = layer->input.channels, pixels = size_of(&layer->input) / channels;
  vggrt_normalization *rule = &m->normalizations[index];
  layer->table = layer->kind == VGGRT_NORMALIZATION ? (const void *)rule : &m->tables[index];
  *rule = (vggrt_normalization){
    .k = 1 + random_below(m, 3), .unit = random_below(m, 100) * 1e-6, .scale_ratio = 0.5 + random_below(m, 8) * 0.3,
    .quarters = (uint8_t)(1 + random_below(m, 16)), .reach = (uint8_t)random_below(m, 4)};
  if (layer->kind == VGGRT_LOOKUP)
    for (uint32_t i = 0; i < 256; i++) m->tables[index].codes[i] = random_code(m);
  if (layer->kind == VGGRT_SOFTMAX && m->model.rounding == VGGRT_TFLM)
    vgr_tflm_softmax_table(0.002f + 0.01f * (float)random_below(m, 20), m->tables[index].integers);
  if (layer->kind == VGGRT_SOFTMAX && m->model.rounding == VGGRT_LITERT)
    for (uint32_t i = 0; i < 256; i++)
      m->tables[index].floats[i] = i == 0 ? 1 : m->tables[index].floats[i - 1] * 0.97f;
  for (uint32_t pixel = 0; pixel < pixels; pixel++, input += channels, output += channels)
    switch (layer->kind) {
    case VGGRT_LOOKUP:
      for (uint32_t i = 0; i < channels; i++) output[i] = m->tables[index].codes[input[i] + 128];
      break;
    case VGGRT_SOFTMAX:
      if (m->model.rounding == VGGRT_TFLM) vgr_softmax_tflm(m->tables[index].integers, input, output, channels);
      else vgr_softmax_litert(m->tables[index].floats, input, output, channels);
      break;
    default:
      for (int32_t i = 0; i < (int32_t)channels; i++) {
        int32_t sum = 0;
        for (int32_t j = 0; j < (int32_t)channels; j++) {
          const int32_t difference = input[j] - layer->input_zero_point, distance = i > j ? i - j : j - i;
          if (distance <= rule->reach) sum += difference * difference;
        }
        const float factor =
          vgr_normalization_factor(rule->k, rule->unit, rule->scale_ratio, rule->quarters, sum);
        output[i] = (int8_t)vgr_requantize_litert(
          input[i] - layer->input_zero_point, factor, layer->output_zero_point, -128, 127);
      }
    }
}

static void make_layer(random_model *m, uint32_t index, vggrt_shape shape, int8_t zeroPoint, uint32_t kind) {
  vggrt_layer *layer = &m->layers[index];
  *layer = (vggrt_layer){
    .kind = (uint8_t)kind, .input = shape, .output = shape, .input_zero_point = zeroPoint, .stride_height = 1,
    .stride_width = 1, .dilation_height = 1, .dilation_width = 1, .kernel_height = 1, .kernel_width = 1, .low = -128,
    .high = 127};
  layer->output_zero_point = random_code(m);
  const int8_t *input = m->expected[index];
  int8_t *output = m->expected[index + 1];
  switch (kind) {
  case VGGRT_CONVOLUTION:
    make_window(m, layer, 1);
    layer->output.channels = random_channels(m, &layer->output);
    if (random_below(m, 2)) layer->low = layer->output_zero_point;
    if (vggrt_winograd_suits(layer) && random_below(m, 4)) layer->encoding = VGGRT_WINOGRAD;
    run_products(m, layer, input, output);
    break;
  case VGGRT_DENSE:
    layer->output = (vggrt_shape){1, 1, 1 + random_below(m, 16)};
    layer->encoding = random_below(m, 2) ? VGGRT_SPARSE : VGGRT_PLAIN;
    run_products(m, layer, input, output);
    break;
  case VGGRT_MAXIMUM_POOLING:
  case VGGRT_AVERAGE_POOLING:
    make_window(m, layer, 0);
    layer->output_zero_point = zeroPoint;
    run_pooling(layer, input, output);
    break;
  default: run_elements(m, layer, index, input, output);
  }
}

void random_model_make(random_model *m, uint32_t seed) {
  m->state = seed * 2654435769u + 1;
  for (uint32_t i = 0; i < 8; i++) random_below(m, 2);
  memset(m->image, 0, sizeof m->image);
  m->model = (vggrt_model){
    .layers = m->layers, .maps = m->maps, .groups = m->groups, .rounding = (uint8_t)random_below(m, 2),
    .has_sha256 = (uint8_t)random_below(m, 2), .weights_length = sizeof(vggrt_image_header)};
  vggrt_shape shape = {(uint16_t)(1 + random_below(m, MOST_ROWS)), (uint16_t)(1 + random_below(m, MOST_ROWS)), 0};
  shape.channels = random_channels(m, &shape);
  int8_t zeroPoint = random_code(m);
  for (uint32_t i = 0; i < size_of(&shape); i++) m->expected[0][i] = random_code(m);
  static const uint8_t kinds[] = {
    VGGRT_CONVOLUTION, VGGRT_CONVOLUTION, VGGRT_CONVOLUTION, VGGRT_MAXIMUM_POOLING, VGGRT_AVERAGE_POOLING,
    VGGRT_NORMALIZATION, VGGRT_LOOKUP};
  const uint32_t rowLayers = random_below(m, 6), denseLayers = random_below(m, 3);
  const uint32_t count = rowLayers + denseLayers > 0 ? rowLayers + denseLayers : 1;
  for (uint32_t i = 0; i < count; i++) {
    make_layer(m, i, shape, zeroPoint, i < rowLayers ? kinds[random_below(m, sizeof kinds)] : VGGRT_DENSE);
    shape = m->layers[i].output;
    zeroPoint = m->layers[i].output_zero_point;
  }
  m->model.layer_count = (uint8_t)count;
  if (random_below(m, 2)) {
    make_layer(m, count, shape, zeroPoint, VGGRT_SOFTMAX);
    m->model.layer_count += 1;
  }
}
