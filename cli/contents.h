// contents.h -- everything a file holds, for `inspect` and `report` (private to cli)
#ifndef EMG_CLI_CONTENTS_H
#define EMG_CLI_CONTENTS_H

#include "cli/cli.h"

typedef struct {
  char path[128];
  char sha256[65];
} cli_digest;

typedef struct {
  char name[32];
  char *text;
} cli_fact;

#define CLI_FACTS_MAX 16

typedef struct {
  bool has_recording, has_truth, has_decomposition, has_labels;
  emg_recording recording;
  emg_truth truth;
  emg_decomposition decomposition;
  emg_spikes labels;  // of a file with nothing but spike trains that is not native
  int n_provenance;
  cli_fact provenance[CLI_FACTS_MAX];
  int n_digests;
  cli_digest *digests;  // after cli_contents_digest
} cli_contents;

// Whatever `path` holds: a native file's parts, another recording, or spike trains alone.
emg_status cli_contents_read(const cli_args *args, const char *path, cli_needs needs,
                             cli_contents *out, emg_error *err);
// SHA-256 of every dataset of an HDF5 file. EMG_ERR_DATA if it is none.
emg_status cli_contents_digest(const char *path, cli_contents *contents, emg_error *err);
// Text of a provenance entry, NULL if there is none.
const char *cli_contents_provenance(const cli_contents *contents, const char *name);
void cli_contents_free(cli_contents *contents);

#endif
