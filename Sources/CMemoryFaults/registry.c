#include "registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Entries are reused and never freed, so a handler can walk the list at any time.
static _Atomic(cmf_entry *) first;
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

cmf_entry *cmf_first(void) { return atomic_load(&first); }

static cmf_entry *add(
  enum cmf_kind kind, const void *start, size_t length, const char *path, const struct stat *status) {
  char *copy = strdup(path);
  if (!copy) return NULL;
  pthread_mutex_lock(&changing);
  cmf_entry *entry = cmf_first();
  while (entry && atomic_load(&entry->kind) != CMF_UNUSED) entry = entry->next;
  const bool is_new = !entry;
  if (is_new) entry = calloc(1, sizeof *entry);
  if (entry) {
    free(entry->path);
    entry->start = start;
    entry->length = length;
    entry->device = status ? status->st_dev : 0;
    entry->inode = status ? status->st_ino : 0;
    entry->path = copy;
    if (is_new) entry->next = cmf_first();
    atomic_store(&entry->kind, kind);
    if (is_new) atomic_store(&first, entry);
  } else {
    free(copy);
  }
  pthread_mutex_unlock(&changing);
  return entry;
}

cmf_entry *cmf_add_mapping(const void *start, const struct stat *status, const char *path) {
  return add(CMF_MAPPING, start, (size_t)status->st_size, path, status);
}

cmf_entry *cmf_add_temporary(const char *path) { return add(CMF_TEMPORARY, NULL, 0, path, NULL); }

void cmf_remove(cmf_entry *entry) {
  if (entry) atomic_store(&entry->kind, CMF_UNUSED);
}

cmf_entry *cmf_find(const void *address) {
  for (cmf_entry *entry = cmf_first(); entry; entry = entry->next) {
    if (atomic_load(&entry->kind) != CMF_MAPPING) continue;
    if ((const char *)address >= (const char *)entry->start &&
        (size_t)((const char *)address - (const char *)entry->start) < entry->length)
      return entry;
  }
  return NULL;
}

bool cmf_is_shorter(const cmf_entry *entry) {
  struct stat status;
  return stat(entry->path, &status) == 0 && status.st_dev == entry->device && status.st_ino == entry->inode &&
         (size_t)status.st_size < entry->length;
}

bool cmf_is_cut_off(const void *address) {
  const cmf_entry *entry = cmf_find(address);
  return entry && cmf_is_shorter(entry);
}

char *cmf_copy_path_cut_off(void) {
  char *path = NULL;
  pthread_mutex_lock(&changing);
  for (cmf_entry *entry = cmf_first(); entry && !path; entry = entry->next)
    if (atomic_load(&entry->kind) == CMF_MAPPING && cmf_is_shorter(entry)) path = strdup(entry->path);
  pthread_mutex_unlock(&changing);
  return path;
}
