/** Runs models of random shapes, plans and weights, and compares every row with the plain reference of the host's engine. */
#ifndef RANDOM_MODELS_H
#define RANDOM_MODELS_H

#include <stdint.h>

/** The number of the first model that is computed wrongly, with `problem` saying why, or `count` if none is. */
uint32_t random_models_check(uint32_t first, uint32_t count, const char **problem);

/** Changes a random model, its image and its memory in all ways that must be noticed; says which one was not, or NULL. */
const char *random_models_check_refusals(uint32_t number);

/** The number of the first round of convolutions and dense layers that differ from their plain definition, or `count` if none does. */
uint32_t random_products_check(uint32_t first, uint32_t count);

#endif
