// cmd_report.c -- emgtwin report: one self-contained page
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/contents.h"
#include "cli/figures.h"
#include "cli/page.h"
#include "cli/scoring.h"

// Inputs and what was gathered from them.
typedef struct {
  int n_inputs;
  cli_contents *inputs;
  const cli_contents *recorded;    // the input with the recording, NULL if none
  const cli_contents *decomposed;  // the input with the result
  emg_config config;
  emg_score_result score;
  report_data data;
} report;

// --- gathering ---

// the configuration a recording was made with, if it says and this version still reads it
static void read_config(report *r) {
  const char *yaml = r->recorded ? cli_contents_provenance(r->recorded, "config_yaml") : NULL;

  emg_config_defaults(&r->config);
  r->data.has_config = r->recorded && r->recorded->has_truth && yaml &&
                       emg_config_parse(yaml, strlen(yaml), "config", &r->config, NULL) == EMG_OK;
  r->data.config = &r->config;
}

// the first of each kind counts; a second one of a kind would be silently left out, so it is
// refused
static emg_status gather(const cli_args *args, report *r, emg_error *err) {
  report_data *data = &r->data;

  for (int i = 0; i < r->n_inputs; i++) {
    cli_contents *input = &r->inputs[i];
    bool is_second = (input->has_recording && data->recording) ||
                     (input->has_decomposition && data->decomposition);
    if (is_second) {
      return emg_fail_at(err, EMG_ERR_ARG, args->positionals[i], 0, 0,
                         "is a second %s; a report is about one recording and one result",
                         input->has_recording && data->recording ? "recording" : "result");
    }
    if (input->has_recording && input->recording.data.n_rows > 0) {
      r->recorded = input;
      data->recording = &input->recording;
    }
    if (input->has_truth) {
      data->truth = &input->truth;
      data->reference = &input->truth.spikes;
    }
    if (input->has_decomposition) {
      r->decomposed = input;
      data->decomposition = &input->decomposition;
    }
    if (!data->reference && input->has_labels) {
      data->reference = &input->labels;
    }
    if (!data->reference && input->has_recording && input->recording.labels.n_units > 0) {
      data->reference = &input->recording.labels;
    }
  }
  read_config(r);
  return EMG_OK;
}

static emg_status score(report *r, emg_error *err) {
  emg_score_options options;
  emg_spikes reference;
  double from_s, to_s;

  if (!r->data.decomposition || !r->data.reference) {
    return EMG_OK;
  }
  EMG_TRY(emg_score_preset("strict", &options, err));
  // only what the result is of
  cli_part_of(cli_contents_provenance(r->decomposed, "config_yaml"), &from_s, &to_s);
  EMG_TRY(emg_spikes_between(r->data.reference, from_s, to_s, &reference, err));
  emg_status status =
      emg_score(&r->data.decomposition->spikes, &reference, &options, &r->score, err);
  emg_spikes_free(&reference);
  EMG_TRY(status);
  r->data.has_score = true;
  r->data.score = &r->score;
  return EMG_OK;
}

static void report_free(report *r) {
  for (int i = 0; i < r->n_inputs; i++) {
    cli_contents_free(&r->inputs[i]);
  }
  free(r->inputs);
  emg_score_free(&r->score);
  *r = (report){0};
}

// --- the page ---

static void write_tile(FILE *out, const char *label, const char *format, double value) {
  fputs("<div class=\"tile\"><b>", out);
  // the format is one of ours and takes one number
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  fprintf(out, format, value);
#pragma GCC diagnostic pop
  fprintf(out, "</b><span>%s</span></div>\n", label);
}

static int n_active(const emg_spikes *spikes) {
  int n = 0;

  for (int u = 0; u < spikes->n_units; u++) {
    n += emg_spikes_count(spikes, u) > 0;
  }
  return n;
}

static void write_tiles(FILE *out, const report_data *data) {
  fputs("<div class=\"tiles\">\n", out);
  if (data->recording) {
    write_tile(out, "EMG channels", "%g", data->recording->data.n_rows);
    write_tile(out, "seconds", "%.4g",
               (double)data->recording->data.n_cols / data->recording->rate_hz);
  }
  if (data->reference) {
    write_tile(out, data->truth ? "units active in truth" : "labelled units", "%g",
               n_active(data->reference));
  }
  if (data->decomposition) {
    write_tile(out, "units found", "%g", data->decomposition->spikes.n_units);
  }
  if (data->has_score) {
    write_tile(out, "of active units found (RoA at least 0.5)", "%.3g %%",
               100 * cli_score_yield(data->score));
    write_tile(out, "mean rate of agreement", "%.3f", data->score->roa);
    write_tile(out, "rate of agreement by chance", "%.3f", cli_score_chance(data->score));
  }
  fputs("</div>\n", out);
}

static void write_fact(FILE *out, const char *name, const char *text) {
  if (text && text[0]) {
    fprintf(out, "<dt>%s</dt><dd>", name);
    page_text(out, text);
    fputs("</dd>\n", out);
  }
}

