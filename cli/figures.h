// figures.h -- the figures of a report (private to cli)
#ifndef EMG_CLI_FIGURES_H
#define EMG_CLI_FIGURES_H

#include <stdio.h>

#include "cli/cli.h"

// What a report is about, gathered from its inputs; NULL or false where they do not have it.
typedef struct {
  const emg_recording *recording;
  const emg_truth *truth;       // with units, action potentials and force
  const emg_spikes *reference;  // trains that count as true: of the truth or labels
  const emg_decomposition *decomposition;
  bool has_config;
  const emg_config *config;  // of the recording
  bool has_score;
  const emg_score_result *score;  // decomposition against reference
} report_data;

// Level of every channel at its place in the grid.
void figure_level(FILE *out, const report_data *data);
// Layers of the limb, territories of the units and electrodes.
void figure_cross_section(FILE *out, const report_data *data);
// A second of a few channels.
void figure_signal(FILE *out, const report_data *data);
// Discharges of the units with excitation and force.
void figure_raster(FILE *out, const report_data *data);
// Action potentials of a few units on the grid.
void figure_muaps(FILE *out, const report_data *data);

#endif
