/**
 * What a core can do at best: the yardsticks of a benchmark. The caller takes the time.
 */
#ifndef VGK_PROBE_H
#define VGK_PROBE_H

#include <stddef.h>

#include "vgk_isa.h"

#pragma clang assume_nonnull begin

/**
 * Multiplies and adds in registers, without memory.
 *
 * @param stepCount the number of rounds
 * @param result    a number near one, and gets one: so the work cannot be left out
 * @return the number of floating-point operations that were done
 */
double vgk_probe_arithmetic(VGKISA isa, size_t stepCount, float *result);

/** Reads `count` floats in order. */
void vgk_probe_reading(VGKISA isa, const float *values, size_t count, float *result);

/** Tells the processor that a loop waits for another thread. */
static inline void vgk_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#pragma clang assume_nonnull end

#endif
