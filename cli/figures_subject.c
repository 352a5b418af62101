// figures_subject.c -- where and what was recorded: level over the grid, and the limb in section
#include <math.h>
#include <stdlib.h>

#include "cli/figures.h"
#include "cli/page.h"

// --- level over the grid ---

static double rms_uv(const emg_recording *rec, int channel) {
  const float *row = emg_row2f(&rec->data, channel);
  double sum = 0, squares = 0, n = (double)rec->data.n_cols;

  for (int64_t i = 0; i < rec->data.n_cols; i++) {
    sum += row[i];
    squares += (double)row[i] * row[i];
  }
  return n > 0 ? sqrt(fmax(0, squares / n - (sum / n) * (sum / n))) : 0;
}

// Place of a channel in the picture: its grid cell, or a line of cells without a grid.
typedef struct {
  int row, column, n_rows, n_columns;
} cell;

static cell cell_of(const emg_recording *rec, int channel) {
  enum { LINE = 16 };
  cell place = {0};
  bool has_grid = true;

  for (int c = 0; c < rec->data.n_rows; c++) {
    const emg_channel *each = &rec->channels[c];
    has_grid = has_grid && each->row >= 0 && each->column >= 0;
    place.n_rows = each->row >= place.n_rows ? each->row + 1 : place.n_rows;
    place.n_columns = each->column >= place.n_columns ? each->column + 1 : place.n_columns;
  }
  place.row = rec->channels[channel].row;
  place.column = rec->channels[channel].column;
  if (!has_grid) {
    place = (cell){channel / LINE, channel % LINE, (rec->data.n_rows + LINE - 1) / LINE, LINE};
  }
  return place;
}

void figure_level(FILE *out, const report_data *data) {
  const emg_recording *rec = data->recording;
  enum { WIDTH = 480, HEIGHT = 420 };
  double *levels, most = 0;

  if (rec->data.n_rows == 0 ||
      emg_alloc((size_t)rec->data.n_rows, sizeof *levels, &levels, NULL) != EMG_OK) {
    return;
  }
  for (int c = 0; c < rec->data.n_rows; c++) {
    levels[c] = rms_uv(rec, c);
    most = rec->channels[c].state == EMG_CHANNEL_GOOD ? fmax(most, levels[c]) : most;
  }
  cell grid = cell_of(rec, 0);
  double size = fmin((WIDTH - 80.) / grid.n_columns, (HEIGHT - 90.) / grid.n_rows);
  page_axes axes = {.left = 60,
                    .top = 10,
                    .width = size * grid.n_columns,
                    .height = size * grid.n_rows,
                    .x_min = -0.5,
                    .x_max = grid.n_columns - 0.5,
                    .y_min = -0.5,
                    .y_max = grid.n_rows - 0.5};

  page_figure(out, WIDTH, axes.height + 110, "level of each channel over the grid");
  for (int c = 0; c < rec->data.n_rows; c++) {
    cell place = cell_of(rec, c);
    double x = page_x(&axes, place.column - 0.5), y = page_y(&axes, place.row + 0.5);
    bool is_good = rec->channels[c].state == EMG_CHANNEL_GOOD;
    fprintf(out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" style=\"fill:var(--%s);"
            "fill-opacity:%.2f;stroke:var(--card)\"><title>",
            x, y, size, size, is_good ? "found" : "bad",
            is_good && most > 0 ? 0.08 + 0.92 * levels[c] / most : 0.35);
    page_text(out, rec->channels[c].name);
    fprintf(out, ", %.3g %s, %s</title></rect>\n", levels[c], rec->is_physical ? "uV" : "counts",
            emg_channel_state_name(rec->channels[c].state));
  }
  page_draw_axes(out, &axes, "column of the grid", "row of the grid");

  // legend: how strong the colour is
  double y = axes.top + axes.height + 56;
  for (int i = 0; i < 10; i++) {
    fprintf(out,
            "<rect x=\"%d\" y=\"%.1f\" width=\"14\" height=\"12\" style=\"fill:var(--found);"
            "fill-opacity:%.2f\"/>",
            60 + 14 * i, y, 0.08 + 0.092 * (i + 1));
  }
  fprintf(out,
          "<text x=\"60\" y=\"%.1f\">0</text><text x=\"196\" y=\"%.1f\" text-anchor=\"end\">"
          "%.3g</text><text x=\"208\" y=\"%.1f\">root mean square (%s)</text>\n",
          y + 28, y + 28, most, y + 11, rec->is_physical ? "uV" : "counts");
  page_figure_end(out);
  free(levels);
}

