// cmd_edit.c -- emgtwin edit: units corrected by hand, recorded and undone
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/h5.h"
#include "base/part_file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/contents.h"
#include "cli/script.h"

// What was done in this call, for the report.
typedef struct {
  char *text;
  emg_edit_change change;
} done_operation;

typedef struct {
  const cli_args *args;
  const char *path;
  cli_contents contents;
  emg_config config;
  emg_recording recording;  // of --emg; else that of the file itself, if it holds one
  bool has_recording;
  emg_editor *editor;
  int n_done;
  done_operation *done;
} session;

static void session_free(session *s) {
  emg_editor_free(s->editor);
  cli_contents_free(&s->contents);
  emg_recording_free(&s->recording);
  for (int i = 0; i < s->n_done; i++) {
    free(s->done[i].text);
  }
  free(s->done);
}

// --- what goes in ---

// Whatever else is in the file would be lost when it is written again.
static emg_status check_names(emg_h5 *file, int n, char (*names)[EMG_H5_NAME_MAX], emg_error *err) {
  static const char *const known[] = {"emg",     "aux",  "truth",     "units",
                                      "filters", "edit", "provenance"};
  enum { N_KNOWN = sizeof known / sizeof known[0] };
  const char *other = emg_h5_has(file, "emg/clean")   ? "emg/clean"
                      : emg_h5_has(file, "emg/noise") ? "emg/noise"
                                                      : NULL;

  for (int i = 0; i < n && !other; i++) {
    int k = 0;
    while (k < N_KNOWN && strcmp(names[i], known[k]) != 0) {
      k++;
    }
    other = k == N_KNOWN ? names[i] : NULL;
  }
  if (other) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the file also holds %s, which editing would lose; edit a file that holds a "
                    "decomposition alone",
                    emg_quote(other).text);
  }
  return EMG_OK;
}

static emg_status check_groups(const char *path, emg_error *err) {
  char(*names)[EMG_H5_NAME_MAX];
  emg_h5 *file;
  int n;

  EMG_TRY(emg_h5_open(path, &file, err));
  emg_status status = emg_h5_list(file, "", &n, &names, err);
  if (status == EMG_OK) {
    status = check_names(file, n, names, err);
    free(names);
  }
  emg_h5_close(file);
  return status;
}

static emg_status read_decomposition(session *s, emg_error *err) {
  emg_status status = cli_is_hdf5(s->path) ? EMG_OK : emg_part_file_check(s->path, true, err);

  if (status == EMG_OK) {
    status = cli_contents_read(s->args, s->path, CLI_NEEDS_NOTHING, &s->contents, err);
  }
  if (status == EMG_OK && !s->contents.has_decomposition) {
    status = emg_fail(err, EMG_ERR_DATA,
                      "the file holds no decomposition (no /units); make one with 'emgtwin "
                      "decompose', or convert it to a native file");
  }
  if (status == EMG_OK) {
    status = check_groups(s->path, err);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, s->path);
  }
  return status;
}

// The recording must be the one that was decomposed: it is told by its digest.
static emg_status check_digest(const session *s, const char *path, emg_error *err) {
  const char *expected = cli_contents_provenance(&s->contents, "input_sha256");
  char found[65];

  if (s->args->is_forced) {
    return EMG_OK;
  }
  if (!expected) {
    cli_say(s->args, "%s does not say which recording it was made from; %s is taken for it",
            s->path, path);
    return EMG_OK;
  }
  EMG_TRY(emg_file_sha256(path, found, err));
  if (strcmp(expected, found) != 0) {
    return emg_fail_at(err, EMG_ERR_DATA, path, 0, 0,
                       "is not the recording that was decomposed: its SHA-256 is %.12s..., and %s "
                       "was made from %.12s...; give that one, or --force to edit with this one",
                       found, emg_quote(s->path).text, expected);
  }
  return EMG_OK;
}

static emg_status read_recording(session *s, const cli_script *script, emg_error *err) {
  const char *path = cli_value(s->args, "emg"), *needs = cli_script_needs_recording(script);

  if (!needs) {
    return EMG_OK;
  }
  s->has_recording = true;
  if (!path && s->contents.has_recording && s->contents.recording.data.n_rows > 0) {
    return EMG_OK;
  }
  if (!path) {
    return emg_fail(err, EMG_ERR_ARG,
                    "'%s' needs the recording that was decomposed; give it with --emg", needs);
  }
  EMG_TRY(check_digest(s, path, err));
  return cli_load_recording(s->args, path, CLI_NEEDS_EMG, &s->recording, err);
}

