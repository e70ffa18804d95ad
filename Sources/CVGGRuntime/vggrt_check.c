/* Prepares a model: all that keeps a wrong plan or image from giving a wrong class. */
#include "vggrt_internal.h"

/* The plan's numbers lie in memory without gaps, but for the ones that are left out below, and in the same way on all little-endian machines. */
_Static_assert(offsetof(vggrt_layer, kernel_width) == 16 && offsetof(vggrt_layer, input) == 20, "layers have other gaps");
_Static_assert(offsetof(vggrt_layer, table) == 48 && sizeof(vggrt_shape) == 8, "layers have other gaps");
_Static_assert(offsetof(vggrt_map, rows) == 4 && sizeof(vggrt_group) == 12, "maps or groups have gaps");
_Static_assert(
  offsetof(vggrt_model, plan_crc32) - offsetof(vggrt_model, layer_count) == 16, "a model's numbers have gaps");
_Static_assert(sizeof(vggrt_channel) == 12 && sizeof(vggrt_image_header) == 16, "images have gaps");

static uint32_t table_size(const vggrt_layer *layer) {
  switch (layer->kind) {
  case VGGRT_SOFTMAX: return 4 * 256;
  /* What follows may be padding. */
  case VGGRT_NORMALIZATION: return (uint32_t)offsetof(vggrt_normalization, reach) + 1;
  case VGGRT_LOOKUP: return 256;
  default: return 0;
  }
}

uint32_t vggrt_plan_crc32(const vggrt_model *model) {
  uint32_t crc = vggrt_crc32(0, &model->layer_count, 16);
  for (uint32_t i = 0; i < model->layer_count; i++) {
    const vggrt_layer *layer = &model->layers[i];
    crc = vggrt_crc32(crc, layer, 18);
    crc = vggrt_crc32(crc, &layer->input, 28);
    crc = vggrt_crc32(crc, layer->table, table_size(layer));
  }
  for (uint32_t i = 0; i <= model->layer_count; i++) crc = vggrt_crc32(crc, &model->maps[i], 6);
  return vggrt_crc32(crc, model->groups, model->group_count * sizeof(vggrt_group));
}

static int is_within(uint32_t offset, uint32_t count, uint32_t length) {
  return offset <= length && count <= length - offset;
}

/** Whether this program has all that the model needs of what can be left out. */
static int is_built(const vggrt_model *model) {
  int needs = 0;
#ifdef VGGRT_NO_LITERT
  needs |= model->rounding == VGGRT_LITERT;
#endif
#ifdef VGGRT_NO_SHA256
  needs |= model->has_sha256;
#endif
#ifdef VGGRT_NO_NORMALIZATION
  for (uint32_t i = 0; i < model->layer_count; i++) needs |= model->layers[i].kind == VGGRT_NORMALIZATION;
#endif
#ifdef VGGRT_NO_WINOGRAD
  for (uint32_t i = 0; i < model->layer_count; i++) needs |= model->layers[i].encoding == VGGRT_WINOGRAD;
#endif
  (void)model;
  return !needs;
}

/** Whether the plan is the one that was made, and all that it reads is within the image. */
static int is_plan_whole(const vggrt_model *model) {
  if (vggrt_plan_crc32(model) != model->plan_crc32 || !is_built(model)) return 0;
  for (uint32_t i = 0; i < model->layer_count; i++) {
    const vggrt_layer *layer = &model->layers[i];
    if (layer->kind != VGGRT_CONVOLUTION && layer->kind != VGGRT_DENSE) continue;
    const uint32_t channels = layer->output.channels, numbers = (uint32_t)sizeof(vggrt_channel);
    if (!is_within(layer->channels_offset, channels * numbers, model->weights_length)) return 0;
    if (!is_within(layer->weights_offset, layer->weights_length, model->weights_length)) return 0;
    if (layer->encoding != VGGRT_SPARSE && layer->weights_length != channels * vggrt_row_size(layer)) return 0;
    if (model->window_size > 0 && model->window_size < vggrt_least_window(layer)) return 0;
  }
  return 1;
}

