// Has the library lay out a file of groups, attributes and data sets. The records are described in CHDF5.h.
#include "job.h"
#include "library.h"

#include <stdlib.h>
#include <string.h>

struct placed {
  uint64_t offset, size;
};

struct layout {
  struct job *job;
  hid_t file;
  size_t position;
  // The data sets in the order of their records.
  struct placed *placed;
  size_t placed_count;
};

static bool failed(const struct layout *layout) { return layout->job->outcome.status != CHDF5_DONE; }

// MARK: Records

static void refuse_record(struct layout *layout) {
  chdf5_fail(layout->job, CHDF5_MALFORMED, "", "a description that ends within a record");
}

static uint64_t take_number(struct layout *layout) {
  uint64_t number = 0;
  if (failed(layout)) return 0;
  if (layout->job->length - layout->position < sizeof number) return refuse_record(layout), 0;
  memcpy(&number, layout->job->file + layout->position, sizeof number);
  layout->position += sizeof number;
  return number;
}

// A terminated text.
static const char *take_text(struct layout *layout) {
  uint64_t length = take_number(layout);
  if (failed(layout)) return "";
  const char *text = (const char *)layout->job->file + layout->position;
  size_t rest = layout->job->length - layout->position;
  if (length >= rest || text[length] != 0) return refuse_record(layout), "";
  layout->position += (size_t)length + 1;
  return text;
}

// MARK: What is made

static void check(struct layout *layout, bool is_done, const char *place) {
  if (!is_done) chdf5_fail(layout->job, CHDF5_MALFORMED, place, NULL);
}

// Groups on the way to an object are made with it.
static hid_t link_properties(void) {
  hid_t properties = hdf5.H5Pcreate(*hdf5.link_create);
  hdf5.H5Pset_create_intermediate_group(properties, 1);
  return properties;
}

static void make_group(struct layout *layout) {
  const char *path = take_text(layout);
  if (failed(layout)) return;
  hid_t links = link_properties();
  hid_t group = hdf5.H5Gcreate2(layout->file, path, links, H5P_DEFAULT, H5P_DEFAULT);
  check(layout, group >= 0 && hdf5.H5Gclose(group) >= 0, path);
  hdf5.H5Pclose(links);
}

static void make_dataset(struct layout *layout) {
  const char *path = take_text(layout);
  uint64_t rank = take_number(layout), count = 1;
  hsize_t sizes[H5S_MAX_RANK];
  if (rank > H5S_MAX_RANK) return refuse_record(layout);
  for (uint64_t axis = 0; axis < rank; axis++) {
    sizes[axis] = take_number(layout);
    count *= sizes[axis];
  }
  struct placed *placed = realloc(layout->placed, (layout->placed_count + 1) * sizeof *placed);
  if (!placed) return chdf5_fail(layout->job, CHDF5_EXCESSIVE, path, "not enough memory");
  layout->placed = placed;
  if (failed(layout)) return;

  hid_t links = link_properties(), properties = hdf5.H5Pcreate(*hdf5.dataset_create);
  hid_t space = hdf5.H5Screate_simple((int)rank, sizes, NULL);
  // It gets its place at once, and nobody writes zeros there; no times, so that equal descriptions give equal files.
  bool is_prepared = hdf5.H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY) >= 0 &&
                     hdf5.H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER) >= 0 &&
                     hdf5.H5Pset_obj_track_times(properties, 0) >= 0;
  hid_t dataset =
      is_prepared ? hdf5.H5Dcreate2(layout->file, path, *hdf5.float32, space, links, properties, H5P_DEFAULT)
                  : H5I_INVALID_HID;
  haddr_t offset = dataset < 0 ? HADDR_UNDEF : hdf5.H5Dget_offset(dataset);
  check(layout, offset != HADDR_UNDEF && hdf5.H5Dclose(dataset) >= 0, path);
  layout->placed[layout->placed_count++] = (struct placed){offset, count * sizeof(float)};
  hdf5.H5Sclose(space);
  hdf5.H5Pclose(properties);
  hdf5.H5Pclose(links);
}

static void write_attribute(struct layout *layout, const char *path, const char *name, hid_t type, hid_t space,
                            const void *values) {
  hid_t object = hdf5.H5Oopen(layout->file, path, H5P_DEFAULT);
  hid_t attribute = object < 0 ? object : hdf5.H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  check(layout, attribute >= 0 && hdf5.H5Awrite(attribute, type, values) >= 0, path);
  if (attribute >= 0) hdf5.H5Aclose(attribute);
  if (object >= 0) hdf5.H5Oclose(object);
  hdf5.H5Sclose(space);
}

