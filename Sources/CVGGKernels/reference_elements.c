/* Pooling, normalisation, softmax and sigmoid of the reference path: little work, so written once, for any machine. */
#include <math.h>

#include "vgk_reference.h"

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* A window along one axis. */
typedef struct {
  /* The part inside the image: start ..< end, empty if end <= start. */
  size_t start, end;
  /* The length of the part inside the padded image. */
  size_t paddedLength;
} Window;

static inline Window poolingWindow(size_t output, size_t kernel, size_t stride, size_t padding, size_t input) {
  // In coordinates of the padded image, so that nothing is negative.
  const size_t start = output * stride;
  const size_t end = smaller(start + kernel, input + 2 * padding);
  return (Window){
    .start = larger(start, padding) - padding,
    .end = larger(smaller(end, input + padding), padding) - padding,
    .paddedLength = end - start,
  };
}

void vgk_reference_pooling(
  const VGKPoolingShape *s, VGKPooling kind, const float *input, float *output, size_t rowStart, size_t rowEnd) {
  for (size_t row = rowStart; row < rowEnd; row++) {
    const float *image = input + row / s->outputHeight * s->inputHeight * s->inputWidth * s->channels;
    const Window rows =
      poolingWindow(row % s->outputHeight, s->kernelHeight, s->strideHeight, s->paddingHeight, s->inputHeight);
    for (size_t x = 0; x < s->outputWidth; x++) {
      const Window columns = poolingWindow(x, s->kernelWidth, s->strideWidth, s->paddingWidth, s->inputWidth);
      float *pixel = output + (row * s->outputWidth + x) * s->channels;
      if (kind == VGKPoolingMaximum) {
        for (size_t c = 0; c < s->channels; c++) pixel[c] = -INFINITY;
        for (size_t inputY = rows.start; inputY < rows.end; inputY++)
          for (size_t inputX = columns.start; inputX < columns.end; inputX++) {
            const float *values = image + (inputY * s->inputWidth + inputX) * s->channels;
            for (size_t c = 0; c < s->channels; c++)
              pixel[c] = pixel[c] >= values[c] || isnan(pixel[c]) ? pixel[c] : values[c];
          }
      } else {
        const double area = (double)rows.paddedLength * (double)columns.paddedLength;
        for (size_t c = 0; c < s->channels; c++) {
          double sum = 0;
          for (size_t inputY = rows.start; inputY < rows.end; inputY++)
            for (size_t inputX = columns.start; inputX < columns.end; inputX++)
              sum += image[(inputY * s->inputWidth + inputX) * s->channels + c];
          pixel[c] = (float)(sum / area);
        }
      }
    }
  }
}

static inline double square(float x) { return (double)x * (double)x; }

static inline float normalized(const VGKNormalization *n, float x, double sumOfSquares) {
  return (float)((double)x / pow(n->k + n->scale * sumOfSquares, n->beta));
}

/* The window of `size` elements centred on `position`, clipped to 0 ..< count. */
static inline Window centredWindow(size_t position, size_t size, size_t count) {
  const size_t reach = size / 2;
  return (Window){.start = larger(position, reach) - reach, .end = smaller(position + reach + 1, count)};
}

void vgk_reference_lrn_across_channels(
  const VGKNormalization *n, size_t channels, const float *input, float *output, size_t pixelStart, size_t pixelEnd) {
  for (size_t pixel = pixelStart; pixel < pixelEnd; pixel++) {
    const float *x = input + pixel * channels;
    for (size_t c = 0; c < channels; c++) {
      const Window window = centredWindow(c, n->windowSize, channels);
      double sum = 0;
      for (size_t i = window.start; i < window.end; i++) sum += square(x[i]);
      output[pixel * channels + c] = normalized(n, x[c], sum);
    }
  }
}

void vgk_reference_lrn_within_channel(
  const VGKNormalization *n, size_t height, size_t width, size_t channels, const float *input, float *output,
  size_t rowStart, size_t rowEnd) {
  for (size_t row = rowStart; row < rowEnd; row++) {
    const float *image = input + row / height * height * width * channels;
    const Window rows = centredWindow(row % height, n->windowSize, height);
    for (size_t x = 0; x < width; x++) {
      const Window columns = centredWindow(x, n->windowSize, width);
      for (size_t c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t inputY = rows.start; inputY < rows.end; inputY++)
          for (size_t inputX = columns.start; inputX < columns.end; inputX++)
            sum += square(image[(inputY * width + inputX) * channels + c]);
        const size_t index = (row * width + x) * channels + c;
        output[index] = normalized(n, input[index], sum);
      }
    }
  }
}

void vgk_reference_softmax(size_t count, const float *input, float *output, size_t rowStart, size_t rowEnd) {
  for (size_t row = rowStart; row < rowEnd; row++) {
    const float *x = input + row * count;
    double largest = x[0];
    for (size_t i = 1; i < count; i++)
      if (x[i] > largest) largest = x[i];
    // Exponentials are taken twice rather than stored: no row is too long, and the division stays in double.
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += exp(x[i] - largest);
    for (size_t i = 0; i < count; i++) output[row * count + i] = (float)(exp(x[i] - largest) / sum);
  }
}

void vgk_reference_sigmoid(size_t count, const float *input, float *output) {
  for (size_t i = 0; i < count; i++) output[i] = (float)(1 / (1 + exp(-(double)input[i])));
}
