#include "fast_common.h"

/*
 * Winograd's minimal filtering F(m x m, 3 x 3): m x m outputs from a tile of n x n inputs, n = m + 2, with n * n
 * instead of 9 * m * m multiplications (Lavin & Gray, arXiv 1509.09308).
 *
 * The interpolation points are pairs +-p, for even m zero, and infinity. A row of the input transform has the
 * coefficients of the product of (x - q) over all other finite points q (of all of them for infinity); pairs share
 * their even and odd halves. The output transform has the powers of the points; the weights' transform takes the
 * denominators, since it is done once and in double.
 *
 * The points have the smallest root mean square error that a search over multiples of 1/8 between 1/4 and 5/2 found,
 * for inputs after ReLU. Odd m, whose points are pairs only, has tiles that divide the extents of a VGG (7 * 2^k).
 */
typedef struct {
  /* Pairs of points +-p, and whether 0 is a point. n = 2 * pairCount + 1 + hasZero. */
  size_t pairCount, hasZero;
  float points[4];
  /* Coefficients of the product of (x^2 - q^2) over the other pairs, from x^0; the leading 1 is left out. */
  float others[4][3];
  /* The same over all pairs. */
  float all[4];
  float powers[4][7];
} WinogradPoints;

/* All values are exact in float32: the points are small multiples of 1/8. PRODUCTn takes the squares of points. */
#define SQUARE(p) ((p) * (p))
#define POWERS(p) \
  {1, p, SQUARE(p), SQUARE(p) * (p), SQUARE(SQUARE(p)), SQUARE(SQUARE(p)) * (p), SQUARE(SQUARE(p) * (p))}
#define PRODUCT1(a) {-(a)}
#define PRODUCT2(a, b) {(a) * (b), -(a) - (b)}
#define PRODUCT3(a, b, c) {-(a) * (b) * (c), (a) * (b) + (b) * (c) + (c) * (a), -(a) - (b) - (c)}
#define PRODUCT4(a, b, c, d)                                                                        \
  {(a) * (b) * (c) * (d), -(a) * (b) * (c) - (a) * (b) * (d) - (a) * (c) * (d) - (b) * (c) * (d),   \
   (a) * (b) + (a) * (c) + (a) * (d) + (b) * (c) + (b) * (d) + (c) * (d), -(a) - (b) - (c) - (d)}
#define POINTS2(zero, a, b)                                                                         \
  {2, zero, {a, b}, {PRODUCT1(SQUARE(b)), PRODUCT1(SQUARE(a))}, PRODUCT2(SQUARE(a), SQUARE(b)),     \
   {POWERS(a), POWERS(b)}}
#define POINTS3(zero, a, b, c)                                                                      \
  {3, zero, {a, b, c},                                                                              \
   {PRODUCT2(SQUARE(b), SQUARE(c)), PRODUCT2(SQUARE(a), SQUARE(c)), PRODUCT2(SQUARE(a), SQUARE(b))}, \
   PRODUCT3(SQUARE(a), SQUARE(b), SQUARE(c)), {POWERS(a), POWERS(b), POWERS(c)}}
#define POINTS4(zero, a, b, c, d)                                                                   \
  {4, zero, {a, b, c, d},                                                                           \
   {PRODUCT3(SQUARE(b), SQUARE(c), SQUARE(d)), PRODUCT3(SQUARE(a), SQUARE(c), SQUARE(d)),           \
    PRODUCT3(SQUARE(a), SQUARE(b), SQUARE(d)), PRODUCT3(SQUARE(a), SQUARE(b), SQUARE(c))},          \
   PRODUCT4(SQUARE(a), SQUARE(b), SQUARE(c), SQUARE(d)),                                            \
   {POWERS(a), POWERS(b), POWERS(c), POWERS(d)}}

static const WinogradPoints winogradPoints4 = POINTS2(1, 0.625f, 1.5f);
static const WinogradPoints winogradPoints5 = POINTS3(0, 0.25f, 0.875f, 1.75f);
static const WinogradPoints winogradPoints6 = POINTS3(1, 0.5f, 1.0f, 2.0f);
static const WinogradPoints winogradPoints7 = POINTS4(0, 0.25f, 0.625f, 1.125f, 2.0f);

/* The largest n, and the sizes m. */
#define VGK_WINOGRAD_SIZE 9
#define VGK_EACH_SIZE VGK_SIZE(4) VGK_SIZE(5) VGK_SIZE(6) VGK_SIZE(7)

typedef struct {
  size_t image, row, column;
} Tile;

/* Of `size` positions of a tile, first ..< end lie in the image; `start` is where `first` lies there. */
typedef struct {
  size_t first, end, start;
} Span;

static inline Tile tileAt(const VGKWinograd *w, size_t index) {
  const size_t perImage = w->tileRowCount * w->tileColumnCount, inImage = index % perImage;
  if (w->groupTiles == 1)
    return (Tile){
      .image = index / perImage, .row = inImage / w->tileColumnCount, .column = inImage % w->tileColumnCount};
  const size_t group = inImage / 4, groupsPerRow = w->tileColumnCount / 2;
  return (Tile){
    .image = index / perImage, .row = group / groupsPerRow * 2 + inImage % 4 / 2,
    .column = group % groupsPerRow * 2 + inImage % 2};
}

