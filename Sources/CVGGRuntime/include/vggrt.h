/**
 * vggrt: runs a VGG whose maps are int8 codes, on a board.
 *
 * C11, freestanding: no library but memcpy and memset, no heap, no recursion, no variables outside of functions. A model is a
 * constant (`vggrt_model`, written by `vggconv export --to c`) and an image of weights; both are only read. All memory that a run
 * writes is the arena, whose length is known when the model is made, and the stack.
 *
 * How it computes. Layers follow one another, so do their maps: map 0 is the input, map i + 1 the output of layer i. A map is
 * height x width x channels, one byte each, and lies in the arena as rows: all of them, or the last `rows` ones in a ring. Layers
 * form groups. The maps between two groups are whole; within a group the layers take turns strip by strip: each computes the rows
 * that the next `strip` rows of the group's output need and that are not there yet. So nothing is computed twice, and no more
 * rows are kept than are still needed. The output of a group may lie over its input, where rows are not needed any more.
 *
 * What the arithmetic is, to the last bit, is said in CVGGRules (`vgr_*.h`) and `docs/integer_arithmetic.md`.
 */
#ifndef VGGRT_H
#define VGGRT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "vggrt reads numbers of the weight image where they lie: it needs a little-endian machine"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** What came of a call; all but the first one mean that no output is to be believed. */
typedef enum {
  VGGRT_OK = 0,
  /** The arena is shorter than `arena_size`. */
  VGGRT_ARENA_TOO_SMALL = 1,
  /** The arena or the weights in memory do not lie at a multiple of `VGGRT_ALIGNMENT`. */
  VGGRT_MISALIGNED = 2,
  /** The layers, maps or groups are not those that the model was made with. */
  VGGRT_PLAN_DAMAGED = 3,
  /** The image is of another model, or of another version of vggrt, or too short, or there is none. */
  VGGRT_OTHER_WEIGHTS = 4,
  /** The image's digest is another one. */
  VGGRT_WEIGHTS_DAMAGED = 5,
  /** The function that reads the weights could not. */
  VGGRT_READ_FAILED = 6,
  /** The weights are to be read, but the model was made for weights in memory: it has no window to read them to. */
  VGGRT_NO_WINDOW = 7,
  /** A run without a successful `vggrt_init`. */
  VGGRT_NOT_READY = 8,
  /** A self-test found a layer whose output is another one. */
  VGGRT_WRONG_OUTPUT = 9
} vggrt_status;

/** The arena and weights in memory begin at a multiple of this many bytes. */
#define VGGRT_ALIGNMENT 16u

/** What a layer does. */
typedef enum {
  VGGRT_CONVOLUTION = 0,
  VGGRT_MAXIMUM_POOLING = 1,
  VGGRT_AVERAGE_POOLING = 2,
  VGGRT_DENSE = 3,
  /** Over the channels of each pixel; `table` holds 256 exponentials, as `vgr_softmax.h` has them: float or int32_t. */
  VGGRT_SOFTMAX = 4,
  /** Local response normalisation across channels; `table` is a `vggrt_normalization`. */
  VGGRT_NORMALIZATION = 5,
  /** Each code is replaced by that of `table`, 256 int8_t from the code -128 on: a sigmoid. */
  VGGRT_LOOKUP = 6
} vggrt_kind;

/** How sums become codes. */
typedef enum {
  /** A float32 product, to nearest, ties to even. */
  VGGRT_LITERT = 0,
  /** Fixed point, rounded twice; no float is computed with. */
  VGGRT_TFLM = 1
} vggrt_rounding;

