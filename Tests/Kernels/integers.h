#ifndef INTEGERS_H
#define INTEGERS_H

#include "CVGGKernels.h"

/* Tests the kernels of integers of an instruction set against their reference; prints what is wrong, and returns
   whether nothing is. */
bool integersAreRight(VGKISA isa);

#endif
