#include <string.h>

#include "random_model.h"
#include "random_models.h"

/* Larger than a board's stack. */
static random_model m;
static vggrt runtime;

static int fail(void *context, uint32_t offset, void *destination, uint32_t count) {
  (void)context, (void)offset, (void)destination, (void)count;
  return 1;
}

static int read_image(void *context, uint32_t offset, void *destination, uint32_t count) {
  (void)context;
  memcpy(destination, m.image + offset, count);
  return 0;
}

static vggrt_weights in_memory(void) { return (vggrt_weights){.memory = m.image, .length = m.model.weights_length}; }

/** Whether a model gets this status, and then neither runs nor has an output. */
static int is_refused(vggrt_status status, const vggrt_weights *weights, uint32_t offset, uint32_t size) {
  if (vggrt_init(&runtime, &m.model, m.arena + offset, size, weights, 1) != status) return 0;
  return vggrt_run(&runtime) == VGGRT_NOT_READY && vggrt_check(&runtime) == VGGRT_NOT_READY && !vggrt_input(&runtime)
    && !vggrt_output(&runtime);
}

/** Whether the model is refused with this byte of the image changed, whatever the bit. */
static int is_change_refused(vggrt_status status, uint32_t offset) {
  const vggrt_weights weights = in_memory(), stream = {.read = read_image, .length = m.model.weights_length};
  for (uint32_t bit = 0; bit < 8; bit++) {
    m.image[offset] ^= (uint8_t)(1u << bit);
    const int isRefused = is_refused(status, &weights, 0, m.model.arena_size)
      && is_refused(status, &stream, 0, m.model.arena_size);
    m.image[offset] ^= (uint8_t)(1u << bit);
    if (!isRefused) return 0;
  }
  return 1;
}

/** Whether the model is refused with one bit of a part of its plan changed. */
static int is_plan_change_refused(void *part) {
  const vggrt_weights weights = in_memory();
  uint8_t *byte = part;
  *byte ^= 1;
  const int isRefused = is_refused(VGGRT_PLAN_DAMAGED, &weights, 0, m.model.arena_size);
  *byte ^= 1;
  return isRefused;
}

