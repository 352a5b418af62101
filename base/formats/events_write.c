// events_write.c -- discharges as events of BIDS, MUniverse and MUnitQuest, and their run log
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "base/json.h"
#include "base/number.h"
#include "base/part_file.h"
#include "base/system.h"
#include "convert_priv.h"

// --- events ---

typedef struct {
  int64_t sample;
  int unit;
} event;

static int compare_events(const void *a, const void *b) {
  const event *x = a, *y = b;
  int order = (x->sample > y->sample) - (x->sample < y->sample);
  return order != 0 ? order : x->unit - y->unit;
}

emg_status emg_events_write(const emg_export *e, emg_buffer *out, emg_error *err) {
  const emg_spikes *s = &e->spikes;
  int64_t n = 0;
  event *events;

  EMG_TRY(emg_alloc((size_t)s->offsets[s->n_units] + 1, sizeof *events, &events, err));
  for (int u = 0; u < s->n_units; u++) {
    for (int64_t i = 0; i < emg_spikes_count(s, u); i++) {
      events[n++] = (event){emg_spikes_of(s, u)[i], u};
    }
  }
  qsort(events, (size_t)n, sizeof *events, compare_events);
  emg_buffer_text(out, "onset\tduration\tsample\tunit_id\tevent_type\n");
  for (int64_t i = 0; i < n; i++) {
    // shortest decimal of the double sample / rate: onset * rate is the sample again
    emg_buffer_print(out, "%s\t0\t%lld\t%d\tmotor-unit-spike\n",
                     emg_number_format((double)events[i].sample / e->rate_hz).text,
                     (long long)events[i].sample, events[i].unit);
  }
  free(events);
  if (n == 0) {
    emg_export_note(e,
                    "there is no discharge: the table of events is empty, which MUnitQuest "
                    "refuses");
  }
  return emg_buffer_check(out, err);
}

// --- run log ---

