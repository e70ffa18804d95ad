/*
 * Vectors and the register tile of the fast path, for one instruction set (see for_each_isa.h).
 *
 * Everything that multiplies is one step: a few rows of A, each in runs of numbers that lie side by side, times a
 * panel of B, packed so that the two registers of a step lie side by side. A's numbers are broadcast, B's are
 * loaded, the sums stay in registers. A sum belongs to one output and is taken in ascending order, whatever the
 * blocking.
 */
typedef float VGK_NAME(vector) __attribute__((vector_size(8 * VGK_LANES)));
typedef int32_t VGK_NAME(mask) __attribute__((vector_size(8 * VGK_LANES)));

enum {
  VGK_NAME(lanes) = 2 * VGK_LANES,
  /* Columns of a panel: two registers. */
  VGK_NAME(panelWidth) = 4 * VGK_LANES,
  /* Rows of a tile: 28 of 32 registers hold sums, or 12 of 16. */
  VGK_NAME(tileRows) = VGK_VECTORS == 4 ? 14 : 6,
};

#define VGK_INLINE static inline __attribute__((always_inline))
#define VGK_NO_UNROLL _Pragma("clang loop unroll(disable)")
#define VGK_UNROLL _Pragma("clang loop unroll(full)")

VGK_INLINE VGK_NAME(vector) VGK_NAME(load)(const float *source) {
  VGK_NAME(vector) v;
  __builtin_memcpy(&v, source, sizeof(v));
  return v;
}

VGK_INLINE void VGK_NAME(store)(float *target, VGK_NAME(vector) v) { __builtin_memcpy(target, &v, sizeof(v)); }

/* The first `count` numbers, then zeros. */
VGK_INLINE VGK_NAME(vector) VGK_NAME(loadFirst)(const float *source, size_t count) {
  VGK_NAME(vector) v = {0};
  if (count >= VGK_NAME(lanes)) return VGK_NAME(load)(source);
  __builtin_memcpy(&v, source, count * sizeof(float));
  return v;
}

/* `yes` where the mask is set, `no` elsewhere. */
VGK_INLINE VGK_NAME(vector) VGK_NAME(select)(VGK_NAME(mask) mask, VGK_NAME(vector) yes, VGK_NAME(vector) no) {
  return (VGK_NAME(vector))((mask & (VGK_NAME(mask))yes) | (~mask & (VGK_NAME(mask))no));
}

/* Values <= 0 become +0; NaN stays. */
VGK_INLINE VGK_NAME(vector) VGK_NAME(rectified)(VGK_NAME(vector) v) {
  return (VGK_NAME(vector))(~(v <= 0.0f) & (VGK_NAME(mask))v);
}

/* The larger value; NaN wins. */
VGK_INLINE VGK_NAME(vector) VGK_NAME(maximum)(VGK_NAME(vector) a, VGK_NAME(vector) b) {
  return VGK_NAME(select)((a > b) | (a != a), a, b);
}

/*
 * tile[r] = sum over the runs of A and i < length of a[r * aStride + place of the run + i] * b[..], for the two
 * registers of the panel, whose steps lie in the order of the runs. Each step asks the cache for one of `next`, the
 * panel that comes after, and, unless that is null, for a line of `nextA`, the rows that come after; asking for what
 * does not exist does no harm.
 */
VGK_INLINE void VGK_NAME(multiplyTile)(
  VGK_NAME(vector) tile[][2], const size_t rows, const float *a, size_t aStride, const Runs *runs, const float *b,
  const float *next, const float *nextA) {
  VGK_UNROLL for (size_t r = 0; r < rows; r++) tile[r][0] = tile[r][1] = (VGK_NAME(vector)){0};
  for (size_t y = 0; y < runs->rowCount; y++)
    for (size_t x = 0; x < runs->columnCount; x++) {
      const float *source = a + y * runs->rowStep + x * runs->columnStep;
      for (size_t i = 0; i < runs->length; i++) {
        const VGK_NAME(vector) b0 = VGK_NAME(load)(b), b1 = VGK_NAME(load)(b + VGK_NAME(lanes));
        __builtin_prefetch(next, 0, 2);
        __builtin_prefetch(next + VGK_NAME(lanes), 0, 2);
        if (nextA) __builtin_prefetch(nextA + smallerOf(i % 16, rows - 1) * aStride + i / 16 * 16, 0, 2);
        VGK_UNROLL for (size_t r = 0; r < rows; r++) {
          const float value = source[r * aStride + i];
          tile[r][0] += b0 * value;
          tile[r][1] += b1 * value;
        }
        b += VGK_NAME(panelWidth);
        next += VGK_NAME(panelWidth);
      }
    }
}

/* Calls VGK_TILE(rows) with a constant for each number of rows that a tile may have. */
#undef VGK_EACH_TILE
#if VGK_VECTORS == 4
#define VGK_EACH_TILE                                                                                        \
  VGK_TILE(1) VGK_TILE(2) VGK_TILE(3) VGK_TILE(4) VGK_TILE(5) VGK_TILE(6) VGK_TILE(7) VGK_TILE(8) VGK_TILE(9) \
  VGK_TILE(10) VGK_TILE(11) VGK_TILE(12) VGK_TILE(13) VGK_TILE(14)
#else
#define VGK_EACH_TILE VGK_TILE(1) VGK_TILE(2) VGK_TILE(3) VGK_TILE(4) VGK_TILE(5) VGK_TILE(6)
#endif

/* Where part `index` starts if `count` rows are cut into the fewest parts of at most tileRows, as equal as can be. */
VGK_INLINE size_t VGK_NAME(tileStart)(size_t count, size_t index) {
  const size_t parts = (count + VGK_NAME(tileRows) - 1) / VGK_NAME(tileRows);
  return index * count / parts;
}
