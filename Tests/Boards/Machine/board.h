/** What a machine can do for a test: write a line, and end with a status. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

void board_write(const char *text);
void board_write_number(uint32_t number);
_Noreturn void board_exit(int status);

/** Fills the stack that is not in use, so that `board_stack_used` can say how much was used since, less what its caller uses. */
void board_paint_stack(void);
uint32_t board_stack_used(void);

int main(void);

#endif
