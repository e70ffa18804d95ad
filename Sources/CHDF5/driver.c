// A read-only file driver over bytes in memory.
#include "library.h"

#include <stdlib.h>
#include <string.h>

struct memory_file {
  H5FD_t base;  // filled by the library; must be first
  haddr_t end_of_allocation;
};

// How to open a file through this driver.
static hid_t access_properties = H5I_INVALID_HID;
static const uint8_t *file_bytes;
static size_t file_length;
// A virtual data set makes the library open the files that it names through the same driver: they must not get these
// bytes, so only one file can be open.
static bool file_is_open;

static H5FD_t *memory_open(const char *name, unsigned flags, hid_t access, haddr_t maximum) {
  (void)name, (void)access, (void)maximum;
  if (flags != 0 || file_is_open) return NULL;
  struct memory_file *file = calloc(1, sizeof *file);
  if (!file) return NULL;
  file_is_open = true;
  return &file->base;
}

static herr_t memory_close(H5FD_t *file) {
  file_is_open = false;
  free(file);
  return 0;
}

static herr_t memory_query(const H5FD_t *file, unsigned long *features) {
  (void)file;
  if (features) *features = 0;
  return 0;
}

static haddr_t memory_end_of_allocation(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const struct memory_file *)file)->end_of_allocation;
}

static herr_t memory_set_end_of_allocation(H5FD_t *file, H5FD_mem_t type, haddr_t address) {
  (void)type;
  ((struct memory_file *)file)->end_of_allocation = address;
  return 0;
}

static haddr_t memory_end_of_file(const H5FD_t *file, H5FD_mem_t type) {
  (void)file, (void)type;
  return file_length;
}

static herr_t memory_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, void *buffer) {
  (void)file, (void)type, (void)transfer;
  if (address > file_length || size > file_length - address) return -1;
  memcpy(buffer, file_bytes + address, size);
  return 0;
}

static herr_t memory_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                           const void *buffer) {
  (void)file, (void)type, (void)transfer, (void)address, (void)size, (void)buffer;
  return -1;
}

bool chdf5_register_driver(void) {
  static const H5FD_class_t memory_class = {
#ifdef H5FD_CLASS_VERSION
      .version = H5FD_CLASS_VERSION,
      .value = 700,  // of the range that is free for private use
#endif
      .name = "memory",
      .maxaddr = INT64_MAX,
      .fc_degree = H5F_CLOSE_STRONG,
      .open = memory_open,
      .close = memory_close,
      .query = memory_query,
      .get_eoa = memory_end_of_allocation,
      .set_eoa = memory_set_end_of_allocation,
      .get_eof = memory_end_of_file,
      .read = memory_read,
      .write = memory_write,
      .fl_map = H5FD_FLMAP_SINGLE,
  };
  hid_t driver = hdf5.H5FDregister(&memory_class);
  access_properties = hdf5.H5Pcreate(*hdf5.file_access);
  // Closing the file closes whatever a failed walk left open in it.
  return driver >= 0 && hdf5.H5Pset_driver(access_properties, driver, NULL) >= 0 &&
         hdf5.H5Pset_fclose_degree(access_properties, H5F_CLOSE_STRONG) >= 0;
}

hid_t chdf5_open(const uint8_t *bytes, size_t length) {
  file_bytes = bytes;
  file_length = length;
  hdf5.H5Eset_auto2(H5E_DEFAULT, NULL, NULL);  // errors are not printed; the setting is the thread's own
  return hdf5.H5Fopen("bytes in memory", 0 /* read-only */, access_properties);
}
