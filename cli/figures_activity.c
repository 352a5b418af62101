// figures_activity.c -- what happened over time: signal, discharges, action potentials
#include <math.h>
#include <stdlib.h>

#include "cli/figures.h"
#include "cli/page.h"

enum { WIDTH = 1060 };

// --- signal ---

void figure_signal(FILE *out, const report_data *data) {
  enum { SHOWN = 8, HEIGHT = 300 };
  const emg_recording *rec = data->recording;
  int n_shown = rec->data.n_rows < SHOWN ? rec->data.n_rows : SHOWN;
  int64_t length = (int64_t)fmin(rec->rate_hz, (double)rec->data.n_cols);
  int64_t begin = (rec->data.n_cols - length) / 2;
  float most = 0;

  for (int i = 0; i < n_shown; i++) {
    const float *row = emg_row2f(&rec->data, i * rec->data.n_rows / n_shown);
    for (int64_t t = begin; t < begin + length; t++) {
      most = fmaxf(most, fabsf(row[t]));
    }
  }
  if (n_shown == 0 || length < 2 || most <= 0) {
    return;
  }
  double lane = (double)HEIGHT / n_shown, scale = 0.7 * lane / most;
  page_axes axes = {.left = 110,
                    .top = 10,
                    .width = WIDTH - 190,
                    .height = HEIGHT,
                    .x_min = (double)begin / rec->rate_hz,
                    .x_max = (double)(begin + length - 1) / rec->rate_hz,
                    .y_max = 1};

  page_figure(out, WIDTH, HEIGHT + 55, "a second of eight channels");
  page_draw_axes(out, &axes, "time (s)", NULL);
  for (int i = 0; i < n_shown; i++) {
    int channel = i * rec->data.n_rows / n_shown;
    const float *row = emg_row2f(&rec->data, channel);
    double middle = axes.top + (i + 0.5) * lane;
    fprintf(out, "<text x=\"102\" y=\"%.1f\" text-anchor=\"end\">", middle + 4);
    page_text(out, rec->channels[channel].name);
    fputs("</text><path class=\"found fine\" d=\"M", out);
    for (int64_t t = begin; t < begin + length; t++) {
      fprintf(out, "%.1f %.1f ", page_x(&axes, (double)t / rec->rate_hz),
              middle - scale * (double)row[t]);
    }
    fputs("\"/>\n", out);
  }
  // scale bar: half a lane
  double bar = 0.5 * lane / scale, x = axes.left + axes.width + 14;
  fprintf(out,
          "<path class=\"drive\" style=\"stroke-width:2\" d=\"M%.1f %.1fv%.1f\"/>"
          "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g %s</text>\n",
          x, axes.top + 0.5 * HEIGHT, 0.5 * lane, WIDTH - 4,
          axes.top + 0.5 * HEIGHT + 0.5 * lane + 16, bar, rec->is_physical ? "uV" : "counts");
  page_figure_end(out);
}

// --- discharges ---

// One row of the raster: a found unit, the true one it was matched to, or both; -1 for none.
typedef struct {
  int found, truth;
} raster_row;

// Found units first, then the active true ones that were missed.
static int raster_rows(const report_data *data, raster_row *rows) {
  int n = 0, n_found = data->decomposition ? data->decomposition->spikes.n_units : 0;
  int n_true = data->reference ? data->reference->n_units : 0;

  for (int u = 0; u < n_found; u++) {
    rows[n++] = (raster_row){u, data->has_score ? data->score->pairs[u].truth : -1};
  }
  for (int u = 0; u < n_true; u++) {
    bool is_matched = false;
    for (int i = 0; i < n_found; i++) {
      is_matched = is_matched || rows[i].truth == u;
    }
    if (!is_matched && emg_spikes_count(data->reference, u) > 0) {
      rows[n++] = (raster_row){-1, u};
    }
  }
  return n;
}

// ticks of one train; those that fall on the same half unit of the figure are drawn once
static void draw_train(FILE *out, const page_axes *axes, const emg_spikes *spikes, int unit,
                       double top, double height, const char *css_class) {
  const int64_t *samples = emg_spikes_of(spikes, unit);
  int64_t n = emg_spikes_count(spikes, unit);
  double last = -1;

  fprintf(out, "<path class=\"%s fine\" d=\"", css_class);
  for (int64_t i = 0; i < n; i++) {
    double x = 0.5 * floor(2 * page_x(axes, (double)samples[i] / spikes->rate_hz));
    if (x > last) {
      fprintf(out, "M%g %.1fv%.1f", x, top, height);
      last = x;
    }
  }
  fputs("\"/>\n", out);
}

// excitation or force of every muscle, in percent, over the raster
static void draw_course(FILE *out, const page_axes *axes, const emg_array2d *course, double rate_hz,
                        const char *style) {
  enum { POINTS = 500 };

  for (int m = 0; m < course->n_rows; m++) {
    const double *row = emg_row2d(course, m);
    int64_t step = course->n_cols / POINTS + 1;
    fprintf(out, "<path class=\"drive\" style=\"%s\" d=\"M", style);
    for (int64_t t = 0; t < course->n_cols; t += step) {
      fprintf(out, "%.1f %.1f ", page_x(axes, (double)t / rate_hz), page_y(axes, 100 * row[t]));
    }
    fputs("\"/>\n", out);
  }
}

