/* The same as board.c where there is an operating system; the stack is not measured there. */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

void board_write(const char *text) { fputs(text, stdout); }
void board_write_number(uint32_t number) { printf("%lu", (unsigned long)number); }
_Noreturn void board_exit(int status) { exit(status); }
void board_paint_stack(void) {}
uint32_t board_stack_used(void) { return 0; }
