// status.h -- status codes and errors: every fallible call returns one and explains it in the other
#ifndef EMG_STATUS_H
#define EMG_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

// code, exit code of the command line, meaning
#define EMG_STATUS_LIST(ENTRY)                    \
  ENTRY(EMG_OK, 0, "ok")                          \
  ENTRY(EMG_ERR_INTERNAL, 1, "internal error")    \
  ENTRY(EMG_ERR_MEMORY, 1, "out of memory")       \
  ENTRY(EMG_ERR_ARG, 2, "usage error")            \
  ENTRY(EMG_ERR_CONFIG, 3, "configuration error") \
  ENTRY(EMG_ERR_DATA, 4, "bad input data")        \
  ENTRY(EMG_ERR_IO, 5, "input/output error")      \
  ENTRY(EMG_ERR_GATE, 6, "gate failed")           \
  ENTRY(EMG_ERR_INTERRUPTED, 130, "interrupted")

typedef enum {
#define ENTRY(code, exit_code, text) code,
  EMG_STATUS_LIST(ENTRY)
#undef ENTRY
} emg_status;

#define EMG_DIAGNOSTICS_MAX 20

// One finding: what is wrong and what to do, and where in the input it is.
typedef struct {
  char file[256];     // input file, "" if none
  int line, column;   // from 1; 0 if unknown
  char message[480];  // a sentence with the offending value and unit, and what to do
} emg_diagnostic;

// Filled by the call that failed; `items[0]` is the first finding.
typedef struct {
  emg_status status;
  int n_items;
  emg_diagnostic items[EMG_DIAGNOSTICS_MAX];
} emg_error;

// Exit code of the command line for a status.
int emg_status_exit_code(emg_status status);

// Short text of a status, never NULL.
const char *emg_status_text(emg_status status);

// Fill `err` (may be NULL) with one finding and return `status`.
emg_status emg_fail(emg_error *err, emg_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same, at a place in an input file; `line` and `column` from 1, 0 if unknown.
emg_status emg_fail_at(emg_error *err, emg_status status, const char *file, int line, int column,
                       const char *format, ...) __attribute__((format(printf, 6, 7)));

// Append a finding; past EMG_DIAGNOSTICS_MAX it is counted out silently. Returns `status`.
emg_status emg_fail_more(emg_error *err, emg_status status, const char *file, int line, int column,
                         const char *format, ...) __attribute__((format(printf, 6, 7)));

// Name the input file in findings that do not have one yet.
void emg_error_in_file(emg_error *err, const char *file);

// First message, "" if none.
const char *emg_error_message(const emg_error *err);

#define EMG_TRY(call)                    \
  do {                                   \
    emg_status emg_try_status_ = (call); \
    if (emg_try_status_ != EMG_OK) {     \
      return emg_try_status_;            \
    }                                    \
  } while (0)

// The same inside a function that has something to free at `done:` and a local `status`.
#define EMG_TRY_DONE(call)  \
  do {                      \
    status = (call);        \
    if (status != EMG_OK) { \
      goto done;            \
    }                       \
  } while (0)

#ifdef __cplusplus
}
#endif
#endif