static double largest(const emg_array2d *a) {
  double most = 0;

  for (int r = 0; r < a->n_rows; r++) {
    for (int64_t i = 0; i < a->n_cols; i++) {
      most = fmax(most, emg_row2d(a, r)[i]);
    }
  }
  return most;
}

static double duration_s(const report_data *data) {
  const emg_spikes *spikes = data->reference ? data->reference : &data->decomposition->spikes;
  double last = 0;

  if (data->recording && data->recording->data.n_cols > 0) {
    return (double)data->recording->data.n_cols / data->recording->rate_hz;
  }
  if (spikes->n_samples > 0) {
    return (double)spikes->n_samples / spikes->rate_hz;
  }
  for (int64_t i = 0; i < spikes->offsets[spikes->n_units]; i++) {
    last = fmax(last, (double)spikes->samples[i] / spikes->rate_hz);
  }
  return last > 0 ? last : 1;
}

void figure_raster(FILE *out, const report_data *data) {
  int n_all = (data->decomposition ? data->decomposition->spikes.n_units : 0) +
              (data->reference ? data->reference->n_units : 0);
  raster_row *rows;

  if (n_all == 0 || emg_alloc((size_t)n_all, sizeof *rows, &rows, NULL) != EMG_OK) {
    return;
  }
  int n = raster_rows(data, rows);
  double lane = n > 40 ? 6 : n > 20 ? 9 : 14, height = fmax(120, lane * n);
  page_axes axes = {.left = 70,
                    .top = 10,
                    .width = WIDTH - 140,
                    .height = height,
                    .x_min = 0,
                    .x_max = duration_s(data),
                    .y_min = n,
                    .y_max = 0};
  // rows count from the top; the lane follows from the height where there are few
  lane = height / (n > 0 ? n : 1);

  page_figure(out, WIDTH, height + 60, "discharges of the units over time");
  page_draw_axes(out, &axes, "time (s)", "unit, found ones first");
  for (int i = 0; i < n; i++) {
    double top = axes.top + i * lane, half = 0.44 * lane;
    bool has_both = rows[i].found >= 0 && rows[i].truth >= 0;
    if (rows[i].found >= 0) {
      draw_train(out, &axes, &data->decomposition->spikes, rows[i].found, top + 0.06 * lane,
                 has_both ? half : 2 * half, "found");
    }
    if (rows[i].truth >= 0) {
      draw_train(out, &axes, data->reference, rows[i].truth, top + (has_both ? 0.5 : 0.06) * lane,
                 has_both ? half : 2 * half, "true");
    }
  }
  if (data->truth && data->truth->excitation.n_rows > 0) {
    double most = fmax(largest(&data->truth->excitation), largest(&data->truth->force));
    page_axes percent = axes;
    percent.y_min = 0;
    percent.y_max = most > 0 ? 105 * most : 100;
    double rate_hz = data->truth->spikes.rate_hz;
    draw_course(out, &percent, &data->truth->excitation, rate_hz, "stroke-dasharray:5 4");
    draw_course(out, &percent, &data->truth->force, rate_hz, "stroke-width:1.8");
    page_draw_right_axis(out, &percent, "excitation, force (% of maximum)");
  }
  page_figure_end(out);
  free(rows);
}

// --- action potentials ---

// One unit in the figure: its action potentials as found, as they are, or both.
typedef struct {
  int found, truth;
  double lag_s;  // of the found discharges behind the true ones
  double peak_uv;
} shown_unit;

static double bank_peak(const emg_muap_bank *bank, int unit) {
  const float *data = emg_muap_row(bank, unit, 0);
  float most = 0;

  for (ptrdiff_t i = 0; i < (ptrdiff_t)bank->n_channels * bank->n_taps; i++) {
    most = fmaxf(most, fabsf(data[i]));
  }
  return most;
}

static bool has_unit(const emg_muap_bank *bank, int unit, const emg_recording *rec) {
  return unit >= 0 && unit < bank->n_units && bank->n_channels == rec->data.n_rows &&
         bank->n_taps > 1;
}

static int compare_peaks(const void *a, const void *b) {
  double x = ((const shown_unit *)a)->peak_uv, y = ((const shown_unit *)b)->peak_uv;
  return (x < y) - (x > y);
}

