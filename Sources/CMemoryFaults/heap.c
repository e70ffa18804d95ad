#include "CMemoryFaults.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

void cmf_return_free_memory(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void cmf_share_one_heap(void) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
#endif
}
