/**
 * CVGGKernels: the arithmetic of the engine and of the compression passes, in plain C11 (clang).
 *
 *   vgk_isa.h        instruction sets: which are compiled in, which the machine has
 *   vgk_reference.h  the reference path: double accumulation in a fixed order, the yardstick of all others
 *   vgk_fast.h       the fast path: Winograd and direct convolution, dense layers, pooling, normalisation in float32
 *   vgk_integer.h    layers of integers: int8 by int8 to int32; vgk_reference_integer.h is their yardstick
 *   vgk_probe.h      what a core can do at best, for benchmarks
 *   vgk_layout.h     matrices turned, as sources with another order of axes need it
 *   vgk_precision.h  conversions of stored values: half, bfloat16, int8; column maxima; errors of scales; non-finite counts
 *
 * Conventions, but for integers. Activations are NHWC float32, convolution weights HWIO, dense weights [in, out];
 * everything is row-major and packed. Sizes are element counts. A range is `start ..< end` and may be empty. Callers
 * guarantee that all sizes multiply without overflow and that buffers have the stated lengths: nothing is checked
 * here, nothing is allocated, there is no state, and every function may run on many threads at once. Buffers need
 * only the alignment of their element type. An output must not overlap an input.
 *
 * How to change it. A kernel that exists once per instruction set is written once, in a `*_body.h`, and is
 * compiled for each of them by `for_each_isa.h`; the public function picks one with `VGK_SELECT`. A new
 * instruction set is one more section there. Every kernel is tested for every instruction set that the machine has.
 */
#ifndef CVGGKERNELS_H
#define CVGGKERNELS_H

#include "vgk_fast.h"
#include "vgk_integer.h"
#include "vgk_isa.h"
#include "vgk_layout.h"
#include "vgk_precision.h"
#include "vgk_probe.h"
#include "vgk_reference.h"
#include "vgk_reference_integer.h"
#include "vgk_witness.h"

#endif
