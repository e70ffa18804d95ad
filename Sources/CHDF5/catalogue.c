// Walks a file and writes down what is in it. The records are described in CHDF5.h.
#include "job.h"
#include "library.h"

#include <stdlib.h>
#include <string.h>

// Every group is entered once, so a table of twice the permitted entries never fills up.
#define TABLE_SIZE (1u << 18)
_Static_assert(TABLE_SIZE >= 2 * CHDF5_MAXIMUM_ENTRIES, "the table must stay half empty");

struct walk {
  struct job *job;
  hid_t file;
  size_t entries;
  unsigned depth;
  // Where the walk is, as far as it fits; for messages.
  char path[256];
  haddr_t *entered;
};

static bool failed(const struct walk *walk) { return walk->job->outcome.status != CHDF5_DONE; }

static void fail(struct walk *walk, chdf5_status status, const char *message) {
  chdf5_fail(walk->job, status, walk->path, message);
}

static void refuse(struct walk *walk) { fail(walk, CHDF5_MALFORMED, NULL); }

// MARK: Writing

static void put_bytes(struct walk *walk, const void *bytes, size_t size) {
  struct job *job = walk->job;
  if (failed(walk)) return;
  if (size > job->capacity - job->used) return fail(walk, CHDF5_EXCESSIVE, "the list of contents takes over 16 MiB");
  if (size > 0) memcpy(job->output + job->used, bytes, size);
  job->used += size;
}

static void put_character(struct walk *walk, char character) { put_bytes(walk, &character, 1); }

static void put_number(struct walk *walk, uint64_t number) { put_bytes(walk, &number, sizeof number); }

static void put_text_of(struct walk *walk, const char *text, size_t length) {
  put_number(walk, length);
  put_bytes(walk, text, length);
}

static void put_text(struct walk *walk, const char *text) { put_text_of(walk, text, strlen(text)); }

// Counts one more entry and remembers its name; gives the length of the path to go back to.
static size_t enter(struct walk *walk, const char *name) {
  size_t length = strlen(walk->path);
  if (++walk->entries > CHDF5_MAXIMUM_ENTRIES) fail(walk, CHDF5_EXCESSIVE, "over 100000 objects and attributes");
  size_t name_length = strnlen(name, sizeof walk->path);
  if (length + name_length + 2 <= sizeof walk->path) {
    walk->path[length] = '/';
    memcpy(walk->path + length + 1, name, name_length + 1);
  }
  return length;
}

static void leave(struct walk *walk, size_t length) { walk->path[length] = 0; }

// MARK: Attributes

static void put_unreadable(struct walk *walk, const char *reason) {
  put_character(walk, 'U');
  put_text(walk, reason);
}

// A string of variable length among values that were read; NULL is the empty one.
static const char *variable_text(const char *values, size_t index) {
  const char *text;
  memcpy(&text, values + index * sizeof(char *), sizeof(char *));
  return text ? text : "";
}

static void put_variable_strings(struct walk *walk, const char *values, size_t count) {
  size_t total = 0;
  for (size_t index = 0; index < count; index++) total += strlen(variable_text(values, index));
  if (total > CHDF5_MAXIMUM_ATTRIBUTE) return put_unreadable(walk, "over 4 MiB");
  put_character(walk, 'S');
  put_number(walk, count);
  for (size_t index = 0; index < count && !failed(walk); index++) put_text(walk, variable_text(values, index));
}

static void put_fixed_strings(struct walk *walk, const char *values, size_t count, size_t size, bool is_padded) {
  put_character(walk, 'S');
  put_number(walk, count);
  for (size_t index = 0; index < count && !failed(walk); index++) {
    const char *text = values + index * size;
    size_t length = size;
    while (length > 0 && (text[length - 1] == 0 || (is_padded && text[length - 1] == ' '))) length--;
    put_text_of(walk, text, length);
  }
}

