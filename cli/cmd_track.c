// cmd_track.c -- emgtwin track: the same units in two recordings
#include <math.h>

#include "cli/commands.h"

static void print_result(const emg_track_result *r) {
  puts("   a     b  similarity  contrast  margin  lag/ms    RoA");
  for (int i = 0; i < r->n_a; i++) {
    const emg_track_pair *p = &r->pairs[i];
    printf("%4d  ", p->a);
    if (p->b >= 0) {
      printf("%4d", p->b);
    } else {
      printf("   -");
    }
    printf("  %10.3f  %8.3f  %6.3f  %6.2f  ", p->similarity, p->contrast, p->margin, p->lag_ms);
    if (p->roa >= 0) {
      printf("%5.3f\n", p->roa);
    } else {
      puts("    -");
    }
  }
  printf("\nmatched       %d of %d and %d units over %d common channels\n", r->n_matched, r->n_a,
         r->n_b, r->n_channels);
  printf(
      "chance        similarity %.3f and contrast %.3f of the most alike units of one recording\n",
      r->chance_similarity, r->chance_contrast);
}

static emg_status print_json(const emg_track_result *r, emg_error *err) {
  emg_json json = {0};

  emg_json_object(&json, NULL);
  emg_json_integer(&json, "n_a", r->n_a);
  emg_json_integer(&json, "n_b", r->n_b);
  emg_json_integer(&json, "n_matched", r->n_matched);
  emg_json_integer(&json, "n_channels", r->n_channels);
  emg_json_number(&json, "chance_similarity", r->chance_similarity);
  emg_json_number(&json, "chance_contrast", r->chance_contrast);
  emg_json_array(&json, "units");
  for (int i = 0; i < r->n_a; i++) {
    const emg_track_pair *p = &r->pairs[i];
    emg_json_object(&json, NULL);
    emg_json_integer(&json, "a", p->a);
    if (p->b >= 0) {
      emg_json_integer(&json, "b", p->b);
    } else {
      emg_json_null(&json, "b");
    }
    emg_json_number(&json, "similarity", p->similarity);
    emg_json_number(&json, "contrast", p->contrast);
    emg_json_number(&json, "margin", p->margin);
    emg_json_number(&json, "lag_ms", p->lag_ms);
    emg_json_number(&json, "roa", p->roa >= 0 ? p->roa : NAN);
    emg_json_end(&json);
  }
  emg_json_end(&json);
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status read_decomposition(const char *path, emg_decomposition *out, emg_error *err) {
  emg_status status = emg_file_read_decomposition(path, out, err);

  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

// The recording an option names, *out NULL if it was not given.
static emg_status read_recording(const cli_args *args, const char *option, emg_recording *rec,
                                 const emg_recording **out, emg_error *err) {
  const char *path = cli_value(args, option);

  *out = NULL;
  if (!path) {
    return EMG_OK;
  }
  EMG_TRY(cli_load_recording(args, path, CLI_NEEDS_EMG, rec, err));
  *out = rec;
  return EMG_OK;
}

static emg_status run_track(const cli_args *args, emg_error *err) {
  emg_track_options options = emg_track_defaults();
  emg_decomposition a = {0}, b = {0};
  emg_recording rec_a = {0}, rec_b = {0};
  const emg_recording *emg_a, *emg_b;
  emg_track_result result = {0};
  emg_monitor monitor = cli_monitor(args);
  emg_status status;

  EMG_TRY(cli_quantity(args, "min-similarity", "fraction", 0, 1, &options.similarity_min, err));
  EMG_TRY_DONE(read_decomposition(args->positionals[0], &a, err));
  EMG_TRY_DONE(read_decomposition(args->positionals[1], &b, err));
  EMG_TRY_DONE(read_recording(args, "emg-a", &rec_a, &emg_a, err));
  EMG_TRY_DONE(read_recording(args, "emg-b", &rec_b, &emg_b, err));
  status = emg_track(&a, &b, emg_a, emg_b, &options, &monitor, &result, err);
  cli_progress_end();
  if (status != EMG_OK) {
    goto done;
  }
  if (args->is_json) {
    status = print_json(&result, err);
  } else {
    print_result(&result);
  }

done:
  emg_track_free(&result);
  emg_decomposition_free(&a);
  emg_decomposition_free(&b);
  emg_recording_free(&rec_a);
  emg_recording_free(&rec_b);
  return status;
}

static const cli_row positionals[] = {
    {"A.h5", "a decomposition"},
    {"B.h5", "a decomposition of another recording of the same electrodes"},
    {NULL, NULL}};
static const cli_option options[] = {
    {0, "emg-a", "REC", "the recording of A: what the filters of B find in it counts too", false},
    {0, "emg-b", "REC", "the recording of B: what the filters of A find in it counts too", false},
    {0, "min-similarity", "X",
     "two units may be one from this similarity of their action potentials, 0 to 1 (default 0.8)",
     false},
    CLI_READ_OPTIONS,
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin track monday.h5 friday.h5", "By action potentials alone"},
    {"emgtwin track first_found.h5 second_found.h5 --emg-a first.h5 --emg-b second.h5",
     "With the filters of each applied to the other's recording"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"n_a, n_b, n_matched, n_channels", "units of either, pairs, and channels usable in both"},
    {"chance_similarity, chance_contrast",
     "the most that two units of one recording reach, which are different for certain"},
    {"units[].a, .b", "a unit of A and its partner in B, null if it has none"},
    {"units[].similarity, .contrast, .margin, .lag_ms",
     "of their action potentials; the same without what is alike in all units, and how much it is "
     "above the best of either with any other unit; delay of B behind A"},
    {"units[].roa", "agreement of the trains by transferred filters, null if none were"},
    {NULL, NULL},
};

const cli_command cli_track_command = {
    .name = "track",
    .doc = "finds the same units in two decompositions",
    .usage = "A.h5 B.h5 [--emg-a REC] [--emg-b REC] [--min-similarity X]",
    .about =
        "Matches the units of two decompositions of the same electrodes one-to-one by the "
        "similarity of their action potentials and, where recordings are given, by what the "
        "filters of one find in the other. Channels left out of either are left out of both. A "
        "small margin, or a contrast that different units of one recording reach as well, means "
        "that a pair is not certain.",
    .positionals = positionals,
    .min_positionals = 2,
    .max_positionals = 2,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_track,
};
