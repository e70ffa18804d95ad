/** The files of a package that are the same for every model: the runtime's own sources, which `vggconv export --to c` writes. */
#ifndef VGGRT_SOURCES_H
#define VGGRT_SOURCES_H

#include <stdint.h>

typedef struct {
  /** Of the file, without a folder. */
  const char *name;
  const uint8_t *bytes;
  uint32_t count;
} vggrt_source;

/** All files, in the order of their names. */
const vggrt_source *vggrt_sources(uint32_t *count);

#endif
