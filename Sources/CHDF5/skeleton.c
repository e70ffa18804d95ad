// A file driver that keeps what the library writes, in pages: a file whose data sets are never written takes no room for them.
#include "library.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE 4096u
// H5F_ACC_TRUNC, without the macro's call of functions that are not linked.
#define REPLACES_FILE 0x0002u

struct page {
  haddr_t number;
  uint8_t bytes[PAGE_SIZE];
};

struct skeleton_file {
  H5FD_t base;  // filled by the library; must be first
  haddr_t end_of_allocation;
};

static hid_t access_properties = H5I_INVALID_HID;
// The file that was made last, its pages in ascending order; one at a time.
static struct page **pages;
static size_t page_count, page_capacity;
static haddr_t end_of_file;

// The place of a page, or where it belongs.
static size_t place_of(haddr_t number) {
  size_t low = 0, high = page_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (pages[middle]->number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// A page of the file; NULL where it was never written, or cannot be made.
static struct page *page_at(haddr_t number, bool makes) {
  size_t place = place_of(number);
  if (place < page_count && pages[place]->number == number) return pages[place];
  if (!makes) return NULL;
  if (page_count == page_capacity) {
    size_t capacity = page_capacity ? 2 * page_capacity : 64;
    struct page **larger = realloc(pages, capacity * sizeof *larger);
    if (!larger) return NULL;
    pages = larger;
    page_capacity = capacity;
  }
  struct page *page = calloc(1, sizeof *page);
  if (!page) return NULL;
  page->number = number;
  memmove(pages + place + 1, pages + place, (page_count - place) * sizeof *pages);
  pages[place] = page;
  page_count++;
  return page;
}

void chdf5_read_skeleton(uint64_t address, size_t size, uint8_t *output) {
  while (size > 0) {
    size_t start = address % PAGE_SIZE, count = PAGE_SIZE - start < size ? PAGE_SIZE - start : size;
    const struct page *page = page_at(address / PAGE_SIZE, false);
    if (page)
      memcpy(output, page->bytes + start, count);
    else
      memset(output, 0, count);
    output += count;
    address += count;
    size -= count;
  }
}

uint64_t chdf5_skeleton_length(void) { return end_of_file; }

void chdf5_release_skeleton(void) {
  for (size_t place = 0; place < page_count; place++) free(pages[place]);
  free(pages);
  pages = NULL;
  page_count = page_capacity = 0;
  end_of_file = 0;
}

static H5FD_t *skeleton_open(const char *name, unsigned flags, hid_t access, haddr_t maximum) {
  (void)name, (void)access, (void)maximum;
  if (!(flags & REPLACES_FILE)) return NULL;
  chdf5_release_skeleton();
  struct skeleton_file *file = calloc(1, sizeof *file);
  return file ? &file->base : NULL;
}

static herr_t skeleton_close(H5FD_t *file) {
  free(file);
  return 0;
}

static herr_t skeleton_query(const H5FD_t *file, unsigned long *features) {
  (void)file;
  // As for files on a disk, so that the layout is the one that they have.
  if (features)
    *features = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

static haddr_t skeleton_end_of_allocation(const H5FD_t *file, H5FD_mem_t type) {
  (void)type;
  return ((const struct skeleton_file *)file)->end_of_allocation;
}

static herr_t skeleton_set_end_of_allocation(H5FD_t *file, H5FD_mem_t type, haddr_t address) {
  (void)type;
  ((struct skeleton_file *)file)->end_of_allocation = address;
  return 0;
}

static haddr_t skeleton_end_of_file(const H5FD_t *file, H5FD_mem_t type) {
  (void)file, (void)type;
  return end_of_file;
}

static herr_t skeleton_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, void *buffer) {
  (void)file, (void)type, (void)transfer;
  chdf5_read_skeleton(address, size, buffer);
  return 0;
}

static herr_t skeleton_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                             const void *buffer) {
  (void)file, (void)type, (void)transfer;
  const uint8_t *bytes = buffer;
  while (size > 0) {
    size_t start = address % PAGE_SIZE, count = PAGE_SIZE - start < size ? PAGE_SIZE - start : size;
    struct page *page = page_at(address / PAGE_SIZE, true);
    if (!page) return -1;
    memcpy(page->bytes + start, bytes, count);
    bytes += count;
    address += count;
    size -= count;
    if (address > end_of_file) end_of_file = address;
  }
  return 0;
}

static herr_t skeleton_truncate(H5FD_t *file, hid_t transfer, hbool_t closing) {
  (void)transfer, (void)closing;
  end_of_file = ((struct skeleton_file *)file)->end_of_allocation;
  return 0;
}

bool chdf5_register_skeleton_driver(void) {
  static const H5FD_class_t skeleton_class = {
#ifdef H5FD_CLASS_VERSION
      .version = H5FD_CLASS_VERSION,
      .value = 701,  // of the range that is free for private use
#endif
      .name = "skeleton",
      .maxaddr = INT64_MAX,
      .fc_degree = H5F_CLOSE_STRONG,
      .open = skeleton_open,
      .close = skeleton_close,
      .query = skeleton_query,
      .get_eoa = skeleton_end_of_allocation,
      .set_eoa = skeleton_set_end_of_allocation,
      .get_eof = skeleton_end_of_file,
      .read = skeleton_read,
      .write = skeleton_write,
      .truncate = skeleton_truncate,
      .fl_map = H5FD_FLMAP_DICHOTOMY,
  };
  hid_t driver = hdf5.H5FDregister(&skeleton_class);
  access_properties = hdf5.H5Pcreate(*hdf5.file_access);
  return driver >= 0 && hdf5.H5Pset_driver(access_properties, driver, NULL) >= 0 &&
         hdf5.H5Pset_fclose_degree(access_properties, H5F_CLOSE_STRONG) >= 0;
}

hid_t chdf5_create_skeleton(void) {
  hdf5.H5Eset_auto2(H5E_DEFAULT, NULL, NULL);  // errors are not printed; the setting is the thread's own
  // Without other properties the format is the oldest, which all versions of the library read.
  return hdf5.H5Fcreate("skeleton", REPLACES_FILE, H5P_DEFAULT, access_properties);
}
