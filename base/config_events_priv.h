// config_events_priv.h -- guarded stream of YAML events with findings (private to base)
//
// Hostile input stays cheap: limits on size, depth and number of events, no aliases, and an end
// after EMG_DIAGNOSTICS_MAX findings.
#ifndef EMG_BASE_CONFIG_EVENTS_PRIV_H
#define EMG_BASE_CONFIG_EVENTS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include <emgtwin/status.h>

enum {
  EMG_CONFIG_BYTES_MAX = 1 << 20,
  EMG_CONFIG_DEPTH_MAX = 64,
  // every key of 16 muscles and every list full is about 7 000 events
  EMG_CONFIG_EVENTS_MAX = 20000
};

typedef struct {
  yaml_parser_t yaml;
  yaml_event_t event;  // the present one
  const char *text;
  size_t length;
  const char *name;  // of the file, in findings
  emg_error *err;
  emg_status status;
  int n_findings, n_events;
  int depth;     // mappings and lists open
  bool is_over;  // after a finding that ends the reading, or too many
} emg_config_events;

// Borrows `text` and `name`. EMG_ERR_MEMORY.
emg_status emg_config_events_open(emg_config_events *events, const char *text, size_t length,
                                  const char *name, emg_error *err);
void emg_config_events_close(emg_config_events *events);
// Move to the next event. False if reading is over.
bool emg_config_events_next(emg_config_events *events);

// Note a finding; line and column from 1, 0 if unknown. Reading goes on until there are
// EMG_DIAGNOSTICS_MAX.
void emg_config_note(emg_config_events *events, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define EMG_CONFIG_NOTE(events, mark, ...) \
  emg_config_note(events, (int)(mark).line + 1, (int)(mark).column + 1, __VA_ARGS__)

#endif
