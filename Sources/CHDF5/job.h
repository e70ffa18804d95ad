// One piece of work on one file, or on the description of one, in this process or in a child.
#ifndef CHDF5_JOB_H
#define CHDF5_JOB_H

#include "include/CHDF5.h"

/// What is to be done, and the result. Lives in memory that a child shares with its parent.
struct job {
  void (*work)(struct job *);
  const uint8_t *file;
  size_t length;
  uint64_t address;
  uint8_t *output;
  size_t capacity;
  // The result; all that the parent looks at again.
  size_t used;
  chdf5_outcome outcome;
};

/// Writes the catalogue of the file to `output`.
void chdf5_list_work(struct job *job);

/// Decodes the data set at `address` to `output`.
void chdf5_decode_work(struct job *job);

/// Writes the layout of the file that `file` describes to `output`.
void chdf5_lay_out_work(struct job *job);

/// Runs a job and says how it ended.
chdf5_outcome chdf5_perform(struct job *job, chdf5_terms terms);

/// Ends a job with a failure at a place; the first one counts. Without a message it is the library's innermost one.
void chdf5_fail(struct job *job, chdf5_status status, const char *place, const char *message);

/// Gives up, in a child, every right that parsing does not need, and limits its processor time and memory. Returns 0, or
/// the `errno` of what the system refuses: then the child has lost its files, but could still call the system.
int chdf5_drop_rights(chdf5_terms terms);

#endif
