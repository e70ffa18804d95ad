/*
 * Local response normalisation for one instruction set (see for_each_isa.h): vectors run over the channels of a pixel.
 */
#include "fast_vector_body.h"

VGK_INLINE VGK_NAME(vector) VGK_NAME(floats)(VGK_NAME(mask) v) {
  return __builtin_convertvector(v, VGK_NAME(vector));
}

/*
 * s ^ -beta for normal positive s: 2 ^ (-beta * (e + log2 m)) with s = 2^e * m and m in sqrt(1/2) ..< sqrt(2).
 *
 * log2 m is the series of the inverse hyperbolic tangent, of which the first term left out is 2e-9 of it; the power of
 * two is Taylor's series of a fraction in -1/2 ... 1/2, of which it is 6e-9. `*exponent` is the power's whole part.
 */
VGK_INLINE VGK_NAME(vector) VGK_NAME(inversePower)(VGK_NAME(vector) s, float beta, VGK_NAME(vector) *exponent) {
  const VGK_NAME(mask) bits = (VGK_NAME(mask))s, e = (bits - 0x3F3504F3) >> 23;
  const VGK_NAME(vector) m = (VGK_NAME(vector))(bits - (e << 23));
  const VGK_NAME(vector) t = (m - 1.0f) / (m + 1.0f), tt = t * t;
  const VGK_NAME(vector) series = 1.0f + tt * (1 / 3.0f + tt * (0.2f + tt * (1 / 7.0f + tt * (1 / 9.0f))));
  const VGK_NAME(vector) whole = VGK_NAME(floats)(e) * -beta, part = t * series * (2.8853900818f * -beta);
  // Adding 1.5 * 2^23 rounds to a whole number.
  const VGK_NAME(vector) n = (whole + part + 12582912.0f) - 12582912.0f;
  const VGK_NAME(vector) f = ((whole - n) + part) * 0.69314718056f;
  VGK_NAME(vector) power = 1 / 720.0f + f * (1 / 5040.0f);
  power = 1 / 24.0f + f * (1 / 120.0f + f * power);
  power = 1.0f + f * (1.0f + f * (0.5f + f * (1 / 6.0f + f * power)));
  *exponent = n;
  return (VGK_NAME(vector))((VGK_NAME(mask))power + (__builtin_convertvector(n, VGK_NAME(mask)) << 23));
}

static void VGK_NAME(normalization)(
  const VGKNormalization *n, size_t channels, const float *input, float *output, size_t pixelStart, size_t pixelEnd) {
  const size_t pixel = vgk_fast_channel_stride(channels), reach = n->windowSize / 2;
  const float k = (float)n->k, scale = (float)n->scale, beta = (float)n->beta;
  float squares[vgkNormalizedBlock + 2 * vgkLargestReach];
  for (size_t p = pixelStart; p < pixelEnd; p++) {
    const float *source = input + p * pixel;
    float *target = output + p * pixel;
    for (size_t start = 0; start < pixel; start += vgkNormalizedBlock) {
      const size_t count = smallerOf(vgkNormalizedBlock, pixel - start);
      for (size_t i = 0; i < count + 2 * reach; i++) {
        const size_t channel = start + i;
        const float x = channel >= reach && channel - reach < pixel ? source[channel - reach] : 0;
        squares[i] = x * x;
      }
      for (size_t c = 0; c < count; c += VGK_NAME(lanes)) {
        VGK_NAME(vector) sum = VGK_NAME(load)(squares + c);
        for (size_t i = 1; i < n->windowSize; i++) sum += VGK_NAME(load)(squares + c + i);
        const VGK_NAME(vector) s = k + scale * sum;
        VGK_NAME(vector) exponent;
        const VGK_NAME(vector) power = VGK_NAME(inversePower)(s, beta, &exponent);
        VGK_NAME(store)(target + start + c, VGK_NAME(load)(source + start + c) * power);
        // Where a square or the power leaves float's range, which is rare, it is taken in double.
        const VGK_NAME(mask) plain = (s >= 1e-30f) & (s <= 3e38f) & (exponent > -125.0f) & (exponent < 125.0f);
        for (size_t i = 0; i < VGK_NAME(lanes); i++)
          if (!plain[i]) target[start + c + i] = normalizedInDouble(n, pixel, source, start + c + i);
      }
    }
  }
}
