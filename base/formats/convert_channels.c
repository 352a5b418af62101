// convert_channels.c -- channels of a recording in formats with grids, and as text
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "base/json_read.h"
#include "convert_priv.h"

// --- groups and places ---

emg_status emg_export_groups(const emg_recording *rec, int **order, int **group_of, int *n_groups,
                             emg_error *err) {
  int n = rec->data.n_rows, n_ordered = 0;

  *order = *group_of = NULL;
  *n_groups = 0;
  EMG_TRY(emg_alloc((size_t)n + 1, sizeof **order, order, err));
  emg_status status = emg_alloc((size_t)n + 1, sizeof **group_of, group_of, err);
  if (status != EMG_OK) {
    free(*order);
    *order = NULL;
    return status;
  }
  for (int c = 0; c < n; c++) {
    (*group_of)[c] = -1;
  }
  for (int first = 0; first < n; first++) {
    if ((*group_of)[first] >= 0) {
      continue;
    }
    for (int c = first; c < n; c++) {
      if (strcmp(rec->channels[c].group, rec->channels[first].group) == 0) {
        (*group_of)[c] = *n_groups;
        (*order)[n_ordered++] = c;
      }
    }
    ++*n_groups;
  }
  return EMG_OK;
}

bool emg_export_has_grid(const emg_recording *rec) {
  for (int a = 0; a < rec->data.n_rows; a++) {
    const emg_channel *x = &rec->channels[a];
    if (x->row < 0 || x->column < 0) {
      return false;
    }
    for (int b = 0; b < a; b++) {
      const emg_channel *y = &rec->channels[b];
      if (x->row == y->row && x->column == y->column && strcmp(x->group, y->group) == 0) {
        return false;
      }
    }
  }
  return rec->data.n_rows > 0;
}

// --- channels as text ---

void emg_buffer_json(emg_buffer *b, const char *text) {
  emg_json json = {0};
  char *quoted;

  emg_json_text(&json, NULL, text);
  if (emg_json_finish(&json, &quoted, NULL) != EMG_OK) {
    b->has_failed = true;
    return;
  }
  emg_buffer_add(b, quoted, strlen(quoted) - 1);  // without the end of the line
  free(quoted);
}

enum { N_COLUMNS = 8 };
static const char *const columns[N_COLUMNS] = {"name", "group", "row",  "column",
                                               "x_mm", "y_mm",  "z_mm", "state"};

static void write_value(emg_json *json, const emg_export *e, int c, int column) {
  const emg_channel *channel = &e->rec->channels[c];
  const double values[] = {0,
                           0,
                           channel->row,
                           channel->column,
                           channel->x_mm,
                           channel->y_mm,
                           channel->z_mm,
                           emg_export_state(e, c)};

  if (column < 2) {
    emg_json_text(json, NULL, column == 0 ? channel->name : channel->group);
  } else {
    emg_json_number(json, NULL, values[column]);
  }
}

void emg_channels_write(const emg_export *e, emg_json *json) {
  for (int k = 0; k < N_COLUMNS; k++) {
    emg_json_array(json, columns[k]);
    for (int c = 0; c < e->rec->data.n_rows; c++) {
      write_value(json, e, c, k);
    }
    emg_json_end(json);
  }
}

static void read_value(emg_json_cursor *c, emg_channel *channel, int column) {
  char text[64];
  double value;

  if (column < 2) {
    if (emg_json_read_text(c, text, sizeof text)) {
      char *to = column == 0 ? channel->name : channel->group;
      emg_label_copy(to, column == 0 ? sizeof channel->name : sizeof channel->group, text,
                     strlen(text));
    }
    return;
  }
  if (!emg_json_read_number(c, &value) || !isfinite(value)) {
    return;
  }
  double *const place[] = {&channel->x_mm, &channel->y_mm, &channel->z_mm};
  bool is_index = value >= 0 && value < 65536;
  if (column == 2 || column == 3) {
    *(column == 2 ? &channel->row : &channel->column) = is_index ? (int)value : -1;
  } else if (column < 7) {
    *place[column - 4] = value;
  } else if (is_index && value <= EMG_CHANNEL_DUPLICATE) {
    channel->state = (emg_channel_state)value;
  }
}

void emg_channels_read(emg_json_cursor *c, emg_recording *rec) {
  char key[32];

  emg_json_enter(c, '{');
  while (emg_json_next_member(c, key, sizeof key)) {
    int k = 0, n = 0;
    while (k < N_COLUMNS && strcmp(columns[k], key) != 0) {
      k++;
    }
    if (k == N_COLUMNS || emg_json_peek(c) != '[') {
      emg_json_skip(c);
      continue;
    }
    emg_json_enter(c, '[');
    while (emg_json_next_element(c)) {
      if (n < rec->data.n_rows) {
        read_value(c, &rec->channels[n++], k);
      } else {
        emg_json_skip(c);
      }
    }
  }
}