static void put_values(struct walk *walk, hid_t attribute, hid_t type, hid_t space) {
  H5T_class_t class = hdf5.H5Tget_class(type);
  bool is_variable = class == H5T_STRING && hdf5.H5Tis_variable_str(type) > 0;
  hid_t memory_type = class == H5T_STRING                          ? type
                      : class == H5T_FLOAT                         ? *hdf5.native_double
                      : class == H5T_INTEGER || class == H5T_ENUM ? *hdf5.native_int64
                                                                   : H5I_INVALID_HID;
  if (memory_type < 0) return put_unreadable(walk, "neither text nor numbers");
  bool is_null = hdf5.H5Sget_simple_extent_type(space) == H5S_NULL;
  hssize_t signed_count = is_null ? 0 : hdf5.H5Sget_simple_extent_npoints(space);
  size_t size = hdf5.H5Tget_size(memory_type), stored_size = hdf5.H5Tget_size(type);
  if (signed_count < 0 || size == 0 || stored_size == 0) return put_unreadable(walk, "impossible size");
  size_t count = (size_t)signed_count;
  if (count > CHDF5_MAXIMUM_ATTRIBUTE / size || count > CHDF5_MAXIMUM_ATTRIBUTE / stored_size)
    return put_unreadable(walk, "over 4 MiB");

  char *values = calloc(count + 1, size);
  if (!values) return put_unreadable(walk, "not enough memory");
  if (count > 0 && hdf5.H5Aread(attribute, memory_type, values) < 0) {
    put_unreadable(walk, "not well formed");
  } else if (is_variable) {
    put_variable_strings(walk, values, count);
    if (count > 0) hdf5.H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
  } else if (class == H5T_STRING) {
    put_fixed_strings(walk, values, count, size, hdf5.H5Tget_strpad(type) == H5T_STR_SPACEPAD);
  } else {
    put_character(walk, class == H5T_FLOAT ? 'F' : 'I');
    put_number(walk, count);
    put_bytes(walk, values, count * size);
  }
  free(values);
}

static herr_t on_attribute(hid_t object, const char *name, const H5A_info_t *information, void *context) {
  (void)information;
  struct walk *walk = context;
  size_t length = enter(walk, name);
  put_character(walk, 'A');
  put_text(walk, name);
  hid_t attribute = hdf5.H5Aopen(object, name, H5P_DEFAULT);
  hid_t type = attribute < 0 ? H5I_INVALID_HID : hdf5.H5Aget_type(attribute);
  hid_t space = attribute < 0 ? H5I_INVALID_HID : hdf5.H5Aget_space(attribute);
  if (type < 0 || space < 0)
    put_unreadable(walk, "not well formed");
  else
    put_values(walk, attribute, type, space);
  if (space >= 0) hdf5.H5Sclose(space);
  if (type >= 0) hdf5.H5Tclose(type);
  if (attribute >= 0) hdf5.H5Aclose(attribute);
  leave(walk, length);
  return failed(walk) ? -1 : 0;
}

static void put_attributes(struct walk *walk, hid_t object) {
  if (hdf5.H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, on_attribute, walk) < 0) refuse(walk);
}

// MARK: Data sets

static void put_order(struct walk *walk, hid_t type) {
  H5T_order_t order = hdf5.H5Tget_order(type);
  put_character(walk, order == H5T_ORDER_LE ? '<' : order == H5T_ORDER_BE ? '>' : '?');
}

static void put_type(struct walk *walk, hid_t type) {
  H5T_class_t class = hdf5.H5Tget_class(type);
  size_t size = hdf5.H5Tget_size(type);
  bool fills_its_bytes = (class == H5T_INTEGER || class == H5T_FLOAT) &&
                         hdf5.H5Tget_precision(type) == 8 * size && hdf5.H5Tget_offset(type) == 0;
  if (class == H5T_FLOAT && fills_its_bytes) {
    size_t sign = 0, exponent = 0, exponent_size = 0, mantissa = 0, mantissa_size = 0;
    if (hdf5.H5Tget_fields(type, &sign, &exponent, &exponent_size, &mantissa, &mantissa_size) < 0) refuse(walk);
    put_character(walk, 'f');
    put_number(walk, size);
    put_order(walk, type);
    put_number(walk, sign);
    put_number(walk, exponent);
    put_number(walk, exponent_size);
    put_number(walk, mantissa);
    put_number(walk, mantissa_size);
    put_number(walk, hdf5.H5Tget_ebias(type));
    put_number(walk, hdf5.H5Tget_norm(type) == H5T_NORM_IMPLIED);
  } else if (class == H5T_INTEGER && fills_its_bytes) {
    put_character(walk, 'i');
    put_number(walk, size);
    put_order(walk, type);
    put_number(walk, hdf5.H5Tget_sign(type) == H5T_SGN_2);
  } else if (class == H5T_STRING) {
    put_character(walk, 's');
    put_number(walk, hdf5.H5Tis_variable_str(type) != 0 ? 0 : size);
  } else if (class == H5T_OPAQUE) {
    char *tag = hdf5.H5Tget_tag(type);
    put_character(walk, 'o');
    put_number(walk, size);
    put_text(walk, tag ? tag : "");
    if (tag) hdf5.H5free_memory(tag);
  } else {
    put_character(walk, '?');
    put_number(walk, size);
    put_number(walk, (uint64_t)class);
  }
}

