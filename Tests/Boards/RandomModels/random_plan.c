#include <string.h>

#include "random_model.h"

/** The first row of the input that the output row `y` needs, and one past the last. */
static uint32_t first_row(const vggrt_layer *layer, uint32_t y) {
  const uint32_t start = y * layer->stride_height;
  return start > layer->padding_top ? start - layer->padding_top : 0;
}

static uint32_t end_row(const vggrt_layer *layer, uint32_t rows) {
  if (rows == 0) return 0;
  const int32_t end = (int32_t)(rows - 1) * layer->stride_height - layer->padding_top
    + (layer->kernel_height - 1) * layer->dilation_height + 1;
  return end < 0 ? 0 : end > layer->input.height ? layer->input.height : (uint32_t)end;
}

/** The rows of the layer's output that there are as soon as `rows` of the group's are. */
static uint32_t rows_after(const random_model *m, const vggrt_group *group, uint32_t index, uint32_t rows) {
  for (uint32_t later = group->first + group->count - 1u; later > index; later--)
    rows = end_row(&m->layers[later], rows);
  return rows;
}

/** The rows that a ring within a group needs: from the first one that is computed in a strip or that the layer behind it still needs, to the
    last one. */
static uint32_t ring_rows(const random_model *m, const vggrt_group *group, uint32_t index) {
  const uint32_t height = m->layers[group->first + group->count - 1].output.height;
  uint32_t most = 1;
  for (uint32_t done = 0; done < height; done += group->strip) {
    const uint32_t next = done + group->strip < height ? done + group->strip : height;
    const uint32_t needed = first_row(&m->layers[index + 1], rows_after(m, group, index + 1, done));
    const uint32_t computed = rows_after(m, group, index, done), end = rows_after(m, group, index, next);
    const uint32_t first = needed < computed ? needed : computed;
    if (end > first && end - first > most) most = end - first;
  }
  return most;
}

/** Room in the arena that may be written, with some around it that may not. */
static uint32_t place(random_model *m, uint32_t count, uint32_t alignment) {
  uint32_t offset = m->model.arena_size + 1 + random_below(m, 32);
  offset = (offset + alignment - 1) / alignment * alignment;
  memset(m->isUsed + offset, 1, count);
  m->model.arena_size = offset + count;
  return offset;
}

static void place_map(random_model *m, uint32_t map, uint32_t rows) {
  const vggrt_shape *shape = map > 0 ? &m->layers[map - 1].output : &m->layers[0].input;
  m->maps[map].rows = (uint16_t)rows;
  /* Layers of elements may write over what they read. */
  const uint32_t kind = map > 0 ? m->layers[map - 1].kind : VGGRT_CONVOLUTION;
  const int isInPlace = kind == VGGRT_SOFTMAX || kind == VGGRT_LOOKUP;
  m->maps[map].offset = isInPlace && m->maps[map - 1].rows == rows
    ? m->maps[map - 1].offset
    : place(m, rows * shape->width * shape->channels, VGGRT_ALIGNMENT);
}

void random_model_plan(random_model *m) {
  memset(m->isUsed, 0, sizeof m->isUsed);
  m->model.arena_size = 0;
  m->model.group_count = 0;
  m->model.window_size = 0;
  uint32_t largest = 0;
  for (uint32_t i = 0; i < m->model.layer_count; i++) {
    const uint32_t needed = vggrt_least_window(&m->layers[i]), all = m->layers[i].weights_length;
    m->model.window_size = needed > m->model.window_size ? needed : m->model.window_size;
    largest = all > largest ? all : largest;
  }
  m->model.window_size += 16 + random_below(m, largest + 64);
  const uint32_t window = place(m, m->model.window_size, VGGRT_ALIGNMENT);
  place_map(m, 0, m->layers[0].input.height);
  for (uint32_t first = 0; first < m->model.layer_count;) {
    vggrt_group *group = &m->groups[m->model.group_count++];
    uint32_t end = first + 1;
    while (m->layers[first].kind != VGGRT_DENSE && end < m->model.layer_count && m->layers[end].kind != VGGRT_DENSE
           && random_below(m, 4))
      end++;
    *group = (vggrt_group){.first = (uint8_t)first, .count = (uint8_t)(end - first)};
    const uint32_t height = m->layers[end - 1].output.height;
    group->strip = (uint16_t)(1 + random_below(m, height));
    uint32_t scratch = 0;
    for (uint32_t i = first; i < end; i++) {
      const uint32_t needed = vggrt_scratch_size(&m->layers[i]);
      scratch = needed > scratch ? needed : scratch;
      place_map(m, i + 1, i + 1 < end ? ring_rows(m, group, i) : height);
    }
    group->scratch_offset = place(m, scratch, VGGRT_ALIGNMENT);
    group->window_offset = window;
    first = end;
  }
}

void random_model_sign(random_model *m) {
  m->model.plan_crc32 = vggrt_plan_crc32(&m->model);
  const vggrt_image_header header = {
    {'V', 'G', 'R', 'T'}, VGGRT_IMAGE_VERSION, m->model.weights_length, m->model.plan_crc32};
  memcpy(m->image, &header, sizeof header);
  const uint32_t crc = vggrt_crc32(0, m->image, m->model.weights_length);
  memcpy(m->model.weights_digest, &crc, sizeof crc);
  if (!m->model.has_sha256) return;
  vggrt_sha256 sha;
  vggrt_sha256_begin(&sha);
  vggrt_sha256_add(&sha, m->image, m->model.weights_length);
  vggrt_sha256_end(&sha, m->model.weights_digest);
}
