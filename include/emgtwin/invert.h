// invert.h -- spike trains and parameters of motor units together, by inverting the forward model
//
// The joint model of all units (emgtwin/decompose.h) is guided by mean motor units
// (emgtwin/mean_unit.h) in the anatomy and under the grid of a configuration: units spread over
// depth, angle, innervation zone and velocity are tried on what is left of the recording, action
// potentials are shrunk towards fitted ones, and units that no mean unit explains are not
// reported. docs/inversion.md
#ifndef EMG_INVERT_H
#define EMG_INVERT_H

#include <emgtwin/config.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/recording.h>

#ifdef __cplusplus
extern "C" {
#endif

// Invert a recording whose channels are those of the configuration, in their order. Sections
// conductor, fibre, muscle, electrodes, montage and sensor say what is known of the subject and the
// grid, `invert` what is expected of units, `decompose` how trains are looked for. *found and *out
// hold the same units in the same order, and are empty on failure; that there are none is an
// answer. What speaks against the result as a whole is in out->note. The truth of a simulated
// recording is not looked at. Same bits at any number of threads; calls emg_init. EMG_ERR_DATA: not
// the channels of the configuration; as emg_decompose. EMG_ERR_CONFIG: an anatomy that cannot be,
// too many delays. EMG_ERR_INTERRUPTED by the monitor.
emg_status emg_invert(const emg_recording *rec, const emg_config *config,
                      const emg_monitor *monitor, emg_decomposition *found, emg_inversion *out,
                      emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