static void write_subject(FILE *out, const report *r) {
  const emg_recording *rec = r->data.recording;
  char line[300];

  page_section(out, "What was recorded", NULL);
  fputs("<dl>\n", out);
  write_fact(out, "format", rec->format);
  snprintf(line, sizeof line, "%d EMG channels, %lld samples at %.10g Hz, %s", rec->data.n_rows,
           (long long)rec->data.n_cols, rec->rate_hz,
           rec->is_physical ? "uV" : "raw counts (the file states no scale)");
  write_fact(out, "recording", line);
  for (int i = 0; i < rec->n_notes; i++) {
    write_fact(out, "note", rec->notes[i]);
  }
  fputs(
      "</dl>\n<div class=\"pair\" style=\"margin-top:14px\">\n<div><p class=\"soft\">Level of "
      "each channel; faulty ones in red</p>\n",
      out);
  figure_level(out, &r->data);
  fputs("</div>\n", out);
  if (r->data.has_config) {
    fputs(
        "<div><p class=\"soft\">Limb in section, electrodes as dots, territories of active units: "
        "found ones in colour</p>\n",
        out);
    figure_cross_section(out, &r->data);
    fputs("</div>\n", out);
  }
  fputs("</div>\n<p class=\"soft\" style=\"margin-top:14px\">A second from the middle</p>\n", out);
  figure_signal(out, &r->data);
  page_section_end(out);
}

static void write_pair_row(FILE *out, const report_data *data, int u) {
  const emg_decomposition *d = data->decomposition;
  const emg_score_pair *pair = data->has_score ? &data->score->pairs[u] : NULL;

  fprintf(out, "<tr><td>%d</td><td>%lld</td><td>%.1f</td><td>%.3f</td><td>%.3f</td><td>%.1f</td>",
          u, (long long)emg_spikes_count(&d->spikes, u), d->rate_hz[u], d->isi_cov[u], d->sil[u],
          d->pnr_db[u]);
  if (pair && pair->truth >= 0) {
    fprintf(out,
            "<td>%d</td><td>%lld</td><td>%.2f</td><td>%.3f</td><td>%.3f</td><td>%.3f</td>"
            "<td style=\"color:var(--%s)\">%.3f</td><td>%.3f</td>",
            pair->truth, (long long)pair->n_truth, pair->lag_ms, pair->sensitivity, pair->precision,
            pair->f1,
            pair->roa >= 0.9  ? "good"
            : pair->roa < 0.5 ? "bad"
                              : "text",
            pair->roa, pair->chance_roa);
  } else if (pair) {
    fputs("<td colspan=\"8\" class=\"soft\">matches no true unit</td>", out);
  }
  fputs("</tr>\n", out);
}

static void write_units(FILE *out, const report_data *data) {
  page_section(out, "Units found",
               data->has_score
                   ? "Matched one-to-one; two discharges agree within 0.5 ms after the "
                     "common lag of the pair. Chance: rate of agreement of two unrelated "
                     "trains of these rates."
                   : NULL);
  if (data->decomposition->spikes.n_units == 0) {
    fputs("<p>No unit was found.</p>\n", out);
    page_section_end(out);
    return;
  }
  fputs(
      "<div class=\"wide\"><table>\n<tr><th>unit</th><th>spikes</th><th>rate (Hz)</th>"
      "<th>ISI CoV</th><th>SIL</th><th>PNR (dB)</th>",
      out);
  if (data->has_score) {
    fputs(
        "<th>true unit</th><th>true spikes</th><th>lag (ms)</th><th>sensitivity</th>"
        "<th>precision</th><th>F1</th><th>RoA</th><th>chance</th>",
        out);
  }
  fputs("</tr>\n", out);
  for (int u = 0; u < data->decomposition->spikes.n_units; u++) {
    write_pair_row(out, data, u);
  }
  fputs("</table></div>\n", out);
  page_section_end(out);
}

static void write_provenance(FILE *out, const cli_args *args, const report *r) {
  page_section(out, "How it was made", NULL);
  for (int i = 0; i < r->n_inputs; i++) {
    const cli_contents *input = &r->inputs[i];
    fputs("<dl style=\"margin-bottom:12px\">\n", out);
    write_fact(out, "file", args->positionals[i]);
    write_fact(out, "version", cli_contents_provenance(input, "version"));
    write_fact(out, "command", cli_contents_provenance(input, "command"));
    write_fact(out, "seed", cli_contents_provenance(input, "seed"));
    write_fact(out, "SHA-256 of its input", cli_contents_provenance(input, "input_sha256"));
    write_fact(out, "processor", cli_contents_provenance(input, "cpu"));
    write_fact(out, "BLAS", cli_contents_provenance(input, "blas"));
    fputs("</dl>\n", out);
    const char *yaml = cli_contents_provenance(input, "config_yaml");
    if (yaml) {
      fputs("<details style=\"margin-bottom:14px\"><summary>configuration</summary><pre>", out);
      page_text(out, yaml);
      fputs("</pre></details>\n", out);
    }
  }
  fprintf(out, "<p class=\"soft\">Page by emgtwin %s.</p>\n", emg_version());
  page_section_end(out);
}

