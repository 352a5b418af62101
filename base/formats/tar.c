// tar.c -- members of a tar archive, plain or gzip-compressed, read in place
#include "tar_priv.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <emgtwin/array.h>

#include "base/input_file.h"

enum { BLOCK = 512, HEADERS_MAX = 10000, EXTENSION_MAX = 1 << 20 };
static const int64_t COMPRESSED_BYTES_MAX = (int64_t)1 << 30;  // of contents

// Places of the fields in a header, POSIX.1-1988.
enum { SIZE_AT = 124, CHECKSUM_AT = 148, TYPE_AT = 156, MAGIC_AT = 257, PREFIX_AT = 345 };

struct emg_tar {
  gzFile file;  // reads uncompressed files as they are
  bool is_compressed;
  int64_t n_bytes_max;  // contents cannot be longer
  emg_tar_member *members;
  int n_members, capacity;
};

// What GNU and pax headers say of the member that follows them.
typedef struct {
  char name[256];
  int64_t n_bytes;  // -1 if they do not say
} extension;

// --- one header ---

// An octal number, or a binary one marked by the highest bit (GNU). False if it is neither.
static bool read_number(const unsigned char *field, int width, int64_t *value) {
  int i = 0;

  *value = 0;
  if (field[0] & 0x80) {
    if (field[0] != 0x80) {
      return false;  // negative, or too large for 64 bits
    }
    for (i = 1; i < width; i++) {
      if (*value >> 55) {
        return false;
      }
      *value = *value << 8 | field[i];
    }
    return true;
  }
  while (i < width && field[i] == ' ') {
    i++;
  }
  for (; i < width && field[i] >= '0' && field[i] <= '7'; i++) {
    *value = *value << 3 | (field[i] - '0');  // 12 digits at most: 36 bits
  }
  return i == width || field[i] == ' ' || field[i] == '\0';
}

// The sum of all bytes, those of the sum itself taken as blanks; some writers added signed bytes.
static bool is_header(const unsigned char *header) {
  int64_t stated, plain = 0, with_sign = 0;

  if (!read_number(header + CHECKSUM_AT, 8, &stated)) {
    return false;
  }
  for (int i = 0; i < BLOCK; i++) {
    unsigned char byte = i >= CHECKSUM_AT && i < CHECKSUM_AT + 8 ? ' ' : header[i];
    plain += byte;
    with_sign += (signed char)byte;
  }
  return stated > 0 && (stated == plain || stated == with_sign);
}

static bool is_empty(const unsigned char *header) {
  for (int i = 0; i < BLOCK; i++) {
    if (header[i]) {
      return false;
    }
  }
  return true;
}

// A name without its folders, whole characters of ASCII as far as they fit.
static void keep_name(char to[256], const char *from, size_t length) {
  size_t start = 0;

  length = strnlen(from, length);
  for (size_t i = 0; i + 1 < length; i++) {
    start = from[i] == '/' || from[i] == '\\' ? i + 1 : start;
  }
  emg_label_copy(to, 256, from + start, length - start);
}

bool emg_tar_probe(const emg_probe *probe) {
  unsigned char header[BLOCK];
  z_stream stream = {.next_in = (unsigned char *)probe->bytes,
                     .avail_in = (unsigned)probe->n_bytes,
                     .next_out = header,
                     .avail_out = BLOCK};

  if (probe->is_folder || probe->n_bytes < 18) {
    return false;
  }
  if (probe->bytes[0] != 0x1f || probe->bytes[1] != 0x8b) {
    return probe->n_bytes >= BLOCK && is_header(probe->bytes);
  }
  // 16: expect a gzip header
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
    return false;
  }
  inflate(&stream, Z_SYNC_FLUSH);
  inflateEnd(&stream);
  return stream.avail_out == 0 && is_header(header);
}

// --- bytes of the archive ---

// Bytes from `offset` on, as many as there are.
static emg_status read_at(emg_tar *tar, int64_t offset, void *bytes, size_t n_bytes, size_t *n_read,
                          emg_error *err) {
  *n_read = 0;
  if (gzseek(tar->file, (z_off_t)offset, SEEK_SET) != (z_off_t)offset) {
    return EMG_OK;  // past the end of compressed contents
  }
  while (*n_read < n_bytes) {
    size_t left = n_bytes - *n_read;
    int n = gzread(tar->file, (char *)bytes + *n_read, left > INT_MAX ? INT_MAX : (unsigned)left);
    if (n < 0) {
      int code;
      const char *why = gzerror(tar->file, &code);
      return emg_fail(err, code == Z_ERRNO ? EMG_ERR_IO : EMG_ERR_DATA,
                      "the archive cannot be read at byte %lld: %s",
                      (long long)offset + (long long)*n_read, why);
    }
    if (n == 0) {
      break;
    }
    *n_read += (size_t)n;
  }
  return EMG_OK;
}

