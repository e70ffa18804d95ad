/*
 * Compiles VGK_BODY, the name of a header, once for each instruction set of the architecture, and defines how to
 * pick one. Include the headers that the body needs first: the target attributes hold for all that is declared inside.
 *
 * A body names its functions VGK_NAME(x) and may use
 *   VGK_LANES    doubles in a vector register
 *   VGK_VECTORS  registers side by side in a tile of outputs, so that tile and operands fit the register file
 *   VGK_HALF     1 where the hardware converts half precision
 */
#define VGK_NAME(name) name##_portable
#define VGK_LANES 2
#define VGK_VECTORS 2
#define VGK_HALF 0
#include VGK_BODY
#undef VGK_NAME
#undef VGK_LANES
#undef VGK_VECTORS
#undef VGK_HALF

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define VGK_NAME(name) name##_avx2
#define VGK_LANES 4
#define VGK_VECTORS 2
#define VGK_HALF 1
#include VGK_BODY
#undef VGK_NAME
#undef VGK_LANES
#undef VGK_VECTORS
#pragma clang attribute pop

#pragma clang attribute push( \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#define VGK_NAME(name) name##_avx512
#define VGK_LANES 8
#define VGK_VECTORS 4
#include VGK_BODY
#undef VGK_NAME
#undef VGK_LANES
#undef VGK_VECTORS
#undef VGK_HALF
#pragma clang attribute pop

#define VGK_SELECT(isa, name) \
  ((isa) >= VGKISAAvx512 ? name##_avx512 : (isa) >= VGKISAAvx2 ? name##_avx2 : name##_portable)

#elif defined(__aarch64__)

#define VGK_NAME(name) name##_neon
#define VGK_LANES 2
#define VGK_VECTORS 4
#define VGK_HALF 1
#include VGK_BODY
#undef VGK_NAME
#undef VGK_LANES
#undef VGK_VECTORS
#undef VGK_HALF

#define VGK_SELECT(isa, name) ((isa) >= VGKISANeon ? name##_neon : name##_portable)

#else

#define VGK_SELECT(isa, name) ((void)(isa), name##_portable)

#endif
