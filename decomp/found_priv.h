// found_priv.h -- discharges as they are found one by one, and the decomposition they make
#ifndef EMG_DECOMP_FOUND_PRIV_H
#define EMG_DECOMP_FOUND_PRIV_H

#include <stdbool.h>

#include <emgtwin/file.h>
#include <emgtwin/recording.h>

// Discharges in the order in which they were found, which within a unit is that of time.
typedef struct {
  int64_t n, capacity;
  int32_t *unit;
  int64_t *sample;
  bool is_full;  // there was no memory for more
} emg_found;
// An emg_spike_fn with the found ones as `user`.
void emg_found_add(int unit, int64_t sample, double height, void *user);
void emg_found_free(emg_found *found);

// Trains, figures by the sources [unit][sample], averages of the recording; detectability only if
// `has_noise`, as sums of channels have. Discharges behind the end of the recording are left out.
// EMG_ERR_MEMORY also if there was none for all that were found.
emg_status emg_found_package(const emg_found *found, const emg_recording *rec,
                             const emg_array2f *source, bool has_noise, double refractory_ms,
                             emg_decomposition *out, emg_error *err);

#endif
