/*
 * The self-test: runs the input that came with the model, and compares each layer's output with what it was where the model was made.
 *
 * With VGGRT_NO_MAIN this is only `vggrt_selftest`, for a board to call when it starts. Otherwise it is a program too:
 *
 *   selftest                  0 if every layer is right; else it names the first wrong one, or says what else is wrong, and returns 1
 *   selftest INPUT OUTPUT     reads the codes of an input from a file and writes those of the output to another one
 *
 * Weights that are not part of the program it gets from the file model_weights.bin in the current folder.
 */
#include "model.h"
#include "vggrt.h"

typedef struct {
  uint32_t crcs[VGGRT_MODEL_LAYER_COUNT];
} outputs;

static void add_row(void *context, uint32_t layer, const int8_t *row, uint32_t count) {
  outputs *found = context;
  found->crcs[layer] = vggrt_crc32(found->crcs[layer], row, count);
}

vggrt_status vggrt_selftest(vggrt *runtime, uint32_t *wrong_layer) {
  int8_t *input = vggrt_input(runtime);
  if (!input) return VGGRT_NOT_READY;
  for (uint32_t i = 0; i < VGGRT_MODEL_INPUT_SIZE; i++) input[i] = vggrt_selftest_input[i];
  outputs found = {{0}};
  const vggrt_observer observer = runtime->observer;
  void *const context = runtime->observer_context;
  vggrt_observe(runtime, add_row, &found);
  vggrt_status status = vggrt_run(runtime);
  vggrt_observe(runtime, observer, context);
  for (uint32_t i = 0; status == VGGRT_OK && i < VGGRT_MODEL_LAYER_COUNT; i++)
    if (found.crcs[i] != vggrt_selftest_crc32[i]) {
      *wrong_layer = i;
      status = VGGRT_WRONG_OUTPUT;
    }
  return status;
}

#ifndef VGGRT_NO_MAIN

#include <stdio.h>

static _Alignas(VGGRT_ALIGNMENT) uint8_t arena[VGGRT_MODEL_ARENA_SIZE];

#if VGGRT_MODEL_WEIGHTS_EMBEDDED

static vggrt_weights open_weights(void) {
  return (vggrt_weights){.memory = vggrt_model_weights, .length = VGGRT_MODEL_WEIGHTS_SIZE};
}

#else

static int read_file(void *file, uint32_t offset, void *destination, uint32_t count) {
  return fseek(file, (long)offset, SEEK_SET) != 0 || fread(destination, 1, count, file) != count;
}

static vggrt_weights open_weights(void) {
  FILE *const file = fopen("model_weights.bin", "rb");
  if (!file) return (vggrt_weights){0};
#if VGGRT_MODEL_WINDOW_SIZE > 0
  return (vggrt_weights){.read = read_file, .context = file, .length = VGGRT_MODEL_WEIGHTS_SIZE};
#else
  static _Alignas(VGGRT_ALIGNMENT) uint8_t image[VGGRT_MODEL_WEIGHTS_SIZE];
  const int failed = read_file(file, 0, image, sizeof image);
  fclose(file);
  return failed ? (vggrt_weights){0} : (vggrt_weights){.memory = image, .length = sizeof image};
#endif
}

#endif

static int report(vggrt_status status, uint32_t wrong_layer) {
  if (status == VGGRT_OK) return 0;
  fprintf(stderr, "vggrt: %s", vggrt_status_text(status));
  if (status == VGGRT_WRONG_OUTPUT) fprintf(stderr, ": %s", vggrt_layer_names[wrong_layer]);
  fprintf(stderr, " (status %d)\n", (int)status);
  return 1;
}

static int run_files(vggrt *runtime, const char *input, const char *output) {
  FILE *file = fopen(input, "rb");
  const size_t count = file ? fread(vggrt_input(runtime), 1, VGGRT_MODEL_INPUT_SIZE, file) : 0;
  const int isWhole = count == VGGRT_MODEL_INPUT_SIZE && fgetc(file) == EOF;
  if (file) fclose(file);
  if (!isWhole) {
    fprintf(stderr, "%s: not the %u codes of an input\n", input, (unsigned)VGGRT_MODEL_INPUT_SIZE);
    return 1;
  }
  const vggrt_status status = vggrt_run(runtime);
  if (status != VGGRT_OK) return report(status, 0);
  file = fopen(output, "wb");
  const int failed =
    !file || fwrite(vggrt_output(runtime), 1, VGGRT_MODEL_OUTPUT_SIZE, file) != VGGRT_MODEL_OUTPUT_SIZE;
  if ((file && fclose(file) != 0) || failed) {
    fprintf(stderr, "%s: cannot be written\n", output);
    return 1;
  }
  return 0;
}

int main(int count, char **arguments) {
  if (count != 1 && count != 3) {
    fprintf(stderr, "usage: selftest [INPUT OUTPUT]\n");
    return 1;
  }
  vggrt runtime;
  const vggrt_weights weights = open_weights();
  const vggrt_status status = vggrt_init(&runtime, &vggrt_model_data, arena, sizeof arena, &weights, 1);
  if (status != VGGRT_OK) return report(status, 0);
  if (count == 3) return run_files(&runtime, arguments[1], arguments[2]);
  uint32_t wrong_layer = 0;
  const vggrt_status tested = vggrt_selftest(&runtime, &wrong_layer);
  if (report(tested, wrong_layer) != 0) return 1;
  printf("all %u layers are right\n", (unsigned)VGGRT_MODEL_LAYER_COUNT);
  return 0;
}

#endif
