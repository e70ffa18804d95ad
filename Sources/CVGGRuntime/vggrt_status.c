#include "vggrt.h"

const char *vggrt_status_text(vggrt_status status) {
  switch (status) {
  case VGGRT_OK: return "done";
  case VGGRT_ARENA_TOO_SMALL: return "the arena is smaller than the model needs";
  case VGGRT_MISALIGNED: return "the arena or the weights do not begin at a multiple of VGGRT_ALIGNMENT bytes";
  case VGGRT_PLAN_DAMAGED: return "the plan is damaged";
  case VGGRT_OTHER_WEIGHTS: return "the weight image is of another model or version, or too short";
  case VGGRT_WEIGHTS_DAMAGED: return "the weight image is damaged";
  case VGGRT_READ_FAILED: return "weights could not be read";
  case VGGRT_NO_WINDOW: return "the model was made for weights in memory, with no window to read them to";
  case VGGRT_NOT_READY: return "the model was not prepared";
  case VGGRT_WRONG_OUTPUT: return "a layer's output is another one than expected";
  }
  return "unknown";
}
