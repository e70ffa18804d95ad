#include "library.h"

#include <dlfcn.h>
#include <pthread.h>

struct hdf5 hdf5;
static bool is_loaded;

// Debian's names first, then those of a library that was built from source; 103 is HDF5 1.10, 200 is 1.12, 310 is 1.14.
static const char *const library_names[] = {
    "libhdf5_serial.so.103", "libhdf5_serial.so.310", "libhdf5.so.103", "libhdf5.so.200", "libhdf5.so.310",
};

static bool load_from(void *library) {
#define TEXT_OF(name) #name
#define EXPANDED_TEXT_OF(name) TEXT_OF(name)
#define FIND_FUNCTION(name)                                                                                           \
  hdf5.name = (__typeof__(hdf5.name))dlsym(library, EXPANDED_TEXT_OF(name));                                          \
  if (!hdf5.name) return false;
  HDF5_FUNCTIONS(FIND_FUNCTION)
#undef FIND_FUNCTION

  // The layout of its structures must be the one that was compiled in.
  unsigned major = 0, minor = 0, release = 0;
  if (hdf5.H5dont_atexit() < 0 || hdf5.H5get_libversion(&major, &minor, &release) < 0) return false;
  if (major != H5_VERS_MAJOR || minor != H5_VERS_MINOR) return false;

  hdf5.file_access = dlsym(library, "H5P_CLS_FILE_ACCESS_ID_g");
  hdf5.native_int64 = dlsym(library, "H5T_NATIVE_INT64_g");
  hdf5.native_double = dlsym(library, "H5T_NATIVE_DOUBLE_g");
  hdf5.link_create = dlsym(library, "H5P_CLS_LINK_CREATE_ID_g");
  hdf5.dataset_create = dlsym(library, "H5P_CLS_DATASET_CREATE_ID_g");
  hdf5.float32 = dlsym(library, "H5T_IEEE_F32LE_g");
  hdf5.float64 = dlsym(library, "H5T_IEEE_F64LE_g");
  hdf5.c_string = dlsym(library, "H5T_C_S1_g");
  if (!hdf5.file_access || !hdf5.native_int64 || !hdf5.native_double || !hdf5.link_create ||
      !hdf5.dataset_create || !hdf5.float32 || !hdf5.float64 || !hdf5.c_string)
    return false;

  // No code from plug-ins that a file asks for.
  return hdf5.H5open() >= 0 && hdf5.H5PLset_loading_state(0) >= 0 && chdf5_register_driver() &&
         chdf5_register_skeleton_driver();
}

static void load_once(void) {
  for (size_t index = 0; index < sizeof library_names / sizeof *library_names && !is_loaded; index++) {
    void *library = dlopen(library_names[index], RTLD_LAZY | RTLD_LOCAL);
    if (!library) continue;
    is_loaded = load_from(library);
    // One that was initialised but does not fit stays loaded: it may have left pointers into itself behind.
  }
}

bool chdf5_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load_once);
  return is_loaded;
}
