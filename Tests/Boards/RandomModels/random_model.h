/** A random model, and where all that it consists of lies. */
#ifndef RANDOM_MODEL_H
#define RANDOM_MODEL_H

#include "vggrt.h"

enum {
  MOST_LAYERS = 8,
  /** The most rows and columns of a map, and its most channels: more than registers hold. */
  MOST_ROWS = 10,
  MOST_CHANNELS = 40,
  MAP_SIZE = 1000,
  ARENA_SIZE = 1 << 18,
  IMAGE_SIZE = 1 << 18
};

typedef struct {
  uint32_t state;
  vggrt_model model;
  vggrt_layer layers[MOST_LAYERS];
  vggrt_map maps[MOST_LAYERS + 1];
  vggrt_group groups[MOST_LAYERS];
  vggrt_normalization normalizations[MOST_LAYERS];
  /** 256 int32_t, float or int8_t. */
  union {
    int32_t integers[256];
    float floats[256];
    int8_t codes[256];
  } tables[MOST_LAYERS];
  /** Each map as the reference computes it. */
  int8_t expected[MOST_LAYERS + 1][MAP_SIZE];
  _Alignas(VGGRT_ALIGNMENT) uint8_t image[IMAGE_SIZE];
  _Alignas(VGGRT_ALIGNMENT) uint8_t arena[ARENA_SIZE + VGGRT_ALIGNMENT];
  /** Whether a byte of the arena may be written. */
  uint8_t isUsed[ARENA_SIZE + VGGRT_ALIGNMENT];
} random_model;

/** The next random number below `bound`. */
uint32_t random_below(random_model *m, uint32_t bound);

/** Makes layers, weights and tables, and computes the maps of a random input. */
void random_model_make(random_model *m, uint32_t seed);

/** Makes groups and puts maps, scratch and window somewhere, with bytes between them that are nobody's. */
void random_model_plan(random_model *m);

/** Gives the image its header and the model its digests. */
void random_model_sign(random_model *m);

#endif
