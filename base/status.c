// status.c -- filling and reading errors
#include <emgtwin/status.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int emg_status_exit_code(emg_status status) {
  switch (status) {
#define ENTRY(code, exit_code, text) \
  case code:                         \
    return exit_code;
    EMG_STATUS_LIST(ENTRY)
#undef ENTRY
  }
  return 1;
}

const char *emg_status_text(emg_status status) {
  switch (status) {
#define ENTRY(code, exit_code, text) \
  case code:                         \
    return text;
    EMG_STATUS_LIST(ENTRY)
#undef ENTRY
  }
  return "unknown status";
}

static void add_item(emg_error *err, const char *file, int line, int column, const char *format,
                     va_list args) {
  if (err->n_items >= EMG_DIAGNOSTICS_MAX) {
    return;
  }
  emg_diagnostic *item = &err->items[err->n_items++];

  snprintf(item->file, sizeof item->file, "%s", file ? file : "");
  item->line = line;
  item->column = column;
  vsnprintf(item->message, sizeof item->message, format, args);
}

emg_status emg_fail(emg_error *err, emg_status status, const char *format, ...) {
  if (err) {
    va_list args;
    err->status = status;
    err->n_items = 0;
    va_start(args, format);
    add_item(err, NULL, 0, 0, format, args);
    va_end(args);
  }
  return status;
}

emg_status emg_fail_at(emg_error *err, emg_status status, const char *file, int line, int column,
                       const char *format, ...) {
  if (err) {
    va_list args;
    err->status = status;
    err->n_items = 0;
    va_start(args, format);
    add_item(err, file, line, column, format, args);
    va_end(args);
  }
  return status;
}

emg_status emg_fail_more(emg_error *err, emg_status status, const char *file, int line, int column,
                         const char *format, ...) {
  if (err) {
    va_list args;
    if (err->status == EMG_OK) {
      err->n_items = 0;
    }
    err->status = status;
    va_start(args, format);
    add_item(err, file, line, column, format, args);
    va_end(args);
  }
  return status;
}

void emg_error_in_file(emg_error *err, const char *file) {
  if (!err || !file) {
    return;
  }
  for (int i = 0; i < err->n_items; i++) {
    if (err->items[i].file[0] == '\0') {
      snprintf(err->items[i].file, sizeof err->items[i].file, "%s", file);
    }
  }
}

const char *emg_error_message(const emg_error *err) {
  return err && err->n_items > 0 ? err->items[0].message : "";
}