static void put_shape(struct walk *walk, hid_t space) {
  if (hdf5.H5Sget_simple_extent_type(space) == H5S_NULL) {
    put_number(walk, 1);  // no elements at all: as if it were an empty vector
    put_number(walk, 0);
    return;
  }
  hsize_t sizes[H5S_MAX_RANK];
  int rank = hdf5.H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > H5S_MAX_RANK || hdf5.H5Sget_simple_extent_dims(space, sizes, NULL) < 0) return refuse(walk);
  put_number(walk, (uint64_t)rank);
  for (int axis = 0; axis < rank; axis++) put_number(walk, sizes[axis]);
}

static void put_chunks(struct walk *walk, hid_t properties) {
  hsize_t sizes[H5S_MAX_RANK];
  int rank = hdf5.H5Pget_chunk(properties, H5S_MAX_RANK, sizes);
  int filters = hdf5.H5Pget_nfilters(properties);
  if (rank < 0 || rank > H5S_MAX_RANK || filters < 0) return refuse(walk);
  put_character(walk, 'k');
  put_number(walk, (uint64_t)rank);
  for (int axis = 0; axis < rank; axis++) put_number(walk, sizes[axis]);
  put_number(walk, (uint64_t)filters);
  for (int index = 0; index < filters; index++) {
    size_t parameters = 0;
    H5Z_filter_t filter = hdf5.H5Pget_filter2(properties, (unsigned)index, NULL, &parameters, NULL, 0, NULL, NULL);
    if (filter < 0) return refuse(walk);
    put_number(walk, (uint64_t)filter);
  }
}

static void put_storage(struct walk *walk, hid_t dataset, hid_t properties) {
  H5D_layout_t layout = hdf5.H5Pget_layout(properties);
  if (layout == H5D_CONTIGUOUS && hdf5.H5Pget_external_count(properties) != 0) {
    put_character(walk, 'x');
  } else if (layout == H5D_CONTIGUOUS) {
    haddr_t offset = hdf5.H5Dget_offset(dataset);
    put_character(walk, offset == HADDR_UNDEF ? 'u' : 'c');
    if (offset == HADDR_UNDEF) return;
    put_number(walk, offset);
    put_number(walk, hdf5.H5Dget_storage_size(dataset));
  } else if (layout == H5D_CHUNKED) {
    put_chunks(walk, properties);
  } else {
    put_character(walk, layout == H5D_COMPACT ? 'p' : layout == H5D_VIRTUAL ? 'v' : '?');
  }
}

static void put_dataset(struct walk *walk, const char *name, hid_t dataset, haddr_t address) {
  hid_t type = hdf5.H5Dget_type(dataset);
  hid_t space = hdf5.H5Dget_space(dataset);
  hid_t properties = hdf5.H5Dget_create_plist(dataset);
  if (type < 0 || space < 0 || properties < 0) {
    refuse(walk);
  } else {
    put_character(walk, 'D');
    put_text(walk, name);
    put_number(walk, address);
    put_type(walk, type);
    put_shape(walk, space);
    put_storage(walk, dataset, properties);
    put_attributes(walk, dataset);
    put_character(walk, 'E');
  }
  if (properties >= 0) hdf5.H5Pclose(properties);
  if (space >= 0) hdf5.H5Sclose(space);
  if (type >= 0) hdf5.H5Tclose(type);
}

