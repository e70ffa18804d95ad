/* Random layers and models on any machine. */
#include "board.h"
#include "random_models.h"

int main(void) {
  const uint32_t rounds = 300, round = random_products_check(0, rounds);
  if (round != rounds) {
    board_write("round ");
    board_write_number(round);
    board_write(" of random layers is wrong\n");
    return 1;
  }
  const char *problem = random_models_check_refusals(0);
  const uint32_t count = 60, right = problem ? 0 : random_models_check(0, count, &problem);
  if (problem) {
    board_write("random model ");
    board_write_number(right);
    board_write(" ");
    board_write(problem);
    board_write("\n");
    return 1;
  }
  board_write_number(rounds);
  board_write(" rounds of random layers and ");
  board_write_number(count);
  board_write(" random models are right\n");
  return 0;
}
