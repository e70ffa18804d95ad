/*
 * As for_each_isa.h, for kernels of integers: compiles VGK_BODY also for those instruction sets that are about
 * integers.
 *
 * A body may use
 *   VGK_NAME(x)   the name of a function for this instruction set
 *   VGK_WORDS     integers of 32 bits in a vector register
 *   VGK_ROWS      rows of a tile of sums, which has two registers a row: they and the operands fit the register file
 *   VGK_QUADS     1 where bytes are multiplied four at a time
 *   VGK_FUSED     1 where the product of pairs of 16 bits is added to a sum by the same instruction
 */
#define VGK_NAME(name) name##_portable
#define VGK_WORDS 4
#define VGK_ROWS 5
#define VGK_QUADS 0
#define VGK_FUSED 0
#include VGK_BODY
#undef VGK_NAME
#undef VGK_WORDS
#undef VGK_ROWS

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define VGK_NAME(name) name##_avx2
#define VGK_WORDS 8
#define VGK_ROWS 6
#include VGK_BODY
#undef VGK_NAME
#undef VGK_QUADS
#undef VGK_FUSED
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#define VGK_NAME(name) name##_avxvnni
#define VGK_QUADS 1
#define VGK_FUSED 1
#include VGK_BODY
#undef VGK_NAME
#undef VGK_WORDS
#undef VGK_ROWS
#undef VGK_QUADS
#undef VGK_FUSED
#pragma clang attribute pop

#pragma clang attribute push( \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#define VGK_NAME(name) name##_avx512
#define VGK_WORDS 16
#define VGK_ROWS 14
#define VGK_QUADS 0
#define VGK_FUSED 0
#include VGK_BODY
#undef VGK_NAME
#undef VGK_QUADS
#undef VGK_FUSED
#pragma clang attribute pop

#pragma clang attribute push( \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#define VGK_NAME(name) name##_avx512vnni
#define VGK_QUADS 1
#define VGK_FUSED 1
#include VGK_BODY
#undef VGK_NAME
#undef VGK_WORDS
#undef VGK_ROWS
#undef VGK_QUADS
#undef VGK_FUSED
#pragma clang attribute pop

#define VGK_SELECT(isa, name)                                                                       \
  ((isa) == VGKISAAvx512Vnni ? name##_avx512vnni                                                    \
   : (isa) == VGKISAAvx512   ? name##_avx512                                                        \
   : (isa) == VGKISAAvxVnni  ? name##_avxvnni                                                       \
   : (isa) == VGKISAAvx2     ? name##_avx2                                                          \
                             : name##_portable)

#elif defined(__aarch64__)

#define VGK_NAME(name) name##_neon
#define VGK_WORDS 4
#define VGK_ROWS 12
#include VGK_BODY
#undef VGK_NAME
#undef VGK_QUADS
#undef VGK_FUSED

#if defined(__ARM_FEATURE_DOTPROD)
#define VGK_NAME(name) name##_neondot
#define VGK_QUADS 1
#define VGK_FUSED 0
#include VGK_BODY
#undef VGK_NAME
#undef VGK_QUADS
#undef VGK_FUSED
#define VGK_SELECT(isa, name) \
  ((isa) == VGKISANeonDot ? name##_neondot : (isa) == VGKISANeon ? name##_neon : name##_portable)
#else
#define VGK_SELECT(isa, name) ((isa) >= VGKISANeon ? name##_neon : name##_portable)
#endif
#undef VGK_WORDS
#undef VGK_ROWS

#else

#undef VGK_QUADS
#undef VGK_FUSED
#define VGK_SELECT(isa, name) ((void)(isa), name##_portable)

#endif
