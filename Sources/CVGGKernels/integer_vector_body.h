/*
 * Vectors of integers and the register tile, for one instruction set (see for_each_integer_isa.h).
 *
 * All products are taken word by word: a word of 32 bits of a row, which holds a pair of 16 bits or four bytes, is
 * broadcast and multiplied with the words of a panel, one for each column; the products within a word are added to the
 * column's sum. Sums are unsigned, since these are defined mod 2^32.
 */
typedef uint32_t VGK_NAME(words) __attribute__((vector_size(4 * VGK_WORDS)));
typedef int32_t VGK_NAME(integers) __attribute__((vector_size(4 * VGK_WORDS)));
typedef float VGK_NAME(reals) __attribute__((vector_size(4 * VGK_WORDS)));
typedef uint16_t VGK_NAME(halves) __attribute__((vector_size(4 * VGK_WORDS)));
typedef int16_t VGK_NAME(shorts) __attribute__((vector_size(4 * VGK_WORDS)));
typedef int8_t VGK_NAME(halfBytes) __attribute__((vector_size(2 * VGK_WORDS)));
typedef int8_t VGK_NAME(wordBytes) __attribute__((vector_size(VGK_WORDS)));

enum {
  VGK_NAME(lanes) = VGK_WORDS,
  VGK_NAME(panelWidth) = 2 * VGK_WORDS,
  VGK_NAME(tileRows) = VGK_ROWS,
  VGK_NAME(hasQuads) = VGK_QUADS,
};

VGK_INLINE VGK_NAME(words) VGK_NAME(loadWords)(const void *source) {
  VGK_NAME(words) v;
  __builtin_memcpy(&v, source, sizeof(v));
  return v;
}

VGK_INLINE VGK_NAME(words) VGK_NAME(broadcast)(const void *source) {
  uint32_t word;
  __builtin_memcpy(&word, source, sizeof(word));
  return (VGK_NAME(words)){0} + word;
}

/*
 * sum + the products of pairs of signed 16 bits. In assembly: Clang takes the fused instruction apart, and adds the
 * products of several steps first, for which there are no registers.
 */
VGK_INLINE VGK_NAME(words) VGK_NAME(addPairs)(VGK_NAME(words) sum, VGK_NAME(words) x, VGK_NAME(words) w) {
#if VGK_FUSED && VGK_WORDS == 16
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  return sum;
#elif VGK_FUSED
  __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
  return sum;
#elif VGK_WORDS == 16
  VGK_NAME(words) products;
  __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(sum), "=&v"(products) : "v"(x), "v"(w));
  return sum;
#elif VGK_WORDS == 8
  VGK_NAME(words) products;
  __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(products) : "x"(x), "x"(w));
  return sum;
#elif defined(__x86_64__)
  return sum + (VGK_NAME(words))_mm_madd_epi16((__m128i)x, (__m128i)w);
#elif defined(__aarch64__)
  const int16x4_t pair = vget_low_s16((int16x8_t)x);
  const int32x4_t first = vmlal_lane_s16((int32x4_t)sum, vget_low_s16((int16x8_t)w), pair, 0);
  return (VGK_NAME(words))vmlal_high_lane_s16(first, (int16x8_t)w, pair, 1);
#else
  const VGK_NAME(integers) xs = (VGK_NAME(integers))x, ws = (VGK_NAME(integers))w;
  const VGK_NAME(integers) first = ((VGK_NAME(integers))(x << 16) >> 16) * ((VGK_NAME(integers))(w << 16) >> 16);
  return sum + (VGK_NAME(words))first + (VGK_NAME(words))((xs >> 16) * (ws >> 16));
#endif
}

/* sum + the products within words: of pairs, or of four bytes, unsigned with signed on x86, signed with signed on
   AArch64. */
VGK_INLINE VGK_NAME(words) VGK_NAME(addProducts)(
  const bool quads, VGK_NAME(words) sum, VGK_NAME(words) x, VGK_NAME(words) w) {
#if VGK_QUADS && VGK_WORDS == 16
  if (quads) return (VGK_NAME(words))_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#elif VGK_QUADS && VGK_WORDS == 8
  if (quads) return (VGK_NAME(words))_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
#elif VGK_QUADS
  if (quads) return (VGK_NAME(words))vdotq_s32((int32x4_t)sum, (int8x16_t)x, (int8x16_t)w);
#else
  (void)quads;
#endif
  return VGK_NAME(addPairs)(sum, x, w);
}