emg_status emg_tar_read(emg_tar *tar, const emg_tar_member *member, int64_t from, size_t n_bytes,
                        void *bytes, emg_error *err) {
  size_t n_read;

  EMG_TRY(read_at(tar, member->offset + from, bytes, n_bytes, &n_read, err));
  return n_read == n_bytes
             ? EMG_OK
             : emg_fail(err, EMG_ERR_DATA, "the archive ends inside its member %s", member->name);
}

emg_status emg_tar_slurp(emg_tar *tar, const emg_tar_member *member, size_t limit, char **bytes,
                         emg_error *err) {
  *bytes = NULL;
  if ((uint64_t)member->n_bytes > limit) {
    return emg_fail(err, EMG_ERR_DATA, "%s in the archive has %lld bytes; at most %zu are expected",
                    member->name, (long long)member->n_bytes, limit);
  }
  EMG_TRY(emg_alloc((size_t)member->n_bytes + 1, 1, bytes, err));
  emg_status status = emg_tar_read(tar, member, 0, (size_t)member->n_bytes, *bytes, err);
  if (status != EMG_OK) {
    free(*bytes);
    *bytes = NULL;
  }
  return status;
}

// --- the list of members ---

static emg_status add_member(emg_tar *tar, const emg_tar_member *member, emg_error *err) {
  if (tar->n_members == tar->capacity) {
    int capacity = tar->capacity ? 2 * tar->capacity : 16;
    emg_tar_member *grown = realloc(tar->members, (size_t)capacity * sizeof *grown);
    if (!grown) {
      return emg_fail(err, EMG_ERR_MEMORY, "out of memory for %d names of an archive", capacity);
    }
    tar->members = grown;
    tar->capacity = capacity;
  }
  tar->members[tar->n_members++] = *member;
  return EMG_OK;
}

// A member that claims bytes behind the end of the archive is found here, before it is believed.
static emg_status check_extent(emg_tar *tar, const emg_tar_member *member, bool is_extension,
                               emg_error *err) {
  char last;

  if (member->n_bytes > tar->n_bytes_max - member->offset) {
    return emg_fail(err, EMG_ERR_DATA, "%s in the archive claims %lld bytes; %s", member->name,
                    (long long)member->n_bytes,
                    tar->is_compressed
                        ? "compressed archives are read up to 1 GiB, decompress it first"
                        : "the archive ends before");
  }
  // extensions are read whole anyway
  return member->n_bytes > 0 && !is_extension
             ? emg_tar_read(tar, member, member->n_bytes - 1, 1, &last, err)
             : EMG_OK;
}

// Records "LENGTH KEY=VALUE\n" of a pax header; those that are not path or size do not matter here.
static void read_pax(const char *bytes, size_t n_bytes, extension *next) {
  size_t at = 0;

  while (at < n_bytes) {
    char *key;
    unsigned long length = strtoul(bytes + at, &key, 10);
    if (length < 5 || length > n_bytes - at || *key != ' ') {
      return;
    }
    const char *record_end = bytes + at + length;
    if (++key >= record_end) {
      return;
    }
    const char *value = memchr(key, '=', (size_t)(record_end - key));
    if (value && value - key == 4 && memcmp(key, "path", 4) == 0) {
      keep_name(next->name, value + 1, (size_t)(record_end - 1 - (value + 1)));
    } else if (value && value - key == 4 && memcmp(key, "size", 4) == 0) {
      next->n_bytes = strtoll(value + 1, NULL, 10);
    }
    at += length;
  }
}

// A member that describes the one after it: 'L' GNU long name, 'x' pax.
static emg_status read_extension(emg_tar *tar, const emg_tar_member *member, char type,
                                 extension *next, emg_error *err) {
  char *bytes;

  EMG_TRY(emg_tar_slurp(tar, member, EXTENSION_MAX, &bytes, err));
  if (type == 'L') {
    keep_name(next->name, bytes, (size_t)member->n_bytes);
  } else {
    read_pax(bytes, (size_t)member->n_bytes, next);
  }
  free(bytes);
  return EMG_OK;
}

// Name and size of a member from its own header and what went before it.
static emg_status read_header(const unsigned char *header, const extension *said,
                              emg_tar_member *member, emg_error *err) {
  const char *name = (const char *)header;

  if (!is_header(header) || !read_number(header + SIZE_AT, 12, &member->n_bytes)) {
    return emg_fail(err, EMG_ERR_DATA, "byte %lld of the archive is no tar header; it is damaged",
                    (long long)member->offset);
  }
  // the prefix of ustar holds folders only, which are left out
  keep_name(member->name, name, 100);
  if (said->name[0]) {
    memcpy(member->name, said->name, sizeof member->name);
  }
  if (said->n_bytes >= 0) {
    member->n_bytes = said->n_bytes;
  }
  return EMG_OK;
}

