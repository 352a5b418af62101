// sha256.h -- SHA-256 (FIPS 180-4) of bytes that come in pieces
#ifndef EMG_BASE_SHA256_H
#define EMG_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t hash[8];
  uint64_t n_bytes;
  unsigned char block[64];
} emg_sha256;

void emg_sha256_start(emg_sha256 *sha);
void emg_sha256_add(emg_sha256 *sha, const void *bytes, size_t n);
void emg_sha256_finish(emg_sha256 *sha, char hex[65]);

#endif
