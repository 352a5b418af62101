// otb_grid.c -- where the electrodes of the vendor's adhesive grids are
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

#include "otb_priv.h"

// Maps on which the vendor's software, MUedit and openhdemg agree, or the last two where they were
// corrected from the vendor's data sheet. Connector towards the observer. Maps that differ between
// sources (GR10MM0804 and HD10MM0808: by a mirror image) are left out.

// GR04MM1305, GR08MM1305, ELSCH064R3S: down one column and up the next
static const unsigned char columns_alternate[65] = {
    0,  25, 26, 51, 52,  //
    1,  24, 27, 50, 53,  //
    2,  23, 28, 49, 54,  //
    3,  22, 29, 48, 55,  //
    4,  21, 30, 47, 56,  //
    5,  20, 31, 46, 57,  //
    6,  19, 32, 45, 58,  //
    7,  18, 33, 44, 59,  //
    8,  17, 34, 43, 60,  //
    9,  16, 35, 42, 61,  //
    10, 15, 36, 41, 62,  //
    11, 14, 37, 40, 63,  //
    12, 13, 38, 39, 64,
};

// HD04MM1305, HD08MM1305: every column downwards, from the last to the first
static const unsigned char columns_from_right[65] = {
    52, 39, 26, 13, 0,   //
    53, 40, 27, 14, 1,   //
    54, 41, 28, 15, 2,   //
    55, 42, 29, 16, 3,   //
    56, 43, 30, 17, 4,   //
    57, 44, 31, 18, 5,   //
    58, 45, 32, 19, 6,   //
    59, 46, 33, 20, 7,   //
    60, 47, 34, 21, 8,   //
    61, 48, 35, 22, 9,   //
    62, 49, 36, 23, 10,  //
    63, 50, 37, 24, 11,  //
    64, 51, 38, 25, 12,
};

// GR10MM0808: every column upwards
static const unsigned char columns_upwards[64] = {
    8, 16, 24, 32, 40, 48, 56, 64,  //
    7, 15, 23, 31, 39, 47, 55, 63,  //
    6, 14, 22, 30, 38, 46, 54, 62,  //
    5, 13, 21, 29, 37, 45, 53, 61,  //
    4, 12, 20, 28, 36, 44, 52, 60,  //
    3, 11, 19, 27, 35, 43, 51, 59,  //
    2, 10, 18, 26, 34, 42, 50, 58,  //
    1, 9,  17, 25, 33, 41, 49, 57,
};

// HD05MM0804, HD10MM0804: every column downwards
static const unsigned char columns_downwards[32] = {
    1, 9,  17, 25,  //
    2, 10, 18, 26,  //
    3, 11, 19, 27,  //
    4, 12, 20, 28,  //
    5, 13, 21, 29,  //
    6, 14, 22, 30,  //
    7, 15, 23, 31,  //
    8, 16, 24, 32,
};

static const emg_otb_map maps[] = {
    {"GR04MM1305", 13, 5, 64, 4, columns_alternate},
    {"GR08MM1305", 13, 5, 64, 8, columns_alternate},
    {"ELSCH064R3S", 13, 5, 64, 8, columns_alternate},
    {"HD04MM1305", 13, 5, 64, 4, columns_from_right},
    {"HD08MM1305", 13, 5, 64, 8, columns_from_right},
    {"GR10MM0808", 8, 8, 64, 10, columns_upwards},
    {"HD05MM0804", 8, 4, 32, 5, columns_downwards},
    {"HD10MM0804", 8, 4, 32, 10, columns_downwards},
};

const emg_otb_map *emg_otb_maps(int *n) {
  *n = (int)(sizeof maps / sizeof maps[0]);
  return maps;
}

const emg_otb_map *emg_otb_map_of(const char *text) {
  for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
    if (emg_otb_has_word(text, maps[i].sensor)) {
      return &maps[i];
    }
  }
  return NULL;
}

// Electrode `number` of a grid, from 1.
static void place_electrode(const emg_otb_map *map, int number, emg_channel *channel) {
  int at = 0;

  while (map->map[at] != number) {
    at++;
  }
  channel->row = at / map->n_columns;
  channel->column = at % map->n_columns;
  channel->x_mm = map->pitch_mm * channel->column;
  channel->y_mm = map->pitch_mm * channel->row;
  channel->z_mm = 0;
}

// "GR08MM1305", and "GR08MM1305 (2)" for the second one.
static void name_grid(const emg_otb_layout *layout, int grid, char name[32]) {
  const char *sensor = layout->grids[grid].sensor;
  int n_before = 0;

  for (int g = 0; g < grid; g++) {
    n_before += strcmp(layout->grids[g].sensor, sensor) == 0;
  }
  if (n_before > 0) {
    char number[16];
    snprintf(number, sizeof number, " (%d)", n_before + 1);
    emg_label_copy(name, 32 - strlen(number), sensor, strlen(sensor));
    strcat(name, number);
  } else {
    snprintf(name, 32, "%s", sensor);
  }
}

static void note_muscles(const emg_otb_layout *layout, emg_recording *out) {
  char text[180] = "";

  for (int g = 0; g < layout->n_grids; g++) {
    char name[32], item[100];
    name_grid(layout, g, name);
    snprintf(item, sizeof item, "%s on %s", name, layout->grids[g].muscle);
    if (layout->grids[g].muscle[0]) {
      emg_otb_list(text, sizeof text, ", ", item);
    }
  }
  if (text[0]) {
    emg_recording_note(out, "%s", text);
  }
}

static void note_unknown(const emg_otb_layout *layout, const int *n_members, emg_recording *out) {
  char text[120] = "";

  for (int g = 0; g < layout->n_grids; g++) {
    const emg_otb_map *map = emg_otb_map_of(layout->grids[g].sensor);
    char name[32], item[80];
    name_grid(layout, g, name);
    snprintf(item, sizeof item, "%s with %d channels", name[0] ? name : "a grid", n_members[g]);
    if (layout->grids[g].is_grid && n_members[g] > 0 &&
        (!map || map->n_electrodes != n_members[g])) {
      emg_otb_list(text, sizeof text, ", ", item);
    }
  }
  if (text[0]) {
    emg_recording_note(out, "no electrode positions for %s; --map gives them", text);
  }
}

emg_status emg_otb_place_grids(const emg_otb_layout *layout, emg_recording *out, emg_error *err) {
  int *n_members, *n_seen, row = 0;

  EMG_TRY(emg_alloc(2 * (size_t)layout->n_grids + 1, sizeof *n_members, &n_members, err));
  n_seen = n_members + layout->n_grids;
  for (int c = 0; c < layout->n_channels; c++) {
    const emg_otb_channel *channel = &layout->channels[c];
    if (channel->is_emg) {
      n_members[channel->grid]++;
    }
  }
  // the channels of a grid are in the order of its electrodes
  for (int c = 0; c < layout->n_channels; c++) {
    const emg_otb_channel *channel = &layout->channels[c];
    if (!channel->is_emg) {
      continue;
    }
    const emg_otb_map *map = emg_otb_map_of(layout->grids[channel->grid].sensor);
    name_grid(layout, channel->grid, out->channels[row].group);
    n_seen[channel->grid]++;
    if (map && map->n_electrodes == n_members[channel->grid]) {
      place_electrode(map, n_seen[channel->grid], &out->channels[row]);
    }
    row++;
  }
  note_muscles(layout, out);
  note_unknown(layout, n_members, out);
  free(n_members);
  emg_grid_pitch(out);
  return EMG_OK;
}