// The configuration the decomposition was made with.
static emg_status read_config(session *s, emg_error *err) {
  bool has_config = cli_contents_provenance(&s->contents, "config_yaml") != NULL;
  return cli_load_config(s->args, has_config ? s->path : NULL, &s->config, err);
}

// In place unless -o names another file, which is not one of the inputs.
static emg_status check_output(const session *s, const char *path, emg_error *err) {
  const char *emg = cli_value(s->args, "emg");
  struct stat output, input;

  if (strcmp(path, s->path) == 0) {
    emg_status status = emg_part_file_check(path, true, err);
    if (status != EMG_OK) {
      emg_error_in_file(err, path);
    }
    return status;
  }
  if (emg && stat(path, &output) == 0 && stat(emg, &input) == 0 && output.st_dev == input.st_dev &&
      output.st_ino == input.st_ino) {
    return emg_fail_at(err, EMG_ERR_ARG, path, 0, 0,
                       "is the recording itself; give another name for the output");
  }
  return cli_check_output(s->args, path, err);
}

// --- what comes out ---

static emg_status write_result(const session *s, const char *path, emg_error *err) {
  const cli_contents *c = &s->contents;
  const char *seed = cli_contents_provenance(c, "seed");
  emg_provenance provenance = {.config_yaml = cli_contents_provenance(c, "config_yaml"),
                               .command = cli_contents_provenance(c, "command"),
                               .seed = seed ? strtoull(seed, NULL, 10) : 0,
                               .input_sha256 = cli_contents_provenance(c, "input_sha256"),
                               .version = cli_contents_provenance(c, "version"),
                               .cpu = cli_contents_provenance(c, "cpu"),
                               .blas = cli_contents_provenance(c, "blas")};
  emg_file_contents contents = {.recording = c->has_recording ? &c->recording : NULL,
                                .truth = c->has_truth ? &c->truth : NULL,
                                .decomposition = &c->decomposition,
                                .provenance = c->n_provenance > 0 ? &provenance : NULL,
                                .compress = s->config.output.compress,
                                .n_threads = emg_get_threads()};
  bool is_in_place = strcmp(path, s->path) == 0;

  cli_output_begin(path);
  emg_status status = emg_file_write(path, &contents, is_in_place || s->args->is_forced, err);
  cli_output_end();
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

static void print_side(const char *name, int n, const emg_edit_unit *units) {
  for (int i = 0; i < n; i++) {
    const emg_edit_unit *u = &units[i];
    printf("  %-6s  %4d  %6lld  %7.2f  %7.3f  %5.3f  %6.1f%s\n", name, u->unit,
           (long long)u->n_spikes, u->rate_hz, u->isi_cov, u->sil, u->pnr_db,
           u->is_locked ? "  locked" : "");
  }
  if (n == 0) {
    printf("  %-6s  none\n", name);
  }
}

static void print_done(const session *s) {
  puts("          unit  spikes  rate/Hz  ISI CoV    SIL  PNR/dB");
  for (int i = 0; i < s->n_done; i++) {
    const emg_edit_change *change = &s->done[i].change;
    puts(s->done[i].text);
    if (change->n_before == 0 && change->n_after == 0) {
      puts("  nothing to do");
      continue;
    }
    print_side("before", change->n_before, change->before);
    print_side("after", change->n_after, change->after);
  }
}

static void write_side(emg_json *json, const char *name, int n, const emg_edit_unit *units) {
  emg_json_array(json, name);
  for (int i = 0; i < n; i++) {
    emg_json_object(json, NULL);
    emg_json_integer(json, "unit", units[i].unit);
    emg_json_integer(json, "spikes", units[i].n_spikes);
    emg_json_number(json, "rate_hz", units[i].rate_hz);
    emg_json_number(json, "isi_cov", units[i].isi_cov);
    emg_json_number(json, "sil", units[i].sil);
    emg_json_number(json, "pnr_db", units[i].pnr_db);
    emg_json_bool(json, "locked", units[i].is_locked);
    emg_json_end(json);
  }
  emg_json_end(json);
}

static emg_status print_done_json(const session *s, const char *path, emg_error *err) {
  const emg_edit_log *log = &s->contents.decomposition.edits;
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", path);
  emg_json_integer(&json, "n_units", s->contents.decomposition.spikes.n_units);
  emg_json_integer(&json, "edits", log->n_done);
  emg_json_integer(&json, "undone", log->n_steps - log->n_done);
  emg_json_array(&json, "operations");
  for (int i = 0; i < s->n_done; i++) {
    const emg_edit_change *change = &s->done[i].change;
    emg_json_object(&json, NULL);
    emg_json_text(&json, "operation", s->done[i].text);
    write_side(&json, "before", change->n_before, change->before);
    write_side(&json, "after", change->n_after, change->after);
    emg_json_end(&json);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status print_log(const session *s, emg_error *err) {
  const emg_edit_log *log = &s->contents.decomposition.edits;
  emg_json json = {0};

  if (!s->args->is_json) {
    for (int i = 0; i < log->n_steps; i++) {
      printf("%4d  %s  %s\n", i + 1, i < log->n_done ? "done  " : "undone", log->steps[i].text);
    }
    if (log->n_steps == 0) {
      puts("never edited");
    }
    return EMG_OK;
  }
  emg_json_object(&json, NULL);
  emg_json_text(&json, "file", s->path);
  emg_json_array(&json, "log");
  for (int i = 0; i < log->n_steps; i++) {
    emg_json_object(&json, NULL);
    emg_json_text(&json, "text", log->steps[i].text);
    emg_json_bool(&json, "done", i < log->n_done);
    emg_json_end(&json);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

// --- the operations ---

static emg_status do_one(session *s, const emg_edit_operation *op, emg_error *err) {
  const emg_spikes *spikes = &s->contents.decomposition.spikes;
  done_operation *done = realloc(s->done, ((size_t)s->n_done + 1) * sizeof *done);

  if (!done) {
    return emg_fail(err, EMG_ERR_MEMORY, "there is no memory for %d operations", s->n_done + 1);
  }
  s->done = done;
  s->done[s->n_done] = (done_operation){0};
  EMG_TRY(emg_edit_format(op, spikes->rate_hz, spikes->n_samples, &s->done[s->n_done].text, err));
  s->n_done++;
  return emg_edit(s->editor, op, &s->done[s->n_done - 1].change, err);
}

// Operations are read one by one: the numbers of units are those that the ones before left.
static emg_status do_line(session *s, const cli_script *script, const cli_line *line,
                          emg_error *err) {
  for (int at = 0; at < line->n_words;) {
    emg_edit_operations operations;
    int n_used;
    EMG_TRY(emg_edit_parse(line->n_words - at, line->words + at, &s->contents.decomposition,
                           &n_used, &operations, err));
    at += n_used;
    emg_status status = EMG_OK;
    if (script->path && at < line->n_words) {
      status = emg_fail(err, EMG_ERR_ARG, "%s begins a second operation; give it a line of its own",
                        emg_quote(line->words[at]).text);
    }
    for (int i = 0; i < operations.n && status == EMG_OK; i++) {
      status = do_one(s, &operations.items[i], err);
    }
    emg_edit_operations_free(&operations);
    EMG_TRY(status);
  }
  return EMG_OK;
}

static emg_status do_script(session *s, const cli_script *script, const emg_monitor *monitor,
                            emg_error *err) {
  const emg_recording *own = &s->contents.recording;
  const emg_recording *rec = s->recording.data.n_rows > 0 ? &s->recording : own;

  emg_status status = emg_editor_create(&s->contents.decomposition, s->has_recording ? rec : NULL,
                                        &s->config, monitor, &s->editor, err);
  for (int i = 0; i < script->n && status == EMG_OK; i++) {
    status = emg_progress(monitor, "editing", i, script->n, err);
    status = status == EMG_OK ? do_line(s, script, &script->lines[i], err) : status;
    if (status != EMG_OK) {
      cli_script_blame(script, &script->lines[i], err);
    }
  }
  cli_progress_end();
  if (status != EMG_OK) {
    emg_error_in_file(err, s->path);
  }
  return status;
}

static bool has_changed(const session *s) {
  for (int i = 0; i < s->n_done; i++) {
    if (s->done[i].change.n_before + s->done[i].change.n_after > 0) {
      return true;
    }
  }
  return false;
}

static emg_status edit_file(session *s, const cli_script *script, emg_error *err) {
  const char *output = cli_value(s->args, "output");
  const char *path = output ? output : s->path;
  emg_monitor monitor = cli_monitor(s->args);

  EMG_TRY(check_output(s, path, err));
  EMG_TRY(read_config(s, err));
  EMG_TRY(read_recording(s, script, err));
  EMG_TRY(do_script(s, script, &monitor, err));
  if (output || has_changed(s)) {
    EMG_TRY(write_result(s, path, err));
  }
  if (s->args->is_json) {
    return print_done_json(s, path, err);
  }
  print_done(s);
  return EMG_OK;
}

static emg_status run_edit(const cli_args *args, emg_error *err) {
  static session s;
  cli_script script = {0};
  emg_status status;

  s = (session){.args = args, .path = args->positionals[0]};
  if (cli_flag(args, "log") && args->n_positionals > 1) {
    return emg_fail(err, EMG_ERR_ARG, "--log shows what was done and does nothing; leave out %s",
                    emg_quote(args->positionals[1]).text);
  }
  if (!cli_flag(args, "log")) {
    EMG_TRY(cli_script_create(args, &script, err));
  }
  EMG_TRY_DONE(read_decomposition(&s, err));
  status = cli_flag(args, "log") ? print_log(&s, err) : edit_file(&s, &script, err);

done:
  cli_script_free(&script);
  session_free(&s);
  return status;
}

static const cli_row positionals[] = {
    {"DEC.h5", "a native file with a decomposition; it is replaced unless -o is given"},
    {"OPERATION", "what to do, one after the other:"},
    {"add UNIT TIME...",
     "spikes at the highest peaks of the source within 10 ms of the times, or "
     "'within 5ms'"},
    {"add UNIT FROM..TO [LOW..HIGH]",
     "spikes at all peaks in a range of time and of height, where "
     "the spikes of the unit have 1 on average"},
    {"delete UNIT TIME...", "the spikes next to the times, 'within' as above"},
    {"delete UNIT FROM..TO [LOW..HIGH]", "all spikes in a range of time and of height"},
    {"merge UNIT UNIT", "two units become the one with the lower number"},
    {"split UNIT [at TIME]",
     "by the shape of the action potentials, or by time; the second part "
     "becomes the last unit"},
    {"delete-unit UNITS", "later units move down"},
    {"remove-outliers UNITS", "the lower spikes of pairs too fast for the train"},
    {"re-estimate UNITS [FROM..TO]",
     "filter from the spikes of the range, and new spikes there "
     "from the filter; with 'keep', source and figures alone"},
    {"lock UNITS, unlock UNITS", "locked units are refused by every other operation"},
    {"undo [N], redo [N]", "operations back, and forth again"},
    {NULL, NULL},
};
static const cli_option options[] = {
    {'o', "output", "OUT.h5", "write here instead of in place", false},
    {0, "emg", "REC", "the recording that was decomposed; needed to change spikes", false},
    {0, "script", "FILE", "operations from a file, one a line; - for standard input", false},
    {0, "log", NULL, "show what was done so far", false},
    {0, "undo", NULL, "take back the last operation, or with a number N so many", false},
    {0, "redo", NULL, "the reverse", false},
    CLI_READ_OPTIONS,
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin edit found.h5 --emg rec.h5 re-estimate all remove-outliers all",
     "Every unit once more from its own spikes"},
    {"emgtwin edit found.h5 --emg rec.h5 add 3 12.35 delete 3 14..15 0..0.5 lock 3",
     "One spike more, the low ones of a second less, and that is it"},
    {"emgtwin edit found.h5 --undo 2", "Take that back"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"output, n_units", "the file that was written and how many units it has"},
    {"edits, undone", "operations in its log that are done, and that may be redone"},
    {"operations[].operation", "each operation of this call, as the log has it"},
    {"operations[].before[], .after[]",
     "the units it replaced and made, as .unit, .spikes, .rate_hz, .isi_cov, .sil, .pnr_db, "
     ".locked; both empty if there was nothing to do"},
    {"file, log[].text, .done", "with --log: what was done, and whether it is undone"},
    {NULL, NULL},
};

const cli_command cli_edit_command = {
    .name = "edit",
    .doc = "corrects the units of a decomposition by hand",
    .usage = "DEC.h5 [--emg REC] OPERATION... | --script FILE | --log | --undo [N] [-o OUT.h5]",
    .about =
        "Operations on the units of a decomposition, in turn. Units count from 0 and are as the "
        "operation before left them; UNITS is a list like 0,2,5 or 'all', which leaves out locked "
        "ones. Times are in seconds, or samples with @ before; either end of a range may be left "
        "out. Spikes are found in the source of the unit: the recording without the other units, "
        "seen through the filter made from the unit's spikes. Every operation is recorded in the "
        "file and can be undone, to the last bit. If one fails, nothing is written.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 1 << 20,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_edit,
};
