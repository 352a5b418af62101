// log.c -- talk and progress through the caller's callbacks
#include <emgtwin/log.h>

#include <stdarg.h>
#include <stdio.h>

void emg_log(const emg_monitor *monitor, emg_log_level level, const char *stage, const char *format,
             ...) {
  if (!monitor || !monitor->log) {
    return;
  }
  char text[512];
  va_list args;

  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  monitor->log(level, stage, text, monitor->user);
}

emg_status emg_progress(const emg_monitor *monitor, const char *stage, int64_t done, int64_t total,
                        emg_error *err) {
  if (monitor && monitor->progress && monitor->progress(stage, done, total, monitor->user)) {
    return emg_fail(err, EMG_ERR_INTERRUPTED, "interrupted during %s", stage);
  }
  return EMG_OK;
}
