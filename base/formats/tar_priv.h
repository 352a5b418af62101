// tar_priv.h -- members of a tar archive, plain or gzip-compressed, read in place
#ifndef EMG_TAR_PRIV_H
#define EMG_TAR_PRIV_H

#include <stdint.h>

#include "base/formats.h"

// A regular file in the archive. Its name is without folders: nothing is ever written under it.
typedef struct {
  char name[256];
  int64_t offset, n_bytes;
} emg_tar_member;

typedef struct emg_tar emg_tar;

// True if the file begins with a tar header, inside gzip or not.
bool emg_tar_probe(const emg_probe *probe);

// List the members: ustar, GNU long names, pax headers (path and size). Links, folders and devices
// are passed over. Every member's last byte is there when this returns. EMG_ERR_DATA: a damaged
// header, a member that ends after the file does, a sparse file, more than 10,000 headers, or
// compressed contents of more than 1 GiB. One thread at a time may use an archive.
emg_status emg_tar_open(const char *path, emg_tar **out, emg_error *err);
void emg_tar_close(emg_tar *tar);
bool emg_tar_is_compressed(const emg_tar *tar);

const emg_tar_member *emg_tar_members(const emg_tar *tar, int *n);  // in the order of the archive
// The last member of this name, as a later one replaces an earlier one; NULL if there is none.
const emg_tar_member *emg_tar_find(const emg_tar *tar, const char *name);

// Read n_bytes of a member from `from` on, which must lie within it.
emg_status emg_tar_read(emg_tar *tar, const emg_tar_member *member, int64_t from, size_t n_bytes,
                        void *bytes, emg_error *err);
// The whole member, malloc'ed and terminated by a zero byte. EMG_ERR_DATA if longer than `limit`.
emg_status emg_tar_slurp(emg_tar *tar, const emg_tar_member *member, size_t limit, char **bytes,
                         emg_error *err);

#endif
