// Reads HDF5 files that nobody vouches for, and lays out new ones, with the system's libhdf5.
//
// * The library is loaded on first use, never linked: it brings curl, OpenSSL and Kerberos along, which commands
//   that need no HDF5 would pay for at each start.
// * A file is a run of bytes in memory, such as a mapped file or a member of a mapped archive. HDF5 reads it through
//   a driver of ours, so the library never opens a file.
// * libhdf5 1.10 has known memory errors on hostile files. So all parsing happens in a child process that has
//   no rights and no open files, and dies at the latest when its time is up. It leaves its result in shared memory, which
//   the caller must still treat as untrusted: a child that was taken over can write anything there.
//
// * New files are laid out in such a child too, though nothing is hostile there: so the library has no state in the
//   process, and a child that is forked at the same time finds it as it was. Numbers of data sets are not its business.
//
// library.c loads the library, driver.c is the driver, catalogue.c walks a file, dataset.c decodes one data set,
// layout.c lays out a file through the driver in skeleton.c, job.c runs any of them in the child, sandbox.c takes the
// child's rights away.
#ifndef CHDF5_H
#define CHDF5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// How a job ended.
typedef enum chdf5_status {
  /// It is done.
  CHDF5_DONE = 0,
  /// libhdf5 is not installed, or not in the version that this was compiled for.
  CHDF5_UNAVAILABLE = 1,
  /// The library refuses the file; `message` is what it says.
  CHDF5_MALFORMED = 2,
  /// The file has more than is allowed; `message` says of what.
  CHDF5_EXCESSIVE = 3,
  /// The child died of the signal `detail`, or left nonsense behind.
  CHDF5_CRASHED = 4,
  /// The child was stopped because its time was up.
  CHDF5_TIMED_OUT = 5,
  /// The system did not provide a process or memory; `detail` is the `errno`.
  CHDF5_NO_RESOURCES = 6,
} chdf5_status;

/// How a job ended, and where in the file. Both texts are terminated, of unknown encoding.
typedef struct chdf5_outcome {
  chdf5_status status;
  int detail;
  char place[256];
  char message[256];
} chdf5_outcome;

/// What a job may take and where it runs.
typedef struct chdf5_terms {
  /// Whether to work in a child process. Without it the process trusts the file; for tests and fuzzing only, and not
  /// at the same time as isolated jobs.
  bool isolated;
  /// Processor seconds; three times as many seconds may pass on the clock.
  unsigned seconds;
  /// The bytes of memory that a child may take beyond what it inherits.
  size_t memory;
} chdf5_terms;

/// The most groups, data sets, links and attributes of a file together.
#define CHDF5_MAXIMUM_ENTRIES 100000
/// The deepest nesting of groups.
#define CHDF5_MAXIMUM_DEPTH 64
/// The size of the largest catalogue, and of the largest attribute in it.
#define CHDF5_MAXIMUM_CATALOGUE ((size_t)16 << 20)
#define CHDF5_MAXIMUM_ATTRIBUTE ((size_t)4 << 20)

/// Lists everything in a file.
///
/// A catalogue is a sequence of records. Numbers are native 64-bit integers (n), a text is its length and its bytes (t),
/// c is one character:
///
///     group     'G' t name, records of its attributes and children, 'E'
///     data set  'D' t name, n address, TYPE, n rank, n sizes…, STORAGE, records of its attributes, 'E'
///     link      'L' t name, c kind, t target    's' soft, 'x' external, 'u' user-defined, 'h' a second way to a group
///     type      'T' t name                      a type that is stored under a name
///     attribute 'A' t name, 'S' n count, t values… | 'I' n count, n values… | 'F' n count, doubles… | 'U' t reason
///
///     TYPE      'f' n size, c order, n sign position, n exponent position, n exponent size, n mantissa position,
///               n mantissa size, n exponent bias, n 1 where the leading bit is implied
///               'i' n size, c order, n 1 where signed | 's' n size, 0 where variable | 'o' n size, t tag
///               '?' n size, n class                                 order: '<' little-endian, '>' big-endian, '?' other
///     STORAGE   'c' n offset, n bytes | 'u' not allocated | 'p' compact | 'x' external files | 'v' virtual
///               'k' n rank, n chunk sizes…, n filters, n filter identifiers…              | '?' other
///
/// The first record is the root group. Children and attributes stand in the order of their names.
/// `catalogue` is to be given back to `chdf5_release`, whatever the outcome.
chdf5_outcome chdf5_list(const uint8_t *file, size_t length, chdf5_terms terms, uint8_t **catalogue, size_t *count);

/// Finds out whether the children that parse files lose all their rights on this system: 0, or the `errno` of what it
/// refuses, as in old kernels and some containers.
///
/// A child of its own is asked, which parses nothing: one that does could be made to lie.
int chdf5_probe_sandbox(void);

/// Frees a catalogue or a layout; NULL is none.
void chdf5_release(uint8_t *output);

/// Lays out a new file with superblock 0, of groups, attributes, and contiguous data sets of little-endian float32.
///
/// A description is a sequence of records, with numbers and texts as in a catalogue, but that a zero follows each text.
/// Groups on the way to an object need no record of their own. Paths begin at the root, which is `/`.
///
///     group     'G' t path
///     data set  'D' t path, n rank, n sizes…
///     attribute 'S' t path, t name, t text                 a text of fixed length
///               'V' t path, t name, t text                 a text of variable length, in UTF-8
///               'L' t path, t name, n count, t texts…      texts of fixed length; none is an array of no numbers
///
/// The layout is the length of the file (n), the offset of each data set in the order of the records (n), and all bytes
/// of the file but those of data sets, in order. It is to be given back to `chdf5_release`, whatever the outcome.
chdf5_outcome chdf5_lay_out(const uint8_t *description, size_t length, chdf5_terms terms, uint8_t **layout,
                            size_t *count);

/// Decodes the data set at an address, as the catalogue gives it, into memory of exactly its size. The numbers stay as
/// the file's type says. The memory must be a shared mapping (MAP_SHARED), else the child's work is lost.
chdf5_outcome chdf5_decode(const uint8_t *file, size_t length, uint64_t address, chdf5_terms terms, uint8_t *output,
                           size_t size);

#endif
