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
    case VGKISANeonDot:
#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
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
    case VGKISAAvxVnni:
#if defined(__x86_64__)
      return vgk_isa_is_available(VGKISAAvx2) && __builtin_cpu_supports("avxvnni");
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
    case VGKISAAvx512Vnni:
#if defined(__x86_64__)
      return vgk_isa_is_available(VGKISAAvx512) && __builtin_cpu_supports("avx512vnni");
#else
      return false;
#endif
  }
  return false;
}

VGKISA vgk_best_integer_isa(void) {
  for (int isa = VGKISAAvx512Vnni; isa > VGKISAPortable; isa--)
    if (vgk_isa_is_available((VGKISA)isa)) return (VGKISA)isa;
  return VGKISAPortable;
}

VGKISA vgk_best_isa(void) {
  const VGKISA best = vgk_best_integer_isa();
  switch (best) {
    case VGKISANeonDot: return VGKISANeon;
    case VGKISAAvxVnni: return VGKISAAvx2;
    case VGKISAAvx512Vnni: return VGKISAAvx512;
    case VGKISAPortable:
    case VGKISANeon:
    case VGKISAAvx2:
    case VGKISAAvx512: return best;
  }
  return best;
}

const char *vgk_isa_name(VGKISA isa) {
  switch (isa) {
    case VGKISAPortable: return "portable";
    case VGKISANeon: return "neon";
    case VGKISANeonDot: return "neondot";
    case VGKISAAvx2: return "avx2";
    case VGKISAAvxVnni: return "avxvnni";
    case VGKISAAvx512: return "avx512";
    case VGKISAAvx512Vnni: return "avx512vnni";
  }
  return "unknown";
}