static vggrt_status check_header(const vggrt *runtime) {
  const vggrt_model *model = runtime->model;
  if (runtime->weights.length < model->weights_length) return VGGRT_OTHER_WEIGHTS;
  vggrt_image_header header;
  const vggrt_status status = vggrt_read(runtime, 0, &header, (uint32_t)sizeof header);
  if (status != VGGRT_OK) return status;
  const uint8_t *magic = header.magic;
  const int is_image = magic[0] == 'V' && magic[1] == 'G' && magic[2] == 'R' && magic[3] == 'T';
  return is_image && header.version == VGGRT_IMAGE_VERSION && header.length == model->weights_length
        && header.plan_crc32 == model->plan_crc32
    ? VGGRT_OK
    : VGGRT_OTHER_WEIGHTS;
}

/** The digest of the image, part by part, which are read to where the maps are. */
static vggrt_status check_digest(const vggrt *runtime) {
  const vggrt_model *model = runtime->model;
  const uint8_t *image = runtime->weights.memory;
  const uint32_t most = image ? model->weights_length : model->window_size;
  uint8_t digest[32];
  uint32_t crc = 0;
#ifndef VGGRT_NO_SHA256
  vggrt_sha256 sha;
  vggrt_sha256_begin(&sha);
#endif
  for (uint32_t offset = 0, count; offset < model->weights_length; offset += count) {
    count = model->weights_length - offset;
    count = count < most ? count : most;
    const uint8_t *part = image ? image + offset : runtime->arena;
    const vggrt_status status = image ? VGGRT_OK : vggrt_read(runtime, offset, runtime->arena, count);
    if (status != VGGRT_OK) return status;
#ifndef VGGRT_NO_SHA256
    if (model->has_sha256) vggrt_sha256_add(&sha, part, count);
#endif
    if (!model->has_sha256) crc = vggrt_crc32(crc, part, count);
  }
  for (uint32_t i = 0; i < 4; i++) digest[i] = (uint8_t)(crc >> 8 * i);
#ifndef VGGRT_NO_SHA256
  if (model->has_sha256) vggrt_sha256_end(&sha, digest);
#endif
  uint32_t difference = 0;
  for (uint32_t i = 0; i < (model->has_sha256 ? 32u : 4u); i++)
    difference |= (uint32_t)(digest[i] ^ model->weights_digest[i]);
  return difference ? VGGRT_WEIGHTS_DAMAGED : VGGRT_OK;
}

vggrt_status vggrt_check(vggrt *runtime) {
  if (!runtime->model) return VGGRT_NOT_READY;
  runtime->has_output = 0;
  if (!is_plan_whole(runtime->model)) return VGGRT_PLAN_DAMAGED;
  const vggrt_status status = check_header(runtime);
  return status == VGGRT_OK ? check_digest(runtime) : status;
}

static vggrt_status prepare(vggrt *runtime, size_t arena_size, int checks_weights) {
  const vggrt_model *model = runtime->model;
  const vggrt_weights *weights = &runtime->weights;
  if (!is_plan_whole(model)) return VGGRT_PLAN_DAMAGED;
  if (!runtime->arena || arena_size < model->arena_size) return VGGRT_ARENA_TOO_SMALL;
  if (((uintptr_t)runtime->arena | (uintptr_t)weights->memory) % VGGRT_ALIGNMENT) return VGGRT_MISALIGNED;
  if (!weights->memory && !weights->read) return VGGRT_OTHER_WEIGHTS;
  if (!weights->memory && model->window_size == 0) return VGGRT_NO_WINDOW;
  const vggrt_status status = check_header(runtime);
  return status == VGGRT_OK && checks_weights ? check_digest(runtime) : status;
}

vggrt_status vggrt_init(
  vggrt *runtime, const vggrt_model *model, void *arena, size_t arena_size, const vggrt_weights *weights,
  int checks_weights) {
  *runtime = (vggrt){.model = model, .arena = arena, .weights = *weights};
  const vggrt_status status = prepare(runtime, arena_size, checks_weights);
  if (status != VGGRT_OK) runtime->model = NULL;
  return status;
}
