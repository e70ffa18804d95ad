/*
 * An exported package on any machine: its self-test, and the stack that it takes. With BOARD_READS, weights are read to the window; with
 * BOARD_DAMAGE, a bit of them is wrong, which must be noticed.
 */
#include <string.h>

#include "board.h"
#include "model.h"
#include "vggrt.h"

static _Alignas(VGGRT_ALIGNMENT) uint8_t arena[VGGRT_MODEL_ARENA_SIZE];
static vggrt runtime;

#if defined(BOARD_READS) || defined(BOARD_DAMAGE)
static int read_image(void *context, uint32_t offset, void *destination, uint32_t count) {
  (void)context;
  memcpy(destination, vggrt_model_weights + offset, count);
#ifdef BOARD_DAMAGE
  const uint32_t place = VGGRT_MODEL_WEIGHTS_SIZE / 2;
  if (offset <= place && place - offset < count) ((uint8_t *)destination)[place - offset] ^= 4;
#endif
  return 0;
}
static const vggrt_weights weights = {.read = read_image, .length = VGGRT_MODEL_WEIGHTS_SIZE};
#else
static const vggrt_weights weights = {.memory = vggrt_model_weights, .length = VGGRT_MODEL_WEIGHTS_SIZE};
#endif

static int report(vggrt_status status, uint32_t layer) {
  if (status == VGGRT_OK) return 0;
  board_write(vggrt_status_text(status));
  if (status == VGGRT_WRONG_OUTPUT) {
    board_write(": ");
    board_write(vggrt_layer_names[layer]);
  }
  board_write("\n");
  return 1;
}

int main(void) {
  uint32_t wrong = 0;
  board_paint_stack();
  vggrt_status status = vggrt_init(&runtime, &vggrt_model_data, arena, sizeof arena, &weights, 1);
  if (status == VGGRT_OK) status = vggrt_run(&runtime);
  const uint32_t stack = board_stack_used();
  if (status == VGGRT_OK) status = vggrt_selftest(&runtime, &wrong);
  if (report(status, wrong) != 0) return 1;
  board_write("all layers are right, arena ");
  board_write_number(VGGRT_MODEL_ARENA_SIZE);
  board_write(", stack ");
  board_write_number(stack);
  board_write("\n");
  if (stack <= VGGRT_MODEL_STACK_SIZE) return 0;
  board_write("more stack than the model says\n");
  return 1;
}
