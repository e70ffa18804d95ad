/*
 * Counts the instructions of 3x3 convolutions and of a dense layer on a bare board of qemu, which must run with `-icount shift=0`: then an instruction takes a
 * nanosecond of the board's clock. On Cortex-M, SysTick is read, whose ticks are of many instructions; a loop whose length is known says
 * of how many. On RISC-V, `minstret` counts them.
 */
#include "board.h"
#include "vggrt_expand.h"
#include "vggrt_internal.h"

#include "vgr_requantize.h"

#ifdef __arm__

static volatile uint32_t *const systick = (volatile uint32_t *)0xE000E010;

static uint32_t ticks(void) { return 0xFFFFFF - systick[2]; }

/** Instructions of 1,024 ticks. */
static uint32_t tick;

static uint32_t now(void) { return (uint32_t)((uint64_t)ticks() * tick >> 10); }

static void start_counting(void) {
  systick[1] = 0xFFFFFF;
  systick[2] = 0;
  systick[0] = 5;
  /* It begins with its first tick. */
  while (systick[2] == 0) {}
  const uint32_t loops = 2000000, first = ticks();
  __asm__ volatile("mov r3, %0\n1: subs r3, #1\nbne 1b" : : "r"(loops) : "r3", "cc");
  tick = (uint32_t)(((uint64_t)2 * loops << 10) / (ticks() - first));
}

#else

static uint32_t now(void) {
  uint32_t count;
  /* csrr count, minstret, which assemblers take only with an extension in the name of the architecture. */
  __asm__ volatile(".insn i 0x73, 2, %0, x0, -0x4FE" : "=r"(count));
  return count;
}

static void start_counting(void) {}

#endif

enum { most_channels = 128, most_map = 56 * 56 * 8 };

static int8_t input[most_map], output[most_map];
static uint32_t weights[most_channels * most_channels * 9 / 4], expanded[most_channels * most_channels * 8];
static vggrt_channel channels[most_channels];
static _Alignas(16) uint8_t scratch[88 * most_channels];

static void run(const vggrt_layer *layer) {
  const uint32_t extent = layer->input.height, row = extent * layer->input.channels, at_once = vggrt_rows_at_once(layer);
  const int winograd = layer->encoding == VGGRT_WINOGRAD;
  const vggrt_panel panel = {
    0, layer->output.channels, channels, (const uint8_t *)(winograd ? expanded : weights)};
  for (uint32_t y = 0; y < extent; y += at_once) {
    const int8_t *rows[4];
    for (uint32_t i = 0; i < at_once + 2; i++) rows[i] = y + i - 1 < extent ? input + (y + i - 1) * row : NULL;
    int8_t *const outputs[2] = {output + y * row, output + (y + 1) * row};
    vggrt_convolution(layer, VGGRT_TFLM, &panel, rows, outputs, at_once, scratch);
  }
}

static void report(const char *name, uint32_t taken, uint32_t products) {
  board_write(name);
  board_write_number(taken);
  board_write(" instructions, of 1,000 products ");
  board_write_number((uint32_t)((uint64_t)taken * 1000 / products));
  board_write("\n");
}

static void count(const char *name, const vggrt_layer *layer) {
  const uint32_t before = now();
  run(layer);
  const uint32_t taken = now() - before;
  report(name, taken, (uint32_t)layer->input.height * layer->input.width * 9 * layer->input.channels * layer->output.channels);
}

static void count_dense(void) {
  const vggrt_layer layer = {
    .kind = VGGRT_DENSE, .low = -128, .high = 127, .input = {1, 1, 1152}, .output = {1, 1, most_channels}};
  const vggrt_panel panel = {0, most_channels, channels, (const uint8_t *)weights};
  const uint32_t before = now();
  vggrt_dense(&layer, VGGRT_TFLM, &panel, input, output);
  report("dense 1152 to 128\n  plain    ", now() - before, 1152 * most_channels);
}

int main(void) {
  static const uint16_t shapes[][2] = {{56, 8}, {28, 16}, {28, 32}, {14, 64}, {8, 128}};
  uint32_t state = 1;
  start_counting();
  for (uint32_t i = 0; i < sizeof weights; i++) {
    state = state * 1664525u + 1013904223u;
    ((int8_t *)weights)[i] = (int8_t)((int32_t)(state >> 24) - 128);
    if (i < most_map) input[i] = (int8_t)((int32_t)(state >> 16 & 255) - 128);
  }
  for (uint32_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    const uint16_t extent = shapes[i][0];
    const uint32_t width = shapes[i][1], row = 9 * width;
    vggrt_layer layer = {
      .kind = VGGRT_CONVOLUTION, .low = -128, .high = 127, .stride_height = 1, .stride_width = 1, .dilation_height = 1,
      .dilation_width = 1, .padding_top = 1, .padding_left = 1, .kernel_height = 3, .kernel_width = 3,
      .input = {extent, extent, width}, .output = {extent, extent, width}};
    for (uint32_t k = 0; k < width; k++) {
      const VGRMultiplier factor = vgr_tflm_multiplier(0.02 / row);
      channels[k].factor.multiplier = factor.multiplier;
      channels[k].shift = factor.shift;
      vggrt_winograd_row((const int8_t *)weights + k * row, width, (int16_t *)expanded + 16 * k * width);
    }
    board_write_number(extent);
    board_write(" x ");
    board_write_number(extent);
    board_write(" x ");
    board_write_number(width);
    board_write("\n");
    count("  plain    ", &layer);
    layer.encoding = VGGRT_WINOGRAD;
    count("  expanded ", &layer);
  }
  count_dense();
  return 0;
}
