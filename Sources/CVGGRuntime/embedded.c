/* Embeds the sources that a board gets, so that the program can write them without a file of its own beside it. */
#include "vggrt_sources.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t CMakeLists_txt[] = {
#embed "package/CMakeLists.txt"
};
static const uint8_t Makefile[] = {
#embed "package/Makefile"
};
static const uint8_t README_md[] = {
#embed "package/README.md"
};
static const uint8_t selftest_c[] = {
#embed "package/selftest.c"
};
static const uint8_t vggrt_c[] = {
#embed "vggrt.c"
};
static const uint8_t vggrt_h[] = {
#embed "include/vggrt.h"
};
static const uint8_t vggrt_bytes_h[] = {
#embed "vggrt_bytes.h"
};
static const uint8_t vggrt_check_c[] = {
#embed "vggrt_check.c"
};
static const uint8_t vggrt_digest_c[] = {
#embed "vggrt_digest.c"
};
static const uint8_t vggrt_dsp_h[] = {
#embed "vggrt_dsp.h"
};
static const uint8_t vggrt_elements_c[] = {
#embed "vggrt_elements.c"
};
static const uint8_t vggrt_helium_h[] = {
#embed "vggrt_helium.h"
};
static const uint8_t vggrt_internal_h[] = {
#embed "vggrt_internal.h"
};
static const uint8_t vggrt_kernels_h[] = {
#embed "vggrt_kernels.h"
};
static const uint8_t vggrt_neon_h[] = {
#embed "vggrt_neon.h"
};
static const uint8_t vggrt_portable_h[] = {
#embed "vggrt_portable.h"
};
static const uint8_t vggrt_products_c[] = {
#embed "vggrt_products.c"
};
static const uint8_t vggrt_status_c[] = {
#embed "vggrt_status.c"
};
static const uint8_t vggrt_tiles_h[] = {
#embed "vggrt_tiles.h"
};
static const uint8_t vggrt_winograd_c[] = {
#embed "vggrt_winograd.c"
};
static const uint8_t vgr_code_h[] = {
#embed "../CVGGRules/include/vgr_code.h"
};
static const uint8_t vgr_float_h[] = {
#embed "../CVGGRules/include/vgr_float.h"
};
static const uint8_t vgr_normalization_h[] = {
#embed "../CVGGRules/include/vgr_normalization.h"
};
static const uint8_t vgr_requantize_h[] = {
#embed "../CVGGRules/include/vgr_requantize.h"
};
static const uint8_t vgr_softmax_h[] = {
#embed "../CVGGRules/include/vgr_softmax.h"
};

#define SOURCE(name, bytes) {name, bytes, sizeof bytes}

static const vggrt_source sources[] = {
  SOURCE("CMakeLists.txt", CMakeLists_txt),
  SOURCE("Makefile", Makefile),
  SOURCE("README.md", README_md),
  SOURCE("selftest.c", selftest_c),
  SOURCE("vggrt.c", vggrt_c),
  SOURCE("vggrt.h", vggrt_h),
  SOURCE("vggrt_bytes.h", vggrt_bytes_h),
  SOURCE("vggrt_check.c", vggrt_check_c),
  SOURCE("vggrt_digest.c", vggrt_digest_c),
  SOURCE("vggrt_dsp.h", vggrt_dsp_h),
  SOURCE("vggrt_elements.c", vggrt_elements_c),
  SOURCE("vggrt_helium.h", vggrt_helium_h),
  SOURCE("vggrt_internal.h", vggrt_internal_h),
  SOURCE("vggrt_kernels.h", vggrt_kernels_h),
  SOURCE("vggrt_neon.h", vggrt_neon_h),
  SOURCE("vggrt_portable.h", vggrt_portable_h),
  SOURCE("vggrt_products.c", vggrt_products_c),
  SOURCE("vggrt_status.c", vggrt_status_c),
  SOURCE("vggrt_tiles.h", vggrt_tiles_h),
  SOURCE("vggrt_winograd.c", vggrt_winograd_c),
  SOURCE("vgr_code.h", vgr_code_h),
  SOURCE("vgr_float.h", vgr_float_h),
  SOURCE("vgr_normalization.h", vgr_normalization_h),
  SOURCE("vgr_requantize.h", vgr_requantize_h),
  SOURCE("vgr_softmax.h", vgr_softmax_h),
};

const vggrt_source *vggrt_sources(uint32_t *count) {
  *count = sizeof sources / sizeof sources[0];
  return sources;
}
