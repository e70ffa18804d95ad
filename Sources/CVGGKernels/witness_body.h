/* Included once for each instruction set, see for_each_isa.h. */

/* The sum of the squares of what a scale loses of whole vectors of values. */
static inline uint64_t VGK_NAME(sumOfSquares)(
  const float *restrict values, size_t vectorCount, float reciprocal, float least, float most) {
  VGKWitnessSums sums = {0};
  for (size_t vector = 0; vector < vectorCount; vector++) {
    VGKWitnessLanes steps;
    __builtin_memcpy(&steps, values + vector * VGK_WITNESS_LANES, sizeof(steps));
    steps *= reciprocal;
    const VGKWitnessLanes raised = __builtin_elementwise_max(steps, (VGKWitnessLanes){0} + least);
    const VGKWitnessLanes within = __builtin_elementwise_min(raised, (VGKWitnessLanes){0} + most);
    /* Beside 1.5 * 2^23 no fraction is left. */
    const VGKWitnessLanes shifted = within + 0x1.8p23f;
    const VGKWitnessLanes code = shifted - 0x1.8p23f;
    /* Beside 2^23 the bits of a magnitude count up. */
    const VGKWitnessLanes counted = __builtin_elementwise_abs(steps - code) * 64 + 0x1p23f;
    const VGKWitnessBits bits = (VGKWitnessBits)counted & 0x7FFFFF;
    const VGKWitnessSums missing = __builtin_convertvector(bits, VGKWitnessSums);
    sums += missing * missing;
  }
  uint64_t sum = 0;
  for (size_t lane = 0; lane < VGK_WITNESS_LANES; lane++) sum += sums[lane];
  return sum;
}

static uint64_t VGK_NAME(witnessError)(
  const float *restrict values, size_t count, float reciprocal, float least, float most) {
  const size_t vectorCount = count / VGK_WITNESS_LANES, whole = vectorCount * VGK_WITNESS_LANES;
  /* Zeros lose nothing. */
  float rest[VGK_WITNESS_LANES] = {0};
  __builtin_memcpy(rest, values + whole, (count - whole) * sizeof(float));
  return VGK_NAME(sumOfSquares)(values, vectorCount, reciprocal, least, most) +
    VGK_NAME(sumOfSquares)(rest, 1, reciprocal, least, most);
}

static void VGK_NAME(witnessExtremes)(const float *restrict values, size_t count, float *low, float *high) {
  float least[VGK_WITNESS_LANES] = {0}, most[VGK_WITNESS_LANES] = {0};
  uint32_t largest[VGK_WITNESS_LANES] = {0};
  for (size_t i = 0; i < count; i += VGK_WITNESS_LANES) {
    const size_t lanes = count - i < VGK_WITNESS_LANES ? count - i : VGK_WITNESS_LANES;
    for (size_t lane = 0; lane < lanes; lane++) {
      const float value = values[i + lane];
      uint32_t bits;
      __builtin_memcpy(&bits, &value, sizeof(bits));
      bits &= 0x7FFFFFFF;
      largest[lane] = bits > largest[lane] ? bits : largest[lane];
      least[lane] = value < least[lane] ? value : least[lane];
      most[lane] = value > most[lane] ? value : most[lane];
    }
  }
  for (size_t lane = 1; lane < VGK_WITNESS_LANES; lane++) {
    largest[0] = largest[lane] > largest[0] ? largest[lane] : largest[0];
    least[0] = least[lane] < least[0] ? least[lane] : least[0];
    most[0] = most[lane] > most[0] ? most[lane] : most[0];
  }
  /* Infinity and what is beyond it. */
  const bool isFinite = largest[0] < 0x7F800000;
  *low = isFinite ? least[0] : -INFINITY;
  *high = isFinite ? most[0] : INFINITY;
}
