// h5.h -- the only caller of HDF5: hostile-safe reading, writing of byte-stable files
//
// Reading trusts nothing: links out of the file, external storage, plug-in filters and unusual
// number formats are refused, and what a dataset claims to hold is compared with what is stored
// before anything is allocated. Chunks are inflated here, within their bounds, not by HDF5.
// Files are written under a partial name by a driver of ours, so that a full disk never meets HDF5
// (h5_disk.c).
#ifndef EMG_BASE_H5_H
#define EMG_BASE_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <emgtwin/log.h>
#include <emgtwin/status.h>

// Silence HDF5's own printing and forbid plugins. Called by emg_init.
void emg_h5_init(void);

typedef struct emg_h5 emg_h5;  // an open file

// Types of numbers in memory and, little-endian, in files we write.
typedef enum {
  EMG_H5_I8,
  EMG_H5_U8,
  EMG_H5_I16,
  EMG_H5_I32,
  EMG_H5_I64,
  EMG_H5_U64,
  EMG_H5_F32,
  EMG_H5_F64
} emg_h5_type;
#define EMG_H5_RANK_MAX 4

size_t emg_h5_size(emg_h5_type type);  // bytes of one number

// --- reading. Paths are absolute in the file, without a leading slash: "emg/data". ---

// EMG_ERR_IO: missing, no permission, a folder. EMG_ERR_DATA: not HDF5, damaged.
emg_status emg_h5_open(const char *path, emg_h5 **file, emg_error *err);
void emg_h5_close(emg_h5 *file);  // NULL is fine

// There is such a group or dataset, reached by links inside the file; it may be damaged.
bool emg_h5_has(emg_h5 *file, const char *path);

// Rank and dimensions of a dataset of numbers, all of whose values are stored in the file.
// EMG_ERR_DATA if missing, not numbers, not wholly stored, or larger than its bytes can expand to.
emg_status emg_h5_shape(emg_h5 *file, const char *path, int *rank, int64_t dims[EMG_H5_RANK_MAX],
                        emg_error *err);
// The same, and the rank must be `rank`; -1 in `dims` is filled in, other values must agree.
emg_status emg_h5_expect(emg_h5 *file, const char *path, int rank, int64_t *dims, emg_error *err);

// Read a dataset of exactly these dimensions, converted to `type`. `row_stride`: numbers from one
// run of the last dimension to the next in `out`, 0 if packed.
emg_status emg_h5_read(emg_h5 *file, const char *path, emg_h5_type type, int rank,
                       const int64_t *dims, ptrdiff_t row_stride, void *out, emg_error *err);

// A dataset of two dimensions read by columns, with memory for the column of chunks that was read
// last.
typedef struct emg_h5_columns emg_h5_columns;
// Checks as emg_h5_shape. *out is NULL if the dataset is empty, or cut into chunks so long or so
// many that a column of them takes more than 64 MiB. Close it before the file.
emg_status emg_h5_columns_open(emg_h5 *file, const char *path, emg_h5_type type,
                               emg_h5_columns **out, emg_error *err);
// Columns [begin, begin + n) of all rows, which must be there; rows `row_stride` numbers apart.
emg_status emg_h5_columns_read(emg_h5_columns *columns, int64_t begin, int64_t n,
                               ptrdiff_t row_stride, void *out, emg_error *err);
void emg_h5_columns_close(emg_h5_columns *columns);  // NULL is fine

// One number: a scalar dataset, or one of a single element.
emg_status emg_h5_read_scalar(emg_h5 *file, const char *path, double *value, emg_error *err);
// A text dataset, malloc'ed and terminated.
emg_status emg_h5_read_text(emg_h5 *file, const char *path, char **text, emg_error *err);
// n fixed-length strings, each cut to width - 1 bytes and terminated, `stride` bytes apart in
// `out`.
emg_status emg_h5_read_names(emg_h5 *file, const char *path, int n, size_t width, size_t stride,
                             char *out, emg_error *err);

// Attribute of a dataset or group ("" is the root): false if there is none of this kind.
bool emg_h5_attribute(emg_h5 *file, const char *object, const char *name, double *value);
bool emg_h5_attribute_text(emg_h5 *file, const char *object, const char *name, char *text,
                           size_t size);

