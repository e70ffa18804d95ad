#include "random_models.h"

#include <string.h>

#include "random_model.h"

static random_model m;

/** What the observer was told. */
typedef struct {
  uint32_t rows[MOST_LAYERS];
  int isWrong;
} observation;

static void observe(void *context, uint32_t layer, const int8_t *row, uint32_t count) {
  observation *seen = context;
  const vggrt_shape *shape = &m.layers[layer].output;
  if (count != shape->width * shape->channels || seen->rows[layer] >= shape->height
      || memcmp(row, m.expected[layer + 1] + seen->rows[layer] * count, count) != 0)
    seen->isWrong = 1;
  seen->rows[layer] += 1;
}

/** Reads, and fails when the countdown ends. */
static int read_image(void *context, uint32_t offset, void *destination, uint32_t count) {
  uint32_t *countdown = context;
  if (*countdown == 0) return 1;
  *countdown -= 1;
  memcpy(destination, m.image + offset, count);
  return 0;
}

static uint8_t poison(uint32_t i) { return (uint8_t)(i * 167 + 13); }

static const char *run(const vggrt_weights *weights, int checks) {
  for (uint32_t i = 0; i < sizeof m.arena; i++) m.arena[i] = poison(i);
  vggrt runtime;
  if (vggrt_init(&runtime, &m.model, m.arena, m.model.arena_size, weights, 0) != VGGRT_OK) return "is not prepared";
  const vggrt_shape *shape = &m.layers[0].input, *last = &m.layers[m.model.layer_count - 1].output;
  memcpy(vggrt_input(&runtime), m.expected[0], (size_t)shape->height * shape->width * shape->channels);
  observation seen = {{0}, 0};
  vggrt_observe(&runtime, observe, &seen);
  const vggrt_status status = vggrt_run(&runtime);
  if (status != VGGRT_OK) {
    const int isRight = status == VGGRT_READ_FAILED && !weights->memory && !vggrt_output(&runtime);
    return isRight ? "cannot read" : "has the wrong status";
  }
  if (seen.isWrong) return "has a wrong row";
  if (seen.rows[m.model.layer_count - 1] != last->height) return "leaves out a row";
  const size_t count = (size_t)last->height * last->width * last->channels;
  if (memcmp(vggrt_output(&runtime), m.expected[m.model.layer_count], count) != 0) return "has a wrong output";
  for (uint32_t i = 0; i < sizeof m.arena; i++)
    if (!m.isUsed[i] && m.arena[i] != poison(i)) return "writes where it must not";
  return checks && vggrt_check(&runtime) != VGGRT_OK ? "does not know its weights" : NULL;
}

static const char *check(uint32_t number) {
  random_model_make(&m, number);
  random_model_plan(&m);
  if (m.model.arena_size > ARENA_SIZE || m.model.weights_length > IMAGE_SIZE) return "is too large";
  random_model_sign(&m);
  const vggrt_weights memory = {.memory = m.image, .length = m.model.weights_length};
  const char *problem = run(&memory, 1);
  if (problem) return problem;
  uint32_t countdown = UINT32_MAX;
  const vggrt_weights stream = {.read = read_image, .context = &countdown, .length = m.model.weights_length};
  problem = run(&stream, 1);
  if (problem) return problem;
  /* The header is the first thing that is read: a failure after that is one of the run. */
  const uint32_t reads = UINT32_MAX - countdown;
  countdown = UINT32_MAX;
  run(&stream, 0);
  const uint32_t readsOfRun = UINT32_MAX - countdown - 1;
  if (reads <= readsOfRun) return "does not read when it checks";
  if (readsOfRun == 0) return NULL;
  countdown = 1 + random_below(&m, readsOfRun);
  problem = run(&stream, 0);
  return problem && strcmp(problem, "cannot read") == 0 ? NULL : "goes on without weights";
}

uint32_t random_models_check(uint32_t first, uint32_t count, const char **problem) {
  for (uint32_t i = 0; i < count; i++) {
    *problem = check(first + i);
    if (*problem) return i;
  }
  return count;
}