// units with the largest action potentials, found ones before those that are only true
static int choose_units(const report_data *data, shown_unit *units) {
  const emg_muap_bank none = {0};
  const emg_muap_bank *found = data->decomposition ? &data->decomposition->muaps : &none;
  const emg_muap_bank *truth = data->truth ? &data->truth->muaps : &none;
  int n = 0;

  for (int u = 0; u < found->n_units; u++) {
    int match = data->truth && data->has_score ? data->score->pairs[u].truth : -1;
    double lag_s = match >= 0 ? 1e-3 * data->score->pairs[u].lag_ms : 0;
    if (has_unit(found, u, data->recording)) {
      units[n++] = (shown_unit){u, match, lag_s, bank_peak(found, u)};
    }
  }
  for (int u = 0; u < truth->n_units && found->n_units == 0; u++) {
    if (has_unit(truth, u, data->recording) && emg_spikes_count(&data->truth->spikes, u) > 0) {
      units[n++] = (shown_unit){-1, u, 0, bank_peak(truth, u)};
    }
  }
  qsort(units, (size_t)n, sizeof *units, compare_peaks);
  return n;
}

// 5 ms before to 20 ms after the discharge, taken `lag_s` late, in the cell of every channel
static void draw_bank(FILE *out, const page_axes *axes, const emg_recording *rec,
                      const emg_muap_bank *bank, int unit, double lag_s, double peak_uv,
                      const char *css_class) {
  double before_s = 0.005, span_s = 0.025, cell_width = axes->width / (axes->x_max - axes->x_min);
  double cell_height = axes->height / (axes->y_max - axes->y_min);

  fprintf(out, "<path class=\"%s\" d=\"", css_class);
  for (int c = 0; c < rec->data.n_rows; c++) {
    const emg_channel *channel = &rec->channels[c];
    const float *taps = emg_muap_row(bank, unit, c);
    if (channel->row < 0 || channel->column < 0) {
      continue;
    }
    double x0 = page_x(axes, channel->column - 0.45), y0 = page_y(axes, channel->row);
    char letter = 'M';
    for (int t = 0; t < bank->n_taps; t++) {
      double at_s = before_s + lag_s + (t - bank->origin) / bank->rate_hz;
      if (at_s >= 0 && at_s <= span_s) {
        fprintf(out, "%c%.1f %.1f", letter, x0 + 0.9 * cell_width * at_s / span_s,
                y0 - 0.6 * cell_height * (double)taps[t] / peak_uv);
        letter = 'L';
      }
    }
  }
  fputs("\"/>\n", out);
}

static void draw_unit(FILE *out, const report_data *data, const shown_unit *unit) {
  const emg_recording *rec = data->recording;
  int n_rows = 1, n_columns = 1;

  for (int c = 0; c < rec->data.n_rows; c++) {
    n_rows = rec->channels[c].row >= n_rows ? rec->channels[c].row + 1 : n_rows;
    n_columns = rec->channels[c].column >= n_columns ? rec->channels[c].column + 1 : n_columns;
  }
  double cell_height = fmin(26, 420. / n_rows);
  page_axes axes = {.left = 60,
                    .top = 26,
                    .width = 400,
                    .height = n_rows * cell_height,
                    .x_min = -0.5,
                    .x_max = n_columns - 0.5,
                    .y_min = -0.5,
                    .y_max = n_rows - 0.5};

  fputs("<div>", out);
  page_figure(out, 480, axes.height + 84, "action potentials of one unit on the grid");
  fputs("<text class=\"title\" x=\"60\" y=\"16\">", out);
  if (unit->found >= 0) {
    fprintf(out, "found unit %d", unit->found);
  }
  if (unit->truth >= 0) {
    fprintf(out, "%strue unit %d", unit->found >= 0 ? ", " : "", unit->truth);
  }
  fputs("</text>\n", out);
  if (data->truth && has_unit(&data->truth->muaps, unit->truth, rec)) {
    draw_bank(out, &axes, rec, &data->truth->muaps, unit->truth, 0, unit->peak_uv, "true");
  }
  if (unit->found >= 0) {
    draw_bank(out, &axes, rec, &data->decomposition->muaps, unit->found, unit->lag_s, unit->peak_uv,
              "found");
  }
  page_draw_axes(out, &axes, "column of the grid (each cell: -5 to 20 ms from the discharge)",
                 "row of the grid");
  double bar = 0.6 * cell_height;
  fprintf(out,
          "<path class=\"drive\" style=\"stroke-width:2\" d=\"M60 %.1fv%.1f\"/>"
          "<text x=\"68\" y=\"%.1f\">%.4g uV</text>\n",
          axes.top + axes.height + 44, bar, axes.top + axes.height + 44 + 0.5 * bar + 4,
          unit->peak_uv);
  page_figure_end(out);
  fputs("</div>\n", out);
}

void figure_muaps(FILE *out, const report_data *data) {
  enum { SHOWN = 4 };
  int n_all = (data->decomposition ? data->decomposition->muaps.n_units : 0) +
              (data->truth ? data->truth->muaps.n_units : 0);
  shown_unit *units;

  if (n_all == 0 || emg_alloc((size_t)n_all, sizeof *units, &units, NULL) != EMG_OK) {
    return;
  }
  int n = choose_units(data, units);
  fputs("<div class=\"pair\">\n", out);
  for (int i = 0; i < n && i < SHOWN; i++) {
    if (units[i].peak_uv > 0) {
      draw_unit(out, data, &units[i]);
    }
  }
  fputs("</div>\n", out);
  free(units);
}