static const char *check_plan(void) {
  /* Numbers, and the last bytes of tables. */
  vggrt_layer *layer = &m.layers[0], *last = &m.layers[m.model.layer_count - 1];
  void *parts[] = {
    &layer->kind, &layer->input_zero_point, &layer->stride_height, &layer->padding_top, &layer->output.width,
    &layer->weights_offset, &m.maps[0].offset, &m.maps[m.model.layer_count].rows, &m.groups[0].strip,
    &m.groups[m.model.group_count - 1].window_offset, &m.model.arena_size, &m.model.weights_length,
    &m.model.window_size, &m.model.rounding, (uint8_t *)&m.tables[last - layer] + 1023};
  for (uint32_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (!is_plan_change_refused(parts[i])) return "a changed plan is taken";
  return NULL;
}

static const char *check_image(void) {
  if (!is_change_refused(VGGRT_OTHER_WEIGHTS, 0)) return "another kind of file is taken";
  if (!is_change_refused(VGGRT_OTHER_WEIGHTS, 4)) return "another version is taken";
  if (!is_change_refused(VGGRT_OTHER_WEIGHTS, 8)) return "another length is taken";
  if (!is_change_refused(VGGRT_OTHER_WEIGHTS, 12)) return "the weights of another model are taken";
  if (!is_change_refused(VGGRT_WEIGHTS_DAMAGED, 16)) return "a changed byte is not noticed";
  if (!is_change_refused(VGGRT_WEIGHTS_DAMAGED, m.model.weights_length - 1)) return "a changed last byte is not noticed";
  vggrt_weights weights = in_memory();
  uint8_t *last = &m.model.weights_digest[m.model.has_sha256 ? 31 : 3];
  *last ^= 1;
  const int isRefused = is_refused(VGGRT_WEIGHTS_DAMAGED, &weights, 0, m.model.arena_size);
  *last ^= 1;
  if (!isRefused) return "another digest is taken";
  weights.length -= 1;
  return is_refused(VGGRT_OTHER_WEIGHTS, &weights, 0, m.model.arena_size) ? NULL : "a short image is taken";
}

static const char *check_memory(void) {
  const vggrt_weights weights = in_memory();
  const uint32_t size = m.model.arena_size;
  if (!is_refused(VGGRT_ARENA_TOO_SMALL, &weights, 0, size - 1)) return "an arena that is too small is taken";
  if (!is_refused(VGGRT_MISALIGNED, &weights, 8, size)) return "an arena that is not aligned is taken";
  const vggrt_weights misaligned = {.memory = m.image + 4, .length = m.model.weights_length};
  if (!is_refused(VGGRT_MISALIGNED, &misaligned, 0, size)) return "weights that are not aligned are taken";
  const vggrt_weights none = {.length = m.model.weights_length};
  if (!is_refused(VGGRT_OTHER_WEIGHTS, &none, 0, size)) return "no weights are taken for some";
  const vggrt_weights unreadable = {.read = fail, .length = m.model.weights_length};
  return is_refused(VGGRT_READ_FAILED, &unreadable, 0, size) ? NULL : "weights that cannot be read are taken";
}

/** A model that ran has an output; one whose weights cannot be read any more has none, and one again when they can. */
static const char *check_run(void) {
  const vggrt_weights stream = {.read = read_image, .length = m.model.weights_length};
  if (vggrt_init(&runtime, &m.model, m.arena, m.model.arena_size, &stream, 1) != VGGRT_OK) return "is not prepared";
  if (vggrt_output(&runtime)) return "has an output before it ran";
  if (vggrt_run(&runtime) != VGGRT_OK || !vggrt_output(&runtime)) return "does not run";
  runtime.weights.read = fail;
  if (vggrt_run(&runtime) != VGGRT_READ_FAILED || vggrt_output(&runtime)) return "has the output of an earlier run";
  if (vggrt_check(&runtime) != VGGRT_READ_FAILED) return "checks without weights";
  runtime.weights.read = read_image;
  if (vggrt_run(&runtime) != VGGRT_OK || !vggrt_output(&runtime)) return "does not run again";
  return vggrt_check(&runtime) == VGGRT_OK && !vggrt_output(&runtime) ? NULL : "has an output that a check overwrote";
}

/** Wrong lengths of rows of sparse weights are noticed by a run, even if no digest was checked. */
static const char *check_sparse(void) {
  for (uint32_t i = 0; i < m.model.layer_count; i++) {
    if (m.layers[i].encoding != VGGRT_SPARSE) continue;
    uint8_t *place = m.image + m.layers[i].weights_offset;
    uint32_t length;
    memcpy(&length, place, 4);
    const uint32_t wrong[] = {0, length - 1, length + 1, length + 4, UINT32_MAX - 2, UINT32_MAX};
    const vggrt_weights memory = in_memory(), stream = {.read = read_image, .length = m.model.weights_length};
    int isNoticed = 1;
    for (uint32_t j = 0; j < 12; j++) {
      memcpy(place, &wrong[j / 2], 4);
      const vggrt_weights *weights = j % 2 ? &stream : &memory;
      isNoticed = isNoticed && vggrt_init(&runtime, &m.model, m.arena, m.model.arena_size, weights, 0) == VGGRT_OK
        && vggrt_run(&runtime) == VGGRT_WEIGHTS_DAMAGED && !vggrt_output(&runtime);
    }
    memcpy(place, &length, 4);
    if (!isNoticed) return "a wrong length of a row is not noticed";
  }
  return NULL;
}

/** A model that was made for weights in memory takes no others. */
static const char *check_window(void) {
  m.model.window_size = 0;
  random_model_sign(&m);
  const vggrt_weights stream = {.read = read_image, .length = m.model.weights_length}, memory = in_memory();
  if (!is_refused(VGGRT_NO_WINDOW, &stream, 0, m.model.arena_size)) return "reads to a window that it has not";
  return vggrt_init(&runtime, &m.model, m.arena, m.model.arena_size, &memory, 1) == VGGRT_OK
    ? NULL
    : "needs a window for weights in memory";
}

const char *random_models_check_refusals(uint32_t number) {
  /* A model with weights, and a softmax at the end. */
  do {
    random_model_make(&m, number++);
  } while (m.model.weights_length < 100 || m.layers[m.model.layer_count - 1].kind != VGGRT_SOFTMAX);
  random_model_plan(&m);
  random_model_sign(&m);
  const char *problem = check_plan();
  if (!problem) problem = check_image();
  if (!problem) problem = check_memory();
  if (!problem) problem = check_run();
  if (!problem) problem = check_sparse();
  return problem ? problem : check_window();
}
