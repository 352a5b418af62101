// edf_priv.h -- the header of an EDF or BDF file
#ifndef EMG_EDF_PRIV_H
#define EMG_EDF_PRIV_H

#include <stdio.h>

#include "formats_priv.h"

typedef enum { EMG_EDF_EMG, EMG_EDF_AUX, EMG_EDF_ANNOTATIONS } emg_edf_role;

typedef struct {
  char label[64], unit[16];
  double physical_min, physical_max, digital_min, digital_max;
  int64_t per_record;  // samples in a data record
  int64_t at;          // first byte in a data record
  emg_edf_role role;
  double uv;  // uV per unit, 0 if it is no voltage
} emg_edf_signal;

typedef struct {
  FILE *file;
  int64_t n_bytes;  // of the file
  bool is_bdf, is_plus, is_discontinuous;
  int sample_bytes;  // 2 or 3
  int n_signals;
  int64_t n_records, record_bytes, header_bytes;
  double record_s;
  int64_t per_record;  // samples of an EMG signal in a record
  emg_edf_signal *signals;
} emg_edf;

// Open a file, read and check its header; the file is left at its first data record. Close it also
// on failure.
emg_status emg_edf_open(const char *path, emg_edf *e, emg_error *err);
void emg_edf_close(emg_edf *e);

#endif
