// The functions of libhdf5 that are used, found when first needed.
#ifndef CHDF5_LIBRARY_H
#define CHDF5_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The interface of 1.10, which later versions offer too.
#define H5_USE_110_API
#if __has_include(<hdf5.h>)
#include <hdf5.h>
#elif __has_include(<hdf5/serial/hdf5.h>)
#include <hdf5/serial/hdf5.h>
#else
#error "hdf5.h is missing: install libhdf5-dev"
#endif

// Some of these names are macros that stand for a versioned name; every use below expands them first.
#define HDF5_FUNCTIONS(F)                                                                                 \
  F(H5open) F(H5dont_atexit) F(H5get_libversion) F(H5free_memory) F(H5PLset_loading_state)                \
  F(H5Eset_auto2) F(H5Ewalk2) F(H5FDregister) F(H5Fopen) F(H5Fclose) F(H5Iget_type) F(H5Oopen)            \
  F(H5Oopen_by_addr) F(H5Oclose) F(H5Oget_info) F(H5Literate) F(H5Lget_val) F(H5Lunpack_elink_val)        \
  F(H5Aiterate2) F(H5Aopen) F(H5Aclose) F(H5Aget_type) F(H5Aget_space) F(H5Aread) F(H5Dget_type)          \
  F(H5Dget_space) F(H5Dget_create_plist) F(H5Dget_offset) F(H5Dget_storage_size) F(H5Dread)               \
  F(H5Dvlen_reclaim) F(H5Sclose) F(H5Sget_simple_extent_type) F(H5Sget_simple_extent_npoints)             \
  F(H5Sget_simple_extent_ndims) F(H5Sget_simple_extent_dims) F(H5Tclose) F(H5Tget_class) F(H5Tget_size)   \
  F(H5Tget_order) F(H5Tget_precision) F(H5Tget_offset) F(H5Tget_sign) F(H5Tget_fields) F(H5Tget_ebias)    \
  F(H5Tget_norm) F(H5Tget_tag) F(H5Tget_strpad) F(H5Tis_variable_str) F(H5Pcreate) F(H5Pclose)            \
  F(H5Pset_driver) F(H5Pset_fclose_degree) F(H5Pget_layout) F(H5Pget_chunk) F(H5Pget_nfilters)            \
  F(H5Pget_filter2) F(H5Pget_external_count) F(H5Fcreate) F(H5Gcreate2) F(H5Gclose) F(H5Dcreate2)         \
  F(H5Dclose) F(H5Acreate2) F(H5Awrite) F(H5Screate) F(H5Screate_simple) F(H5Tcopy) F(H5Tset_size)        \
  F(H5Tset_strpad) F(H5Tset_cset) F(H5Pset_alloc_time) F(H5Pset_fill_time) F(H5Pset_obj_track_times)      \
  F(H5Pset_create_intermediate_group)

/// The functions, under their names; and the variables behind macros such as `H5T_NATIVE_INT64`.
struct hdf5 {
#define DECLARE_FUNCTION(name) __typeof__(&name) name;
  HDF5_FUNCTIONS(DECLARE_FUNCTION)
#undef DECLARE_FUNCTION
  const hid_t *file_access;
  const hid_t *link_create;
  const hid_t *dataset_create;
  const hid_t *native_int64;
  const hid_t *native_double;
  const hid_t *float32;
  const hid_t *float64;
  const hid_t *c_string;
};

/// Valid once `chdf5_load` has said yes.
extern struct hdf5 hdf5;

/// Loads the library where that has not been done; false where there is none of the right version.
bool chdf5_load(void);

/// Registers the driver that reads from memory.
bool chdf5_register_driver(void);

/// Opens the file that is these bytes, one at a time in a process; negative on failure.
hid_t chdf5_open(const uint8_t *bytes, size_t length);

/// Registers the driver that keeps what the library writes.
bool chdf5_register_skeleton_driver(void);

/// Creates a file through that driver, one at a time in a process; negative on failure.
hid_t chdf5_create_skeleton(void);

/// The length of the file that was created last, once it is closed.
uint64_t chdf5_skeleton_length(void);

/// Reads that file; what was never written is zeros.
void chdf5_read_skeleton(uint64_t address, size_t size, uint8_t *output);

/// Frees that file.
void chdf5_release_skeleton(void);

#endif