// --- the limb in section ---

// Outer radius of each layer in mm, inside to outside, for a configuration.
typedef struct {
  const char *name;
  double radius_mm;
} layer;

static int layers_of(const emg_config *config, layer out[5]) {
  const struct emg_config_conductor *c = &config->conductor;
  const layer all[5] = {
      {"bone", c->bone_radius_mm},
      {"muscle", c->muscle_radius_mm},
      {"fascia", c->muscle_radius_mm + c->fascia_thickness_mm},
      {"fat", c->muscle_radius_mm + c->fascia_thickness_mm + c->fat_thickness_mm},
      {"skin",
       c->muscle_radius_mm + c->fascia_thickness_mm + c->fat_thickness_mm + c->skin_thickness_mm},
  };
  int n = 0;

  for (int i = 0; i < 5; i++) {
    double inside = n > 0 ? out[n - 1].radius_mm : 0;
    if (all[i].radius_mm > inside) {
      out[n++] = all[i];
    }
  }
  return n;
}

static void draw_circle(FILE *out, const page_axes *axes, double x_mm, double y_mm,
                        double radius_mm, const char *css) {
  double scale = axes->width / (axes->x_max - axes->x_min);

  fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.2f\" style=\"%s\"/>\n", page_x(axes, x_mm),
          page_y(axes, y_mm), radius_mm * scale, css);
}

static bool is_found(const report_data *data, int unit) {
  for (int i = 0; data->has_score && i < data->score->n_estimated; i++) {
    if (data->score->pairs[i].truth == unit) {
      return true;
    }
  }
  return false;
}

static void draw_territories(FILE *out, const page_axes *axes, const report_data *data) {
  const emg_table *units = &data->truth->units;
  const double *x_mm = emg_table_get(units, "territory_x_mm");
  const double *y_mm = emg_table_get(units, "territory_y_mm");
  const double *radius_mm = emg_table_get(units, "territory_radius_mm");

  if (!x_mm || !y_mm || !radius_mm) {
    return;
  }
  for (int u = 0; u < units->n_rows && u < data->truth->spikes.n_units; u++) {
    bool is_drawable = isfinite(x_mm[u]) && isfinite(y_mm[u]) && isfinite(radius_mm[u]);
    if (is_drawable && emg_spikes_count(&data->truth->spikes, u) > 0) {
      draw_circle(out, axes, x_mm[u], y_mm[u], radius_mm[u],
                  is_found(data, u) ? "fill:none;stroke:var(--found);stroke-width:1.4"
                                    : "fill:none;stroke:var(--true);stroke-width:.6");
    }
  }
}

static void draw_electrodes(FILE *out, const page_axes *axes, const emg_recording *rec) {
  for (int c = 0; c < rec->data.n_rows; c++) {
    const emg_channel *channel = &rec->channels[c];
    if (isfinite(channel->x_mm) && isfinite(channel->y_mm)) {
      fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.4\" style=\"fill:var(--text)\"/>\n",
              page_x(axes, channel->x_mm), page_y(axes, channel->y_mm));
    }
  }
}

void figure_cross_section(FILE *out, const report_data *data) {
  enum { SIZE = 360 };
  layer layers[5];
  int n = layers_of(data->config, layers);
  double skin_mm = layers[n - 1].radius_mm, reach = 1.08 * skin_mm;
  page_axes axes = {.left = 60,
                    .top = 10,
                    .width = SIZE,
                    .height = SIZE,
                    .x_min = -reach,
                    .x_max = reach,
                    .y_min = -reach,
                    .y_max = reach};

  page_figure(out, SIZE + 120, SIZE + 110, "cross-section of the limb");
  for (int i = n - 1; i >= 0; i--) {
    char css[80];
    snprintf(css, sizeof css, "fill:var(--%s);stroke:var(--line)", layers[i].name);
    draw_circle(out, &axes, 0, 0, layers[i].radius_mm, css);
  }
  if (data->truth) {
    draw_territories(out, &axes, data);
  }
  draw_electrodes(out, &axes, data->recording);
  page_draw_axes(out, &axes, "x (mm)", "y (mm)");
  for (int i = 0; i < n; i++) {
    fprintf(out,
            "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" style=\"fill:var(--%s);"
            "stroke:var(--line)\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
            60 + 78 * i, SIZE + 66, layers[i].name, 77 + 78 * i, SIZE + 76, layers[i].name);
  }
  page_figure_end(out);
}