/* tile[r] += the products of row r with a panel, whose words lie in the order of the runs. */
VGK_INLINE void VGK_NAME(multiplyTile)(
  VGK_NAME(words) tile[][2], const size_t rows, const bool quads, const char *x, size_t rowBytes, const Runs *runs,
  const char *w) {
  for (size_t i = 0; i < runs->rowCount; i++)
    for (size_t j = 0; j < runs->columnCount; j++) {
      const char *source = x + i * runs->rowStep + j * runs->columnStep;
      for (size_t word = 0; word < runs->words; word++) {
        const VGK_NAME(words) w0 = VGK_NAME(loadWords)(w), w1 = VGK_NAME(loadWords)(w + sizeof(w0));
        VGK_UNROLL for (size_t r = 0; r < rows; r++) {
          const VGK_NAME(words) value = VGK_NAME(broadcast)(source + r * rowBytes + 4 * word);
          tile[r][0] = VGK_NAME(addProducts)(quads, tile[r][0], value, w0);
          tile[r][1] = VGK_NAME(addProducts)(quads, tile[r][1], value, w1);
        }
        w += 2 * sizeof(w0);
      }
    }
}

/* Calls VGK_TILE(rows) with a constant for each number of rows that a tile may have. */
#undef VGK_EACH_TILE
#if VGK_ROWS == 14
#define VGK_EACH_TILE                                                                                        \
  VGK_TILE(1) VGK_TILE(2) VGK_TILE(3) VGK_TILE(4) VGK_TILE(5) VGK_TILE(6) VGK_TILE(7) VGK_TILE(8) VGK_TILE(9) \
  VGK_TILE(10) VGK_TILE(11) VGK_TILE(12) VGK_TILE(13) VGK_TILE(14)
#elif VGK_ROWS == 12
#define VGK_EACH_TILE                                                                                        \
  VGK_TILE(1) VGK_TILE(2) VGK_TILE(3) VGK_TILE(4) VGK_TILE(5) VGK_TILE(6) VGK_TILE(7) VGK_TILE(8) VGK_TILE(9) \
  VGK_TILE(10) VGK_TILE(11) VGK_TILE(12)
#elif VGK_ROWS == 6
#define VGK_EACH_TILE VGK_TILE(1) VGK_TILE(2) VGK_TILE(3) VGK_TILE(4) VGK_TILE(5) VGK_TILE(6)
#else
#define VGK_EACH_TILE VGK_TILE(1) VGK_TILE(2) VGK_TILE(3) VGK_TILE(4) VGK_TILE(5)
#endif

/* Where part `index` starts if `count` rows are cut into the fewest parts of at most tileRows, as equal as can be. */
VGK_INLINE size_t VGK_NAME(tileStart)(size_t count, size_t index) {
  const size_t parts = (count + VGK_NAME(tileRows) - 1) / VGK_NAME(tileRows);
  return index * count / parts;
}

VGK_INLINE VGK_NAME(words) VGK_NAME(larger)(VGK_NAME(words) a, VGK_NAME(words) b) {
  const VGK_NAME(words) isLarger = (VGK_NAME(words))((VGK_NAME(integers))a > (VGK_NAME(integers))b);
  return (a & isLarger) | (b & ~isLarger);
}

VGK_INLINE VGK_NAME(words) VGK_NAME(smaller)(VGK_NAME(words) a, VGK_NAME(words) b) {
  const VGK_NAME(words) isLarger = (VGK_NAME(words))((VGK_NAME(integers))a > (VGK_NAME(integers))b);
  return (b & isLarger) | (a & ~isLarger);
}

/* The upper halves of twice the products of signed numbers, as vgr_doubling_high_product; b is not negative. */
VGK_INLINE VGK_NAME(words) VGK_NAME(doublingHighProducts)(VGK_NAME(words) a, VGK_NAME(words) b) {
#if VGK_WORDS == 16
  const __m512i round = _mm512_set1_epi64(1 << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32((__m512i)a, (__m512i)b), round);
  const __m512i odd = _mm512_add_epi64(
    _mm512_mul_epi32(_mm512_srli_epi64((__m512i)a, 32), _mm512_srli_epi64((__m512i)b, 32)), round);
  return (VGK_NAME(words))_mm512_mask_blend_epi32(
    0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
#elif VGK_WORDS == 8
  const __m256i round = _mm256_set1_epi64x(1 << 30);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32((__m256i)a, (__m256i)b), round);
  const __m256i odd = _mm256_add_epi64(
    _mm256_mul_epi32(_mm256_srli_epi64((__m256i)a, 32), _mm256_srli_epi64((__m256i)b, 32)), round);
  return (VGK_NAME(words))_mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
#elif defined(__aarch64__)
  return (VGK_NAME(words))vqrdmulhq_s32((int32x4_t)a, (int32x4_t)b);
#else
  VGK_NAME(words) result;
  for (size_t i = 0; i < VGK_WORDS; i++)
    result[i] = (uint32_t)vgr_doubling_high_product((int32_t)a[i], (int32_t)b[i]);
  return result;
#endif
}

