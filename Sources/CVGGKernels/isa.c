#include "vgk_isa.h"

bool vgk_isa_is_available(VGKISA isa) {
  switch (isa) {
    case VGKISAPortable:
      return true;
    case VGKISANeon:
#if defined(__aarch64__)
      return true;
#else
      return false;
#endif
    // The built-in asks the operating system too (XGETBV): registers that it does not save are not offered.
    case VGKISAAvx2:
#if defined(__x86_64__)
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#else
      return false;
#endif
    case VGKISAAvx512:
#if defined(__x86_64__)
      return vgk_isa_is_available(VGKISAAvx2) && __builtin_cpu_supports("avx512f")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl");
#else
      return false;
#endif
  }
  return false;
}

VGKISA vgk_best_isa(void) {
  for (int isa = VGKISAAvx512; isa > VGKISAPortable; isa--)
    if (vgk_isa_is_available((VGKISA)isa)) return (VGKISA)isa;
  return VGKISAPortable;
}

const char *vgk_isa_name(VGKISA isa) {
  switch (isa) {
    case VGKISAPortable: return "portable";
    case VGKISANeon: return "neon";
    case VGKISAAvx2: return "avx2";
    case VGKISAAvx512: return "avx512";
  }
  return "unknown";
}
