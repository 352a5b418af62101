// log.h -- talk and progress go through one callback each; the library itself never prints
#ifndef EMG_LOG_H
#define EMG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EMG_LOG_WARNING, EMG_LOG_INFO, EMG_LOG_DEBUG } emg_log_level;

// `text` is a sentence or a "key = value" list; `stage` the step it comes from ("action
// potentials").
typedef void (*emg_log_fn)(emg_log_level level, const char *stage, const char *text, void *user);
// Work done so far. Return true to cancel: the call under way fails with EMG_ERR_INTERRUPTED.
typedef bool (*emg_progress_fn)(const char *stage, int64_t done, int64_t total, void *user);

// How a long call talks to its caller. NULL pointers are silent; called from one thread at a time.
typedef struct {
  emg_log_fn log;
  emg_progress_fn progress;
  void *user;
} emg_monitor;

void emg_log(const emg_monitor *monitor, emg_log_level level, const char *stage, const char *format,
             ...) __attribute__((format(printf, 4, 5)));
// EMG_ERR_INTERRUPTED if the caller asked to stop, EMG_OK otherwise. `monitor` may be NULL.
emg_status emg_progress(const emg_monitor *monitor, const char *stage, int64_t done, int64_t total,
                        emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
