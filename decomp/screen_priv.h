// screen_priv.h -- which channels of a recording can be used, and why others cannot
#ifndef EMG_DECOMP_SCREEN_PRIV_H
#define EMG_DECOMP_SCREEN_PRIV_H

#include <stdint.h>

#include <emgtwin/log.h>
#include <emgtwin/recording.h>

// Channels are compared with the others of their group (grid, muscle), with all if the group has
// fewer than 4 usable ones. Nothing depends on the order of the channels, but the numbers in
// reasons and which of several exact copies is kept.
typedef struct {
  int n;                         // channels of the recording
  emg_channel_finding *finding;  // [n]
  int *group;                    // [n] the first channel of the same group
  double *rms;                   // [n] about the mean
  double *scratch;               // [n]
} emg_screening;

emg_status emg_screening_create(const emg_recording *rec, emg_screening *out, emg_error *err);
void emg_screening_free(emg_screening *screening);

static inline int emg_is_usable(const emg_screening *s, int channel) {
  return s->finding[channel].state == EMG_CHANNEL_GOOD;
}
int emg_count_usable(const emg_screening *screening);
// usual[channel] = median of value[channel] over the usable channels it is compared with; 0 if
// there are none.
void emg_find_usual(const emg_screening *screening, const double *value, double *usual);
// Leave out channels whose rms is not least .. most times the usual one.
void emg_screen_by_size(emg_screening *screening, const double *usual, double least, double most);
// EMG_ERR_DATA with one of the reasons if fewer than 2 channels are usable.
emg_status emg_check_enough(const emg_screening *screening, emg_error *err);

// From the samples as they were read: marked in the file, not finite, constant, clipped, out of all
// proportion.
emg_status emg_screen_samples(const emg_recording *rec, emg_screening *screening,
                              const emg_monitor *monitor, emg_error *err);
// From the filtered channels beside each other, `edge` samples at either end left out: weak, large,
// copies, unrelated to the others, with lost contacts. Row r of `filtered` is channel order[r].
emg_status emg_screen_filtered(const emg_array2f *filtered, const int *order, int64_t edge,
                               double rate_hz, emg_screening *screening, emg_error *err);

#endif
