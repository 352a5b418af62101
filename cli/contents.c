// contents.c -- everything a file holds
#include "cli/contents.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/h5.h"
#include "base/sha256.h"

// a text or a whole number; NULL if it is neither
static char *read_fact(emg_h5 *file, const char *path) {
  char *text = NULL;
  uint64_t value;
  const int64_t one = 1;

  if (emg_h5_read_text(file, path, &text, NULL) == EMG_OK) {
    return text;
  }
  int rank;
  int64_t dims[EMG_H5_RANK_MAX];
  if (emg_h5_shape(file, path, &rank, dims, NULL) == EMG_OK &&
      emg_h5_read(file, path, EMG_H5_U64, rank, rank ? &one : NULL, 0, &value, NULL) == EMG_OK &&
      (text = malloc(24))) {
    snprintf(text, 24, "%" PRIu64, value);
  }
  return text;
}

static emg_status read_provenance(emg_h5 *file, cli_contents *out, emg_error *err) {
  char(*names)[EMG_H5_NAME_MAX];
  int n_names;

  EMG_TRY(emg_h5_list(file, "provenance", &n_names, &names, err));
  for (int i = 0; i < n_names && out->n_provenance < CLI_FACTS_MAX; i++) {
    char path[EMG_H5_NAME_MAX + 16];
    snprintf(path, sizeof path, "provenance/%s", names[i]);
    cli_fact *fact = &out->provenance[out->n_provenance];
    fact->text = read_fact(file, path);
    snprintf(fact->name, sizeof fact->name, "%.31s", names[i]);
    out->n_provenance += fact->text != NULL;
  }
  free(names);
  return EMG_OK;
}

static emg_status read_native(const cli_args *args, const char *path, cli_needs needs, emg_h5 *file,
                              cli_contents *out, emg_error *err) {
  if (emg_h5_has(file, "provenance")) {
    EMG_TRY(read_provenance(file, out, err));
  }
  if (emg_h5_has(file, "emg/data")) {
    EMG_TRY(cli_load_recording(args, path, needs, &out->recording, err));
    out->has_recording = true;
  }
  if (emg_h5_has(file, "truth")) {
    EMG_TRY(emg_file_read_truth(path, &out->truth, err));
    out->has_truth = true;
  }
  if (emg_h5_has(file, "units")) {
    EMG_TRY(emg_file_read_decomposition(path, &out->decomposition, err));
    out->has_decomposition = true;
  }
  return EMG_OK;
}

// a recording, or else spike trains alone; if it is neither, why it is no recording
static emg_status read_foreign(const cli_args *args, const char *path, cli_needs needs,
                               cli_contents *out, emg_error *err) {
  emg_status status = cli_load_recording(args, path, needs, &out->recording, err);

  out->has_recording = status == EMG_OK;
  if (status == EMG_ERR_DATA && emg_spikes_read(path, false, &out->labels, NULL) == EMG_OK) {
    out->has_labels = true;
    return EMG_OK;
  }
  return status;
}

emg_status cli_contents_read(const cli_args *args, const char *path, cli_needs needs,
                             cli_contents *out, emg_error *err) {
  emg_h5 *file = NULL;
  emg_status status = EMG_OK;

  *out = (cli_contents){0};
  if (cli_is_hdf5(path)) {
    status = emg_h5_open(path, &file, err);
  }
  if (status == EMG_OK && file &&
      (emg_h5_has(file, "emg/data") || emg_h5_has(file, "truth") || emg_h5_has(file, "units"))) {
    status = read_native(args, path, needs, file, out, err);
  } else if (status == EMG_OK) {
    status = read_foreign(args, path, needs, out, err);
  }
  emg_h5_close(file);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
    cli_contents_free(out);
  }
  return status;
}

// --- digests ---

static emg_status add_digest(emg_h5 *file, const char *path, cli_contents *contents,
                             emg_error *err) {
  cli_digest *digests =
      realloc(contents->digests, ((size_t)contents->n_digests + 1) * sizeof *digests);

  if (!digests) {
    return emg_fail(err, EMG_ERR_MEMORY, "out of memory for the digests; free some memory");
  }
  contents->digests = digests;
  cli_digest *digest = &digests[contents->n_digests];
  size_t n_bytes;
  void *bytes;
  emg_sha256 sha;
  EMG_TRY(emg_h5_read_bytes(file, path, &n_bytes, &bytes, err));
  emg_sha256_start(&sha);
  emg_sha256_add(&sha, bytes, n_bytes);
  emg_sha256_finish(&sha, digest->sha256);
  free(bytes);
  snprintf(digest->path, sizeof digest->path, "%s", path);
  contents->n_digests++;
  return EMG_OK;
}

// datasets below a group in alphabetical order; files of ours are four levels deep at most
static emg_status digest_group(emg_h5 *file, const char *group, int depth, cli_contents *contents,
                               emg_error *err) {
  char(*names)[EMG_H5_NAME_MAX];
  int n_names;
  emg_status status = EMG_OK;

  EMG_TRY(emg_h5_list(file, group, &n_names, &names, err));
  for (int i = 0; i < n_names && status == EMG_OK; i++) {
    char path[sizeof contents->digests->path];
    if (snprintf(path, sizeof path, "%s%s%s", group, group[0] ? "/" : "", names[i]) >=
        (int)sizeof path) {
      continue;  // no file of ours goes so deep
    }
    if (!emg_h5_is_group(file, path)) {
      status = add_digest(file, path, contents, err);
    } else if (depth < 8) {
      status = digest_group(file, path, depth + 1, contents, err);
    }
  }
  free(names);
  return status;
}

emg_status cli_contents_digest(const char *path, cli_contents *contents, emg_error *err) {
  emg_h5 *file;

  EMG_TRY(emg_h5_open(path, &file, err));
  emg_status status = digest_group(file, "", 0, contents, err);
  emg_h5_close(file);
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}

const char *cli_contents_provenance(const cli_contents *contents, const char *name) {
  for (int i = 0; i < contents->n_provenance; i++) {
    if (strcmp(contents->provenance[i].name, name) == 0) {
      return contents->provenance[i].text;
    }
  }
  return NULL;
}

void cli_contents_free(cli_contents *contents) {
  emg_recording_free(&contents->recording);
  emg_truth_free(&contents->truth);
  emg_decomposition_free(&contents->decomposition);
  emg_spikes_free(&contents->labels);
  for (int i = 0; i < contents->n_provenance; i++) {
    free(contents->provenance[i].text);
  }
  free(contents->digests);
  *contents = (cli_contents){0};
}
