/* Starts a bare board and talks to qemu by semihosting, on Cortex-M and RISC-V. */
#include "board.h"

#include <string.h>

extern uint8_t board_bss_start[], board_bss_end[], board_stack_start[], board_stack_end[];

/** Where the processor starts. */
void reset(void);

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };

#ifdef __arm__

static void call(uintptr_t operation, const void *argument) {
  register uintptr_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

#else

static void call(uintptr_t operation, const void *argument) {
  register uintptr_t a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  /* These three, in one page, are the sign; none may be compressed. */
  __asm__ volatile(
    ".balign 16\n.option push\n.option norvc\nslli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
    : "+r"(a0)
    : "r"(a1)
    : "memory");
}

#endif

void board_write(const char *text) { call(SYS_WRITE0, text); }

void board_write_number(uint32_t number) {
  char text[11];
  char *digit = text + sizeof text - 1;
  *digit = 0;
  do *--digit = (char)('0' + number % 10);
  while (number /= 10);
  board_write(digit);
}

_Noreturn void board_exit(int status) {
  const uintptr_t block[2] = {0x20026, (uintptr_t)status};
  call(SYS_EXIT_EXTENDED, block);
  for (;;) {}
}

/* Far enough below the frame of who asks. */
enum { SLACK = 64, PAINT = 0xC5 };

__attribute__((noinline)) void board_paint_stack(void) {
  volatile uint8_t *end = (volatile uint8_t *)__builtin_frame_address(0) - SLACK;
  for (volatile uint8_t *byte = board_stack_start; byte < end; byte++) *byte = PAINT;
}

__attribute__((noinline)) uint32_t board_stack_used(void) {
  const uint8_t *byte = board_stack_start;
  while (*byte == PAINT) byte++;
  return (uint32_t)((const uint8_t *)__builtin_frame_address(0) - byte);
}

__attribute__((used)) static void start(void) {
  memset(board_bss_start, 0, (size_t)(board_bss_end - board_bss_start));
  board_exit(main());
}

#ifdef __arm__

void reset(void) {
  /* Floats and vectors need to be switched on. */
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
  __asm__ volatile("dsb\nisb");
  start();
}

static void fault(void) {
  board_write("the processor faulted\n");
  board_exit(3);
}

__attribute__((section(".start"), used)) static void *const vectors[] = {
  board_stack_end, reset, fault, fault, fault, fault, fault};

#else

__attribute__((section(".start"), naked, used)) void reset(void) {
  /* The third one is `csrw mtvec, t0`, which assemblers take only with an extension in the name of the architecture. */
  __asm__ volatile("la sp, board_stack_end\nla t0, fault\n.insn i 0x73, 1, x0, t0, 0x305\nj start");
}

__attribute__((used, aligned(4))) static void fault(void) {
  board_write("the processor faulted\n");
  board_exit(3);
}

#endif