// Links, devices and folders have no bytes, whatever their size field says.
static bool has_bytes(char type) {
  return !strchr("123456", type) || type == '\0';
}

static emg_status list_member(emg_tar *tar, const unsigned char *header, extension *next,
                              int64_t *offset, emg_error *err) {
  char type = (char)header[TYPE_AT];
  emg_tar_member member = {.offset = *offset};

  bool is_extension = type == 'L' || type == 'K' || type == 'x' || type == 'g';
  const extension nothing = {.n_bytes = -1};
  EMG_TRY(read_header(header, is_extension ? &nothing : next, &member, err));
  if (type == 'S') {
    return emg_fail(err, EMG_ERR_DATA, "%s is stored as a sparse file, which is not read",
                    member.name);
  }
  member.offset += BLOCK;
  member.n_bytes = has_bytes(type) ? member.n_bytes : 0;
  EMG_TRY(check_extent(tar, &member, is_extension, err));
  if (type == 'L' || type == 'x') {
    EMG_TRY(read_extension(tar, &member, type, next, err));
  } else if (!is_extension) {
    *next = nothing;
    if ((type == '0' || type == '\0' || type == '7') && member.name[0]) {
      EMG_TRY(add_member(tar, &member, err));
    }
  }
  *offset = member.offset + (member.n_bytes + BLOCK - 1) / BLOCK * BLOCK;
  return EMG_OK;
}

// Two empty blocks end an archive; the end of the file does as well.
static emg_status list_members(emg_tar *tar, emg_error *err) {
  unsigned char header[BLOCK];
  extension next = {.n_bytes = -1};
  int64_t offset = 0;
  size_t n_read;

  for (int n = 0;; n++) {
    EMG_TRY(read_at(tar, offset, header, BLOCK, &n_read, err));
    if (n_read == 0 || (n_read == BLOCK && is_empty(header))) {
      return EMG_OK;
    }
    if (n_read < BLOCK) {
      return emg_fail(err, EMG_ERR_DATA, "the archive ends inside a header, at byte %lld",
                      (long long)offset + (long long)n_read);
    }
    if (n == HEADERS_MAX) {
      return emg_fail(err, EMG_ERR_DATA,
                      "the archive has more than %d headers; a recording has few", HEADERS_MAX);
    }
    EMG_TRY(list_member(tar, header, &next, &offset, err));
  }
}

// zlib reads through a copy of the descriptor, so that pipes and folders are refused as everywhere.
static emg_status open_file(const char *path, emg_tar *tar, emg_error *err) {
  struct stat info;
  FILE *file;

  EMG_TRY(emg_open_input(path, &file, err));
  int fd = fstat(fileno(file), &info) == 0 ? dup(fileno(file)) : -1;
  fclose(file);
  tar->file = fd >= 0 ? gzdopen(fd, "rb") : NULL;
  if (!tar->file) {
    if (fd >= 0) {
      close(fd);
    }
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for reading %s", path);
  }
  gzbuffer(tar->file, 1 << 17);
  tar->is_compressed = !gzdirect(tar->file);
  tar->n_bytes_max = tar->is_compressed ? COMPRESSED_BYTES_MAX : (int64_t)info.st_size;
  return EMG_OK;
}

emg_status emg_tar_open(const char *path, emg_tar **out, emg_error *err) {
  emg_tar *tar;

  *out = NULL;
  EMG_TRY(emg_alloc(1, sizeof *tar, &tar, err));
  emg_status status = open_file(path, tar, err);
  if (status == EMG_OK) {
    status = list_members(tar, err);
  }
  if (status != EMG_OK) {
    emg_tar_close(tar);
    return status;
  }
  *out = tar;
  return EMG_OK;
}

void emg_tar_close(emg_tar *tar) {
  if (!tar) {
    return;
  }
  if (tar->file) {
    gzclose(tar->file);
  }
  free(tar->members);
  free(tar);
}

bool emg_tar_is_compressed(const emg_tar *tar) {
  return tar->is_compressed;
}

const emg_tar_member *emg_tar_members(const emg_tar *tar, int *n) {
  *n = tar->n_members;
  return tar->members;
}

const emg_tar_member *emg_tar_find(const emg_tar *tar, const char *name) {
  for (int i = tar->n_members - 1; i >= 0; i--) {
    if (strcmp(tar->members[i].name, name) == 0) {
      return &tar->members[i];
    }
  }
  return NULL;
}
