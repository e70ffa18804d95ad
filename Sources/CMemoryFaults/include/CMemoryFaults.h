// Says what happened, on one line, where memory goes away under a process, instead of leaving that to a signal.
//
// A mapped file that becomes shorter is the common case: reading what is gone raises SIGBUS. Handlers may do very
// little, so all that they need is registered beforehand.
#ifndef CMEMORYFAULTS_H
#define CMEMORYFAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#pragma clang assume_nonnull begin

/// Something that a handler knows of.
typedef struct cmf_entry cmf_entry;

/// Registers the bytes of a mapped file, which has the status; safe to call from several threads. Null where there is no memory for it: then a
/// fault is reported without the file's name.
cmf_entry *_Nullable cmf_add_mapping(const void *start, const struct stat *status, const char *path);

/// Registers a temporary file that is to be removed when the process ends by a fault.
cmf_entry *_Nullable cmf_add_temporary(const char *path);

/// Forgets an entry.
void cmf_remove(cmf_entry *_Nullable entry);

/// Whether an address lies in a registered mapping whose file is shorter now than it was.
bool cmf_is_cut_off(const void *address);

/// The path of a mapped file that is shorter now than it was, to be freed; null where there is none.
char *_Nullable cmf_copy_path_cut_off(void);

/// Installs handlers that write one line to standard error, and with `writes_json` an error object to standard output,
/// remove temporary files and exit: with 74 where a file is gone, 69 where memory or stack are used up, 70 otherwise.
///
/// Where SWIFT_BACKTRACE is set, or a sanitizer is at work, only SIGBUS is handled: somebody is looking for a fault.
void cmf_report_faults(const char *tool, bool writes_json);

/// Gives the system back what was freed and the C library keeps for later, where it can.
void cmf_return_free_memory(void);

/// Has all threads allocate from one heap, where the C library would give each its own and keep what is freed there; before
/// there are threads.
void cmf_share_one_heap(void);

#pragma clang assume_nonnull end

#endif
