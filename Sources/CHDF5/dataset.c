#include "job.h"
#include "library.h"

// The size of the data set's numbers, where they can be decoded; else a reason why not.
static const char *measure(hid_t type, hid_t space, hid_t properties, size_t *size) {
  H5T_class_t class = hdf5.H5Tget_class(type);
  bool is_plain = class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_OPAQUE ||
                  (class == H5T_STRING && hdf5.H5Tis_variable_str(type) == 0);
  if (!is_plain) return "the data set does not hold plain numbers";
  if (hdf5.H5Pget_layout(properties) == H5D_VIRTUAL || hdf5.H5Pget_external_count(properties) != 0)
    return "the data set is stored in other files";
  hssize_t count = hdf5.H5Sget_simple_extent_npoints(space);
  if (count < 0 || __builtin_mul_overflow((size_t)count, hdf5.H5Tget_size(type), size))
    return "the data set has an impossible size";
  return NULL;
}

void chdf5_decode_work(struct job *job) {
  hid_t file = chdf5_open(job->file, job->length);
  if (file < 0) return chdf5_fail(job, CHDF5_MALFORMED, "/", NULL);
  hid_t dataset = hdf5.H5Oopen_by_addr(file, job->address);
  hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, properties = H5I_INVALID_HID;
  if (dataset < 0 || hdf5.H5Iget_type(dataset) != H5I_DATASET || (type = hdf5.H5Dget_type(dataset)) < 0 ||
      (space = hdf5.H5Dget_space(dataset)) < 0 || (properties = hdf5.H5Dget_create_plist(dataset)) < 0) {
    chdf5_fail(job, CHDF5_MALFORMED, "", NULL);
  } else {
    size_t size = 0;
    const char *obstacle = measure(type, space, properties, &size);
    if (!obstacle && size != job->capacity) obstacle = "the data set has another size than it had at first";
    if (obstacle)
      chdf5_fail(job, CHDF5_MALFORMED, "", obstacle);
    else if (hdf5.H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, job->output) < 0)
      chdf5_fail(job, CHDF5_MALFORMED, "", NULL);
    else
      job->used = size;
  }
  if (properties >= 0) hdf5.H5Pclose(properties);
  if (space >= 0) hdf5.H5Sclose(space);
  if (type >= 0) hdf5.H5Tclose(type);
  hdf5.H5Fclose(file);
}