// MARK: Groups and links

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *link, void *context);

// Whether a group is met for the first time; else entering it would repeat it, or never end.
static bool is_new(struct walk *walk, haddr_t address) {
  size_t slot = (size_t)(address * 0x9E3779B97F4A7C15u >> 46);
  for (; walk->entered[slot] != 0; slot = (slot + 1) % TABLE_SIZE)
    if (walk->entered[slot] == address + 1) return false;
  walk->entered[slot] = address + 1;
  return true;
}

static void put_link(struct walk *walk, const char *name, char kind, const char *target) {
  put_character(walk, 'L');
  put_text(walk, name);
  put_character(walk, kind);
  put_text(walk, target);
}

static void put_group(struct walk *walk, const char *name, hid_t group, haddr_t address) {
  if (!is_new(walk, address)) return put_link(walk, name, 'h', "");
  if (++walk->depth > CHDF5_MAXIMUM_DEPTH) return fail(walk, CHDF5_EXCESSIVE, "groups over 64 deep");
  put_character(walk, 'G');
  put_text(walk, name);
  put_attributes(walk, group);
  if (hdf5.H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, on_link, walk) < 0) refuse(walk);
  put_character(walk, 'E');
  walk->depth--;
}

// What a link is found to lead to; never by its name, which could be a path through links of other kinds.
static void put_object(struct walk *walk, const char *name, haddr_t address) {
  hid_t object = hdf5.H5Oopen_by_addr(walk->file, address);
  if (object < 0) return refuse(walk);
  switch (hdf5.H5Iget_type(object)) {
    case H5I_GROUP: put_group(walk, name, object, address); break;
    case H5I_DATASET: put_dataset(walk, name, object, address); break;
    case H5I_DATATYPE:
      put_character(walk, 'T');
      put_text(walk, name);
      break;
    default: fail(walk, CHDF5_MALFORMED, "an object of an unknown kind");
  }
  hdf5.H5Oclose(object);
}

static void put_indirect_link(struct walk *walk, hid_t group, const char *name, const H5L_info_t *link) {
  if (link->type != H5L_TYPE_SOFT && link->type != H5L_TYPE_EXTERNAL) return put_link(walk, name, 'u', "");
  char value[4096] = {0};
  const char *target = value, *file_name = NULL, *path = NULL;
  unsigned flags;
  if (link->u.val_size >= sizeof value || hdf5.H5Lget_val(group, name, value, sizeof value - 1, H5P_DEFAULT) < 0) {
    target = "";
  } else if (link->type == H5L_TYPE_EXTERNAL) {
    target = hdf5.H5Lunpack_elink_val(value, link->u.val_size, &flags, &file_name, &path) < 0 ? "" : file_name;
  }
  put_link(walk, name, link->type == H5L_TYPE_SOFT ? 's' : 'x', target);
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *link, void *context) {
  struct walk *walk = context;
  size_t length = enter(walk, name);
  if (!failed(walk)) {
    if (link->type == H5L_TYPE_HARD)
      put_object(walk, name, link->u.address);
    else
      put_indirect_link(walk, group, name, link);
  }
  leave(walk, length);
  return failed(walk) ? -1 : 0;
}

void chdf5_list_work(struct job *job) {
  struct walk walk = {.job = job, .entered = calloc(TABLE_SIZE, sizeof(haddr_t))};
  walk.file = walk.entered ? chdf5_open(job->file, job->length) : H5I_INVALID_HID;
  H5O_info_t information;
  hid_t root = walk.file < 0 ? H5I_INVALID_HID : hdf5.H5Oopen(walk.file, "/", H5P_DEFAULT);
  if (root < 0 || hdf5.H5Oget_info(root, &information) < 0)
    refuse(&walk);
  else
    put_group(&walk, "", root, information.addr);
  if (root >= 0) hdf5.H5Oclose(root);
  if (walk.file >= 0) hdf5.H5Fclose(walk.file);
  free(walk.entered);
}