static void make_text(struct layout *layout, bool is_variable) {
  const char *path = take_text(layout), *name = take_text(layout), *text = take_text(layout);
  if (failed(layout)) return;
  hid_t type = hdf5.H5Tcopy(*hdf5.c_string), space = hdf5.H5Screate(H5S_SCALAR);
  size_t length = strlen(text);
  if (is_variable) {
    hdf5.H5Tset_size(type, H5T_VARIABLE);
    hdf5.H5Tset_cset(type, H5T_CSET_UTF8);
  } else {
    hdf5.H5Tset_size(type, length ? length : 1);
    hdf5.H5Tset_strpad(type, H5T_STR_NULLPAD);
  }
  write_attribute(layout, path, name, type, space, is_variable ? (const void *)&text : text);
  hdf5.H5Tclose(type);
}

static void make_list(struct layout *layout) {
  const char *path = take_text(layout), *name = take_text(layout);
  hsize_t count = take_number(layout);
  if (count > layout->job->length) return refuse_record(layout);
  const char **texts = calloc(count + 1, sizeof *texts);
  size_t longest = 1;
  for (hsize_t index = 0; texts && index < count; index++) {
    texts[index] = take_text(layout);
    if (strlen(texts[index]) > longest) longest = strlen(texts[index]);
  }
  char *values = texts && !failed(layout) ? calloc(count + 1, longest) : NULL;
  if (values) {
    for (hsize_t index = 0; index < count; index++)
      memcpy(values + index * longest, texts[index], strlen(texts[index]));
    hid_t type = hdf5.H5Tcopy(count > 0 ? *hdf5.c_string : *hdf5.float64);
    if (count > 0) {
      hdf5.H5Tset_size(type, longest);
      hdf5.H5Tset_strpad(type, H5T_STR_NULLPAD);
    }
    write_attribute(layout, path, name, type, hdf5.H5Screate_simple(1, &count, NULL), values);
    hdf5.H5Tclose(type);
  } else {
    chdf5_fail(layout->job, CHDF5_EXCESSIVE, path, "not enough memory");
  }
  free(values);
  free(texts);
}

static void make_everything(struct layout *layout) {
  while (layout->position < layout->job->length && !failed(layout)) {
    switch (layout->job->file[layout->position++]) {
    case 'G': make_group(layout); break;
    case 'D': make_dataset(layout); break;
    case 'S': make_text(layout, false); break;
    case 'V': make_text(layout, true); break;
    case 'L': make_list(layout); break;
    default: refuse_record(layout);
    }
  }
}

// MARK: The result

static uint8_t *output_for(struct layout *layout, uint64_t size) {
  struct job *job = layout->job;
  if (size > job->capacity - job->used) {
    chdf5_fail(job, CHDF5_EXCESSIVE, "", "names and attributes take over 16 MiB");
    return NULL;
  }
  job->used += (size_t)size;
  return job->output + job->used - size;
}

static void put_number(struct layout *layout, uint64_t number) {
  uint8_t *output = output_for(layout, sizeof number);
  if (output) memcpy(output, &number, sizeof number);
}

static int compare_offsets(const void *left, const void *right) {
  uint64_t a = ((const struct placed *)left)->offset, b = ((const struct placed *)right)->offset;
  return a < b ? -1 : a > b;
}

static void put_result(struct layout *layout) {
  put_number(layout, chdf5_skeleton_length());
  for (size_t index = 0; index < layout->placed_count; index++) put_number(layout, layout->placed[index].offset);
  qsort(layout->placed, layout->placed_count, sizeof *layout->placed, compare_offsets);
  uint64_t position = 0;
  for (size_t index = 0; index <= layout->placed_count && !failed(layout); index++) {
    uint64_t end = index < layout->placed_count ? layout->placed[index].offset : chdf5_skeleton_length();
    if (end < position) return chdf5_fail(layout->job, CHDF5_MALFORMED, "", "data sets that overlap");
    uint8_t *output = output_for(layout, end - position);
    if (output) chdf5_read_skeleton(position, end - position, output);
    if (index < layout->placed_count) position = end + layout->placed[index].size;
  }
}

void chdf5_lay_out_work(struct job *job) {
  struct layout layout = {.job = job, .file = chdf5_create_skeleton()};
  if (layout.file < 0) return chdf5_fail(job, CHDF5_MALFORMED, "/", NULL);
  make_everything(&layout);
  // Closing the file closes what a failure left open in it, and writes what the library still holds.
  check(&layout, hdf5.H5Fclose(layout.file) >= 0, "/");
  if (!failed(&layout)) put_result(&layout);
  chdf5_release_skeleton();
  free(layout.placed);
}