/** How the weights of a layer lie in the image. Each output channel has a row, and rows follow one another. */
typedef enum {
  /** int8_t, [output][row][column][input]; a row ends with zeros up to a multiple of four bytes. */
  VGGRT_PLAIN = 0,
  /** Dense layers with many zeros: for each output, blocks of 256 inputs (the last one of the rest): a bitmap of a bit for each
      input, the lowest bit of a byte first, 32 bytes or what the rest needs; then the codes that are not zero. A row begins with
      the length of its blocks as uint32_t, and ends with zeros up to a multiple of four bytes. */
  VGGRT_SPARSE = 1,
  /** 3x3, stride 1, no dilation, a multiple of four inputs: the weights in the form of Winograd's F(2x2, 3x3), int16_t,
      [output][position][input], of 16 positions; inputs in each group of four in the order 0, 2, 1, 3. See `vggrt_expand.h` of vggconv. */
  VGGRT_WINOGRAD = 2
} vggrt_encoding;

typedef struct {
  uint16_t height, width;
  uint32_t channels;
} vggrt_shape;

/** The numbers of an output channel, in the image. */
typedef struct {
  /** The bias less the zero point of the input times the sum of the weights, modulo 2^32: sums are taken of codes as they are, and
      beside the map every code is the zero point. */
  int32_t bias;
  union {
    /** VGGRT_LITERT */
    float scale;
    /** VGGRT_TFLM */
    int32_t multiplier;
  } factor;
  /** VGGRT_TFLM; otherwise 0. */
  int32_t shift;
} vggrt_channel;

typedef struct {
  uint8_t kind, encoding;
  int8_t input_zero_point, output_zero_point;
  /** The bounds of the output's codes, of convolutions and dense layers. */
  int8_t low, high;
  uint8_t stride_height, stride_width, dilation_height, dilation_width;
  /** Above and to the left; what is needed below and to the right follows from the shapes. */
  uint16_t padding_top, padding_left;
  uint16_t kernel_height, kernel_width;
  vggrt_shape input, output;
  /** Where in the image the `output.channels` numbers of `vggrt_channel` begin, and the rows of weights; multiples of 4. */
  uint32_t channels_offset, weights_offset;
  /** The bytes of the rows of weights. */
  uint32_t weights_length;
  const void *table;
} vggrt_layer;

/**
 * Where the rows of a map lie in the arena: row y at `offset` + (y % rows) * width * channels. A ring has room for the rows that its layer
 * computes at a time, and before them for those that the next layer still needs.
 */
typedef struct {
  uint32_t offset;
  /** The map's height: all of it is there. */
  uint16_t rows;
} vggrt_map;

typedef struct {
  uint8_t first, count;
  /** How many rows of the output of its last layer are computed at a time, the last time fewer. */
  uint16_t strip;
  /** Where in the arena there is room for what its layers need besides (`vggrt_scratch_size`), and for weights that are read. */
  uint32_t scratch_offset, window_offset;
} vggrt_group;

/** A local response normalisation; see docs/integer_arithmetic.md. */
typedef struct {
  double k, unit, scale_ratio;
  /** beta * 4, 1 to 16. */
  uint8_t quarters;
  /** How many channels the window reaches to either side. */
  uint8_t reach;
} vggrt_normalization;

/** A model: what is known when it is made. */
typedef struct {
  const vggrt_layer *layers;
  /** `layer_count` + 1 */
  const vggrt_map *maps;
  const vggrt_group *groups;
  uint8_t layer_count, group_count, rounding;
  /** 1: `weights_digest` is a SHA-256; 0: its first four bytes are a CRC-32, little-endian. */
  uint8_t has_sha256;
  uint32_t arena_size;
  /** The bytes that weights are read to at a time; 0: weights in memory only. */
  uint32_t window_size;
  uint32_t weights_length;
  /** The CRC-32 of layers, maps and groups, as `vggrt_plan_crc32` takes it. */
  uint32_t plan_crc32;
  uint8_t weights_digest[32];
} vggrt_model;

/** The image begins with this. */
typedef struct {
  /** 'V', 'G', 'R', 'T' */
  uint8_t magic[4];
  uint32_t version;
  /** Of the image, this included. */
  uint32_t length;
  uint32_t plan_crc32;
} vggrt_image_header;