/* The first pixel of a tile in the output, in floats. */
static inline size_t outputCorner(const VGKWinograd *w, const Tile *t) {
  const size_t y = t->row * w->outputTile, x = t->column * w->outputTile;
  const size_t pixel = w->pools ? (t->image * w->pooledHeight + y / 2) * w->pooledWidth + x / 2
                                : (t->image * w->shape.outputHeight + y) * w->shape.outputWidth + x;
  return pixel * vgk_fast_channel_stride(w->shape.outputChannels);
}

/* How many of `size` positions from `start` are below `count`. */
static inline size_t remaining(size_t count, size_t start, size_t size) {
  return start < count ? smallerOf(count - start, size) : 0;
}

static inline Span tileSpan(size_t paddedStart, size_t size, size_t padding, size_t count) {
  const size_t first = paddedStart < padding ? smallerOf(padding - paddedStart, size) : 0;
  const size_t start = paddedStart + first - padding;
  if (start >= count || first == size) return (Span){.first = 0, .end = 0, .start = 0};
  return (Span){.first = first, .end = smallerOf(size, first + count - start), .start = start};
}

#define VGK_BODY "fast_winograd_body.h"
#include "for_each_isa.h"

static const WinogradPoints *pointsFor(size_t outputTile) {
  switch (outputTile) {
#define VGK_SIZE(count) \
  case count: return &winogradPoints##count;
    VGK_EACH_SIZE
#undef VGK_SIZE
  }
  return NULL;
}

/* Rows of the weights' transform: [1, p, p^2] / product of (p - q). */
static void weightFactors(const WinogradPoints *t, double (*factors)[3]) {
  double points[VGK_WINOGRAD_SIZE] = {0};
  const size_t count = 2 * t->pairCount + t->hasZero;
  for (size_t i = 0; i < 2 * t->pairCount; i++)
    points[t->hasZero + i] = i % 2 == 0 ? (double)t->points[i / 2] : -(double)t->points[i / 2];
  for (size_t i = 0; i < count; i++) {
    double denominator = 1;
    for (size_t k = 0; k < count; k++)
      if (k != i) denominator *= points[i] - points[k];
    factors[i][0] = 1 / denominator;
    factors[i][1] = points[i] / denominator;
    factors[i][2] = points[i] * points[i] / denominator;
  }
  factors[count][0] = factors[count][1] = 0;
  factors[count][2] = 1;
}

void vgk_fast_winograd_weights(
  const VGKWinograd *w, const float *weights, float *transformed, size_t panelStart, size_t panelEnd) {
  double factors[VGK_WINOGRAD_SIZE][3];
  weightFactors(pointsFor(w->outputTile), factors);
  VGK_SELECT(w->isa, winogradWeights)(w, factors, weights, transformed, panelStart, panelEnd);
}

void vgk_fast_winograd(
  const VGKWinograd *w, const float *input, const float *transformed, const float *bias, bool appliesReLU,
  float *output, float *scratch, size_t unitStart, size_t unitEnd) {
  VGK_SELECT(w->isa, winograd)(w, input, transformed, bias, appliesReLU, output, scratch, unitStart, unitEnd);
}

/* Roundings of one transform of an input, and of one of an output: at most one for each product and sum on the way of a
   number through `transformInput` and `transformOutput`, of which the largest tile has four pairs of points. */
enum { inputTransformRoundings = 8, outputTransformRoundings = 11 };

size_t vgk_fast_winograd_roundings(size_t inputChannels) {
  // Transforms along both axes; the weight's transform, the product, and the bias.
  return 2 * inputTransformRoundings + 2 * outputTransformRoundings + 3 +
         smallerOf(inputChannels, VGKConvolutionChunk) + divideUp(inputChannels, VGKConvolutionChunk);
}

/* max over i, k of sum over p |A[i, p]| * (sum over j |B[p, j]|) * |G[p, k]|, squared for two dimensions. */
double vgk_fast_winograd_amplification(size_t outputTile) {
  const WinogradPoints *t = pointsFor(outputTile);
  if (!t) return 0;
  double factors[VGK_WINOGRAD_SIZE][3], inputSums[VGK_WINOGRAD_SIZE], magnitudes[VGK_WINOGRAD_SIZE] = {0};
  weightFactors(t, factors);
  const size_t count = 2 * t->pairCount + t->hasZero;
  double all = 1;
  for (size_t j = 0; j < t->pairCount; j++) all += fabs((double)t->all[j]);
  inputSums[0] = inputSums[count] = all;
  for (size_t i = 0; i < t->pairCount; i++) {
    double others = 1;
    for (size_t j = 0; j + 1 < t->pairCount; j++) others += fabs((double)t->others[i][j]);
    for (size_t sign = 0; sign < 2; sign++) {
      magnitudes[t->hasZero + 2 * i + sign] = (double)t->points[i];
      inputSums[t->hasZero + 2 * i + sign] = others * (1 + (double)t->points[i]);
    }
  }
  double largest = 0;
  for (size_t k = 0; k < 3; k++)
    for (size_t i = 0; i < outputTile; i++) {
      double sum = i + 1 == outputTile ? inputSums[count] * fabs(factors[count][k]) : 0;
      for (size_t p = 0; p < count; p++) sum += pow(magnitudes[p], (double)i) * inputSums[p] * fabs(factors[p][k]);
      if (sum > largest) largest = sum;
    }
  return largest * largest;
}