bool emg_h5_is_group(emg_h5 *file, const char *path);
// What a dataset of numbers or of fixed-length text holds, as bytes of this machine, malloc'ed: for
// digests. 16-bit and 32-bit unsigned numbers are widened.
emg_status emg_h5_read_bytes(emg_h5 *file, const char *path, size_t *n_bytes, void **bytes,
                             emg_error *err);

// Paths of the objects that a dataset of object references names, as MATLAB keeps cell arrays;
// malloc'ed. `out` may be shorter than the dataset: at most `most` are taken.
#define EMG_H5_PATH_MAX 128
emg_status emg_h5_references(emg_h5 *file, const char *path, int most, int *n,
                             char (**out)[EMG_H5_PATH_MAX], emg_error *err);

#define EMG_H5_NAME_MAX 64
// Names in a group in alphabetical order, longer ones left out; malloc'ed. At most 4096.
emg_status emg_h5_list(emg_h5 *file, const char *group, int *n, char (**names)[EMG_H5_NAME_MAX],
                       emg_error *err);

// --- writing. Groups on the way are made. ---

// A new file that will be `path`: written as NAME.part.PID, which is removed if the file is closed
// before it is published. EMG_ERR_IO as emg_part_file_check; also from every call below when the
// disk is full, with what is free.
emg_status emg_h5_create(const char *path, bool overwrite, emg_h5 **file, emg_error *err);
// Bring everything written so far to the disk.
emg_status emg_h5_sync(emg_h5 *file, emg_error *err);
// Finish the file and give it its name; all that is left is to close it.
emg_status emg_h5_publish(emg_h5 *file, emg_error *err);

// Where the numbers of a dataset come from: `n` of them from number `begin` of run `run` on, a run
// being a stretch of the last dimension and the leading ones counted through. Called by several
// threads at once. False if they cannot be had.
typedef bool (*emg_h5_source_fn)(const void *user, int64_t run, int64_t begin, int64_t n, void *to);
// How a dataset is filled.
typedef struct {
  emg_h5_source_fn get;
  const void *user;
  int n_threads;               // as for emg_h5_write
  const emg_monitor *monitor;  // told of the progress of `stage`, and may cancel; NULL is fine
  const char *stage;
} emg_h5_source;
// Of rank 1 or more.
emg_status emg_h5_write_from(emg_h5 *file, const char *path, emg_h5_type type, int rank,
                             const int64_t *dims, const emg_h5_source *source, emg_error *err);
// `n_threads` > 0: shuffle and gzip level 1 in chunks, compressed by so many threads; the bytes do
// not depend on their number. 0: stored as it is.
emg_status emg_h5_write(emg_h5 *file, const char *path, emg_h5_type type, int rank,
                        const int64_t *dims, ptrdiff_t row_stride, const void *data, int n_threads,
                        emg_error *err);
emg_status emg_h5_write_scalar(emg_h5 *file, const char *path, double value, emg_error *err);
emg_status emg_h5_write_u64(emg_h5 *file, const char *path, uint64_t value, emg_error *err);
// Text as one fixed-length string, which Octave reads too.
emg_status emg_h5_write_text(emg_h5 *file, const char *path, const char *text, emg_error *err);
emg_status emg_h5_write_names(emg_h5 *file, const char *path, int n, size_t width, size_t stride,
                              const char *names, emg_error *err);
emg_status emg_h5_set_f64(emg_h5 *file, const char *object, const char *name, double value,
                          emg_error *err);
emg_status emg_h5_set_i64(emg_h5 *file, const char *object, const char *name, int64_t value,
                          emg_error *err);
emg_status emg_h5_set_text(emg_h5 *file, const char *object, const char *name, const char *text,
                           emg_error *err);
// n texts, each of at most `width` bytes and `stride` bytes apart, as one attribute.
emg_status emg_h5_set_names(emg_h5 *file, const char *object, const char *name, int n, size_t width,
                            size_t stride, const char *names, emg_error *err);

#endif