#define VGGRT_IMAGE_VERSION 1u

/** Where the weights are: in memory (`memory` is not NULL), or where `read` gets them from. */
typedef struct {
  const void *memory;
  /** Copies `count` bytes from `offset` of the image on; anything but 0 says that it could not. */
  int (*read)(void *context, uint32_t offset, void *destination, uint32_t count);
  void *context;
  /** The length of the image. */
  uint32_t length;
} vggrt_weights;

/** Is told each row of a layer's output that is computed, from the first one on; `count` is width * channels. */
typedef void (*vggrt_observer)(void *context, uint32_t layer, const int8_t *row, uint32_t count);

/** A model in an arena. Its members are vggrt's own. */
typedef struct {
  const vggrt_model *model;
  uint8_t *arena;
  vggrt_weights weights;
  vggrt_observer observer;
  void *observer_context;
  /** Whether the last run succeeded. */
  uint8_t has_output;
} vggrt;

/**
 * Prepares a model.
 *
 * @param checks_weights whether all of the image is read and its digest compared, which takes a while; the image's header and the
 *   plan are checked in any case
 */
vggrt_status vggrt_init(
  vggrt *runtime, const vggrt_model *model, void *arena, size_t arena_size, const vggrt_weights *weights,
  int checks_weights);

/** Checks all again that `vggrt_init` can check, the digest of the weights too. Overwrites the input and the output. */
vggrt_status vggrt_check(vggrt *runtime);

/** Where the input's codes go before each run: [row][column][channel]. A run overwrites them. NULL if nothing is prepared. */
int8_t *vggrt_input(const vggrt *runtime);

/** Computes the output of the input. */
vggrt_status vggrt_run(vggrt *runtime);

/** The codes of the last layer's output, before the next input is written; NULL unless the last run was VGGRT_OK. */
const int8_t *vggrt_output(const vggrt *runtime);

/** Sets who is told of layers' outputs; NULL: nobody. */
void vggrt_observe(vggrt *runtime, vggrt_observer observer, void *context);

/** The bytes that a layer needs beside its maps, a multiple of `VGGRT_ALIGNMENT`: the most that any kernels of vggrt need. */
uint32_t vggrt_scratch_size(const vggrt_layer *layer);

/** The fewest bytes of a window that the layer's weights can be read to. */
uint32_t vggrt_least_window(const vggrt_layer *layer);

/**
 * The CRC-32 of the plan: of each number of the model up to `weights_length`, of layers with the bytes of their tables, of maps and of
 * groups, in the order of declaration, little-endian and without what is between them.
 */
uint32_t vggrt_plan_crc32(const vggrt_model *model);

/** A CRC-32 (ISO-HDLC, as of zip); 0 is that of no bytes, which others continue. */
uint32_t vggrt_crc32(uint32_t crc, const void *bytes, size_t count);

/** SHA-256, in parts (FIPS 180-4). */
typedef struct {
  uint32_t state[8];
  uint32_t length_low, length_high;
  uint8_t block[64];
} vggrt_sha256;

void vggrt_sha256_begin(vggrt_sha256 *sha);
void vggrt_sha256_add(vggrt_sha256 *sha, const void *bytes, size_t count);
void vggrt_sha256_end(vggrt_sha256 *sha, uint8_t digest[32]);

/**
 * Runs the input that came with the model, and compares the output of each layer with what it was where the model was made. It is part of
 * an exported package (`selftest.c`).
 *
 * @param wrong_layer gets the first one, where the status is VGGRT_WRONG_OUTPUT
 */
vggrt_status vggrt_selftest(vggrt *runtime, uint32_t *wrong_layer);

/** One line about a status, in English. */
const char *vggrt_status_text(vggrt_status status);

#ifdef __cplusplus
}
#endif

#endif
