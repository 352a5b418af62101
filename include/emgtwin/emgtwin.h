// emgtwin.h -- simulate high-density surface EMG and take it apart again
#ifndef EMG_EMGTWIN_H
#define EMG_EMGTWIN_H

#define EMG_VERSION_MAJOR 0
#define EMG_VERSION_MINOR 1
#define EMG_VERSION_PATCH 0
#define EMG_VERSION "0.1.0"

#include <emgtwin/array.h>
#include <emgtwin/benchmark.h>
#include <emgtwin/cnn.h>
#include <emgtwin/conductor.h>
#include <emgtwin/config.h>
#include <emgtwin/convert.h>
#include <emgtwin/cost_map.h>
#include <emgtwin/decompose.h>
#include <emgtwin/edit.h>
#include <emgtwin/electrodes.h>
#include <emgtwin/engine.h>
#include <emgtwin/file.h>
#include <emgtwin/filters.h>
#include <emgtwin/guide.h>
#include <emgtwin/invert.h>
#include <emgtwin/log.h>
#include <emgtwin/mean_unit.h>
#include <emgtwin/model.h>
#include <emgtwin/muap.h>
#include <emgtwin/online.h>
#include <emgtwin/recording.h>
#include <emgtwin/rng.h>
#include <emgtwin/score.h>
#include <emgtwin/simulate.h>
#include <emgtwin/spikes.h>
#include <emgtwin/status.h>
#include <emgtwin/track.h>
#include <emgtwin/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

// Version of the running library, "0.1.0".
const char *emg_version(void);

// Quiet GSL and HDF5, forbid HDF5 plugins, pin BLAS to one thread. Called by every entry point that
// needs it; calling it again is free.
void emg_init(void);

// Threads used by parallel regions from now on; 0: all processors. Results do not depend on it.
void emg_set_threads(int n_threads);
int emg_get_threads(void);

// What `doctor` shows: the kernel OpenBLAS runs, and the better one it should run on this processor
// (NULL if it already does). OpenBLAS reads OPENBLAS_CORETYPE when it is loaded, so a program sets
// it and starts itself again.
const char *emg_blas_core(void);
const char *emg_blas_better_core(void);

#ifdef __cplusplus
}
#endif
#endif