static void time_text(time_t when, char text[32]) {
  struct tm utc;
  gmtime_r(&when, &utc);
  strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void write_generated_by(const emg_export *e, emg_json *json) {
  const char *how = e->is_truth ? "Ground truth of a simulated recording, written by emgtwin"
                    : e->found  ? "Motor units found by the decomposition of emgtwin"
                                : "Discharges of another program, written by emgtwin";

  emg_json_array(json, "GeneratedBy");
  emg_json_object(json, NULL);
  emg_json_text(json, "Name", "emgtwin");
  emg_json_text(json, "Version", emg_version());
  emg_json_text(json, "Description", how);
  emg_json_text(json, "CodeURL", e->options->code_url ? e->options->code_url : "not published");
  emg_json_text(json, "License", "GPL-3.0-or-later");
  emg_json_text(json, "Container", "none");
  emg_json_end(json);
  emg_json_end(json);
}

// The machine; MUniverse's own log and the first validators of MUnitQuest name it differently.
static void write_environment(emg_json *json) {
  struct utsname name = {0};
  struct sysinfo info = {0};

  uname(&name);
  double ram_gb = sysinfo(&info) == 0 ? (double)info.totalram * info.mem_unit / 1073741824 : 0;
  emg_json_object(json, "RuntimeEnvironment");
  emg_json_object(json, "Host");
  emg_json_text(json, "OS", name.sysname);
  emg_json_text(json, "Kernel", name.release);
  emg_json_text(json, "CPU", emg_cpu_name());
  emg_json_array(json, "GPU");
  emg_json_end(json);
  emg_json_number(json, "RAM_GB", ram_gb);
  emg_json_end(json);
  emg_json_end(json);
  emg_json_object(json, "Environment");
  emg_json_text(json, "CPU", emg_cpu_name());
  emg_json_array(json, "GPU");
  emg_json_end(json);
  emg_json_number(json, "RAM", ram_gb);
  emg_json_end(json);
}

// Processor seconds of this run so far, which readers want as a fraction greater than 0.
static double runtime_s(void) {
  struct timespec used;
  double seconds = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0
                       ? (double)used.tv_sec + 1e-9 * (double)used.tv_nsec
                       : 0;
  double rounded = 1e-4 * floor(1e4 * seconds);
  return rounded == floor(rounded) ? rounded + 1e-4 : rounded;
}

static void write_execution(emg_json *json) {
  char now[32];

  time_text(time(NULL), now);
  emg_json_object(json, "Execution");
  emg_json_object(json, "Timing");
  emg_json_text(json, "End", now);
  emg_json_end(json);
  emg_json_number(json, "Runtime", runtime_s());
  emg_json_text(json, "RuntimeOf", "processor seconds of the run that wrote this file");
  emg_json_object(json, "ReturnCodes");
  emg_json_integer(json, "emgtwin", 0);
  emg_json_end(json);
  emg_json_end(json);
}

emg_status emg_run_log_write(const emg_export *e, emg_buffer *out, emg_error *err) {
  const emg_provenance *p = e->contents->provenance;
  emg_json json = {0};
  char *text;

  emg_json_object(&json, NULL);
  emg_json_text(&json, "DatasetType", "derivative");
  emg_json_object(&json, "Pipeline");
  emg_json_text(&json, "Name", "emgtwin");
  emg_json_text(&json, "Command", p ? p->command : NULL);
  emg_json_text(&json, "Configuration", p ? p->config_yaml : NULL);
  emg_json_end(&json);
  write_generated_by(e, &json);
  emg_json_object(&json, "InputData");
  emg_json_text(&json, "Format",
                e->contents->recording ? e->contents->recording->format : "emgtwin");
  emg_json_text(&json, "SHA256", p ? p->input_sha256 : NULL);
  emg_json_number(&json, "SamplingFrequency", e->rate_hz);
  emg_json_end(&json);
  emg_json_object(&json, "OutputData");
  emg_json_integer(&json, "Units", e->spikes.n_units);
  emg_json_integer(&json, "Discharges", e->spikes.offsets[e->spikes.n_units]);
  emg_json_end(&json);
  write_environment(&json);
  write_execution(&json);
  emg_json_end(&json);
  EMG_TRY(emg_json_finish(&json, &text, err));
  emg_buffer_text(out, text);
  free(text);
  return emg_buffer_check(out, err);
}

// --- the two files ---

// x_events.tsv has its log in x_log.json, which is where validators look.
static emg_status log_path(const char *path, char *log, size_t size, emg_error *err) {
  static const char end[] = "events.tsv";
  size_t n = strlen(path), m = sizeof end - 1;

  if (n < m || strcmp(path + n - m, end) != 0) {
    return emg_fail(
        err, EMG_ERR_ARG,
        "a file of events must be named ..._events.tsv, for its run log is ..._log.json "
        "beside it");
  }
  if (n + 8 > size) {
    return emg_fail(err, EMG_ERR_ARG, "the name of the output is too long");
  }
  snprintf(log, size, "%.*slog.json", (int)(n - m), path);
  return EMG_OK;
}

emg_status emg_write_muniverse(const char *path, const emg_export *e, emg_error *err) {
  char log[4096];
  emg_buffer events = {0}, entries = {0};
  bool is_new = false;
  emg_status status;

  EMG_TRY(log_path(path, log, sizeof log, err));
  EMG_TRY(emg_part_file_check(log, e->options->overwrite, err));
  EMG_TRY_DONE(emg_events_write(e, &events, err));
  EMG_TRY_DONE(emg_run_log_write(e, &entries, err));
  // the log first: events are complete when they are there
  is_new = access(log, F_OK) != 0;
  EMG_TRY_DONE(emg_part_file_write(log, entries.bytes, entries.n, e->options->overwrite, err));
  status = emg_progress(e->options->monitor, "files", 1, 2, err);
  if (status == EMG_OK) {
    status = emg_part_file_write(path, events.bytes, events.n, e->options->overwrite, err);
  }
  if (status != EMG_OK && is_new) {
    unlink(log);
  }
  if (status == EMG_OK && !e->options->code_url) {
    emg_export_note(e, "the run log states no address of the code; give it with --code-url");
  }
done:
  emg_buffer_free(&events);
  emg_buffer_free(&entries);
  return status;
}