static void write_page(FILE *out, const cli_args *args, const report *r) {
  const report_data *data = &r->data;
  char title[300];
  const char *slash = strrchr(args->positionals[0], '/');
  const char *name = slash && slash[1] ? slash + 1 : args->positionals[0];

  snprintf(title, sizeof title, "%s%s", name, r->n_inputs > 1 ? " and what was found in it" : "");
  page_begin(out, title);
  fputs("<h1>", out);
  page_text(out, title);
  fputs("</h1>\n<p class=\"soft\">emgtwin report</p>\n", out);
  write_tiles(out, data);
  if (data->recording) {
    write_subject(out, r);
  }
  if (data->reference || data->decomposition) {
    page_section(
        out, "Discharges",
        "<span class=\"key\" style=\"background:var(--found);margin-left:0\"></span>found"
        "<span class=\"key\" style=\"background:var(--true)\"></span>true, or labelled"
        "<span class=\"key\" style=\"background:var(--drive)\"></span>force, and excitation "
        "dashed. A found unit and the true one it matches share a row.");
    figure_raster(out, data);
    page_section_end(out);
  }
  if (data->recording && data->recording->data.n_rows > 0 &&
      ((data->truth && data->truth->muaps.n_units > 0) ||
       (data->decomposition && data->decomposition->muaps.n_units > 0))) {
    page_section(
        out, "Action potentials",
        "The units with the largest action potentials; found (averages over the discharges) "
        "over true in grey, moved by the lag of the pair.");
    figure_muaps(out, data);
    page_section_end(out);
  }
  if (data->decomposition) {
    write_units(out, data);
  }
  write_provenance(out, args, r);
  page_end(out);
}

// --- the command ---

static emg_status print_summary(const cli_args *args, const char *path, const report *r,
                                size_t n_bytes, emg_error *err) {
  emg_json json = {0};

  if (!args->is_json) {
    printf("%s: %.0f kB\n", path, (double)n_bytes / 1e3);
    return EMG_OK;
  }
  emg_json_object(&json, NULL);
  emg_json_text(&json, "output", path);
  emg_json_integer(&json, "bytes", (int64_t)n_bytes);
  if (r->data.has_score) {
    cli_score_json(&json, &r->score);
  }
  emg_json_end(&json);
  return cli_print_json(&json, err);
}

static emg_status write_report(const cli_args *args, const char *path, const report *r,
                               emg_error *err) {
  char *page = NULL;
  size_t n_bytes = 0;
  FILE *out = open_memstream(&page, &n_bytes);

  if (out) {
    write_page(out, args, r);
  }
  if (!out || fclose(out) != 0 || !page) {
    free(page);
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for the page; free some memory");
  }
  emg_status status = cli_write_text(args, path, page, n_bytes, err);
  free(page);
  return status == EMG_OK ? print_summary(args, path, r, n_bytes, err) : status;
}

static emg_status run_report(const cli_args *args, emg_error *err) {
  const char *path = cli_value(args, "output");
  static report r;
  emg_status status;

  EMG_TRY(cli_check_output(args, path, err));
  EMG_TRY(emg_alloc((size_t)args->n_positionals, sizeof *r.inputs, &r.inputs, err));
  r.n_inputs = args->n_positionals;
  for (int i = 0; i < r.n_inputs; i++) {
    EMG_TRY_DONE(cli_contents_read(args, args->positionals[i], CLI_NEEDS_RATE, &r.inputs[i], err));
  }
  EMG_TRY_DONE(gather(args, &r, err));
  EMG_TRY_DONE(score(&r, err));
  status = write_report(args, path, &r, err);

done:
  report_free(&r);
  return status;
}

static const cli_row positionals[] = {
    {"IN", "a recording, the result of its decomposition, labels: one of each at most"},
    {NULL, NULL}};
static const cli_option options[] = {
    {'o', "output", "OUT.html", "file to write", true},
    CLI_READ_OPTIONS,
    {0, NULL, NULL, NULL, false},
};
static const cli_row examples[] = {
    {"emgtwin report quick.h5 found.h5 -o report.html", "A recording and what was found in it"},
    {NULL, NULL},
};
static const cli_row json[] = {
    {"output, bytes", "the file and its size"},
    {"units[], summary", "as of 'score', where there is a result and something to compare it with"},
    {NULL, NULL},
};

const cli_command cli_report_command = {
    .name = "report",
    .doc = "makes one self-contained page of a recording and a result",
    .usage = "IN... -o OUT.html",
    .about =
        "An HTML page that needs no network: electrodes, limb, signal, discharges, action "
        "potentials, scores and provenance of one recording, one result, or both.",
    .positionals = positionals,
    .min_positionals = 1,
    .max_positionals = 8,
    .options = options,
    .examples = examples,
    .json = json,
    .run = run_report,
};