/* Within bounds. */
VGK_INLINE VGK_NAME(reals) VGK_NAME(clamped)(VGK_NAME(reals) v, float least, float most) {
  const VGK_NAME(reals) low = (VGK_NAME(reals)){0} + least, high = (VGK_NAME(reals)){0} + most;
#if VGK_WORDS == 16
  return (VGK_NAME(reals))_mm512_max_ps(_mm512_min_ps((__m512)v, (__m512)high), (__m512)low);
#elif VGK_WORDS == 8
  return (VGK_NAME(reals))_mm256_max_ps(_mm256_min_ps((__m256)v, (__m256)high), (__m256)low);
#elif defined(__x86_64__)
  return (VGK_NAME(reals))_mm_max_ps(_mm_min_ps((__m128)v, (__m128)high), (__m128)low);
#elif defined(__aarch64__)
  return vmaxq_f32(vminq_f32(v, high), low);
#else
  VGK_NAME(reals) result;
  for (size_t i = 0; i < VGK_WORDS; i++) {
    const float limited = v[i] < most ? v[i] : most;
    result[i] = limited > least ? limited : least;
  }
  return result;
#endif
}

/* The codes of sums of `lanes` columns from `column` of a panel, as `vgr_requantize_litert` and `vgr_requantize_tflm`.
   */
VGK_INLINE VGK_NAME(words) VGK_NAME(codes)(
  const Factors *f, VGKRounding rounding, size_t column, VGK_NAME(words) sums) {
  if (rounding == VGKRoundingLitert) {
    const VGK_NAME(reals) scales = (VGK_NAME(reals))VGK_NAME(loadWords)(f->scales + column);
    const VGK_NAME(reals) products = VGK_NAME(clamped)(
      __builtin_convertvector((VGK_NAME(integers))sums, VGK_NAME(reals)) * scales, (float)f->least, (float)f->most);
    // As in vgr_nearest.
    return (VGK_NAME(words))(products + 12582912.0f) - (uint32_t)(0x4B400000 - f->zeroPoint);
  }
  // As in vgr_tflm_product; a multiplier is not negative, so that the product always fits.
  const VGK_NAME(integers) shifts = (VGK_NAME(integers))VGK_NAME(loadWords)(f->shifts + column);
  const VGK_NAME(integers) lefts = shifts & (shifts > 0), rights = -(shifts & (shifts < 0));
  const VGK_NAME(integers) product = (VGK_NAME(integers))VGK_NAME(doublingHighProducts)(
    sums << (VGK_NAME(words))lefts, VGK_NAME(loadWords)(f->multipliers + column));
  const VGK_NAME(integers) masks = (VGK_NAME(integers))(((VGK_NAME(words)){0} + 1u << (VGK_NAME(words))rights) - 1u);
  const VGK_NAME(integers) halves = (masks >> 1) - (product < 0);
  const VGK_NAME(integers) shifted = (product >> rights) - ((product & masks) > halves);
  const VGK_NAME(words) least = (VGK_NAME(words)){0} + (uint32_t)f->least;
  const VGK_NAME(words) most = (VGK_NAME(words)){0} + (uint32_t)f->most;
  return VGK_NAME(larger)(least, VGK_NAME(smaller)((VGK_NAME(words))shifted, most)) + (uint32_t)f->zeroPoint;
}

/* Stores the first `count` codes, at most `lanes`. */
VGK_INLINE void VGK_NAME(storeCodes)(int8_t *target, VGK_NAME(words) codes, size_t count) {
  const VGK_NAME(wordBytes) bytes = __builtin_convertvector(codes, VGK_NAME(wordBytes));
  if (count >= VGK_WORDS)
    __builtin_memcpy(target, &bytes, sizeof(bytes));
  else
    __builtin_memcpy(target, &bytes, count);
}

/* The codes of a tile of sums: rows `stride` apart, of which the first `columns` codes are stored. */
VGK_INLINE void VGK_NAME(storeTile)(
  VGK_NAME(words) tile[][2], const size_t rows, const Factors *f, VGKRounding rounding, int8_t *target, size_t stride,
  size_t columns) {
  VGK_UNROLL for (size_t r = 0; r < rows; r++)
    VGK_UNROLL for (size_t half = 0; half < 2; half++)
      tile[r][half] = VGK_NAME(codes)(f, rounding, half * VGK_WORDS, tile[r][half]);
  if (columns >= VGK_NAME(panelWidth)) {
    VGK_UNROLL for (size_t r = 0; r < rows; r++)
      VGK_UNROLL for (size_t half = 0; half < 2; half++)
        VGK_NAME(storeCodes)(target + r * stride + half * VGK_WORDS, tile[r][half], VGK_WORDS);
    return;
  }
  VGK_UNROLL for (size_t r = 0; r < rows; r++) {
    VGK_NAME(storeCodes)(target + r * stride, tile[r][0], columns);
    if (columns > VGK_WORDS) VGK_NAME(storeCodes)(target + r * stride + VGK_WORDS, tile[r][1], columns - VGK_WORDS);
  }
}
