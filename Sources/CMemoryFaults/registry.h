// What handlers know of. All but adding is safe in a signal handler.
#ifndef CMEMORYFAULTS_REGISTRY_H
#define CMEMORYFAULTS_REGISTRY_H

#include <stdatomic.h>
#include <sys/types.h>

#include "include/CMemoryFaults.h"

enum cmf_kind { CMF_UNUSED, CMF_MAPPING, CMF_TEMPORARY };

struct cmf_entry {
  // Set last: while it says that the entry is used, all else is valid.
  _Atomic(enum cmf_kind) kind;
  const void *start;
  size_t length;
  dev_t device;
  ino_t inode;
  char *path;
  cmf_entry *next;
};

/// The first of all entries, used or not.
cmf_entry *cmf_first(void);

/// The mapping that an address lies in, or NULL.
cmf_entry *cmf_find(const void *address);

/// Whether a mapping's file is shorter now than it was; another file of its name says nothing.
bool cmf_is_shorter(const cmf_entry *entry);

#endif
