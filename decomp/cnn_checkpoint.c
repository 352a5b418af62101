// cnn_checkpoint.c -- a training under way as a file, and back
#include "cnn_priv.h"

#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>
#include <emgtwin/emgtwin.h>

#include "archive_priv.h"

// A native HDF5 file of its own kind:
//   identity/{input,labels,config}   what it is of
//   state                            number of epochs, the best one, epochs since a better one
//   best_loss, loss, f1              of the training, of each epoch
//   weights, squares, best           as in emg_cnn_training
//   digest                           SHA-256 of all numbers in the order written
static const char kind[] = "emgtwin training checkpoint 1, version " EMG_VERSION;
enum { N_STATE = 3 };

// --- writing ---

static emg_status put_epochs(emg_archive *a, const emg_cnn_history *h, emg_error *err) {
  double *values;

  EMG_TRY(emg_alloc(2 * (size_t)h->n_epochs, sizeof *values, &values, err));
  for (int i = 0; i < h->n_epochs; i++) {
    values[2 * i] = h->epochs[i].loss;
    values[2 * i + 1] = h->epochs[i].f1;
  }
  emg_status status =
      emg_archive_put(a, "epochs", EMG_H5_F64, 2 * (int64_t)h->n_epochs, values, err);
  free(values);
  return status;
}

static emg_status put_all(emg_archive *a, const emg_cnn_training *t,
                          const emg_cnn_identity *identity, emg_error *err) {
  const int64_t state[N_STATE] = {t->history->n_epochs, t->history->best, t->n_stale};

  emg_sha256_start(&a->sha);
  EMG_TRY(emg_h5_write_text(a->file, "kind", kind, err));
  EMG_TRY(emg_h5_write_text(a->file, "identity/input", identity->input, err));
  EMG_TRY(emg_h5_write_text(a->file, "identity/labels", identity->labels, err));
  EMG_TRY(emg_h5_write_text(a->file, "identity/config", identity->config, err));
  EMG_TRY(emg_archive_put(a, "state", EMG_H5_I64, N_STATE, state, err));
  EMG_TRY(emg_archive_put(a, "best_loss", EMG_H5_F64, 1, &t->best_loss, err));
  EMG_TRY(put_epochs(a, t->history, err));
  EMG_TRY(emg_archive_put(a, "weights", EMG_H5_F32, t->n_weights, t->weights, err));
  EMG_TRY(emg_archive_put(a, "squares", EMG_H5_F32, t->n_weights, t->squares, err));
  EMG_TRY(emg_archive_put(a, "best", EMG_H5_F32, t->n_weights, t->best, err));
  return emg_archive_seal(a, err);
}

emg_status emg_cnn_checkpoint_write(const char *path, const emg_cnn_training *training,
                                    const emg_cnn_identity *identity, emg_error *err) {
  emg_archive a;

  EMG_TRY(emg_h5_create(path, true, &a.file, err));
  emg_status status = put_all(&a, training, identity, err);
  if (status == EMG_OK) {
    status = emg_h5_publish(a.file, err);
  }
  emg_h5_close(a.file);
  return status;
}

// --- reading ---

static emg_status check_identity(emg_archive *a, const emg_cnn_identity *identity, emg_error *err) {
  EMG_TRY(emg_archive_expect(a, "kind", kind, EMG_ERR_DATA,
                             "it is no checkpoint of a training by this version of emgtwin", err));
  EMG_TRY(emg_archive_expect(a, "identity/input", identity->input, EMG_ERR_DATA,
                             "the checkpoint is of another recording", err));
  EMG_TRY(emg_archive_expect(a, "identity/labels", identity->labels, EMG_ERR_DATA,
                             "the checkpoint is of other labels", err));
  return emg_archive_expect(a, "identity/config", identity->config, EMG_ERR_CONFIG,
                            "the checkpoint was made with another configuration", err);
}

static emg_status get_epochs(emg_archive *a, emg_cnn_training *t, int n, emg_error *err) {
  double *values;

  EMG_TRY(emg_alloc(2 * (size_t)n, sizeof *values, &values, err));
  emg_status status = emg_archive_get(a, "epochs", EMG_H5_F64, 2 * (int64_t)n, values, err);
  for (int i = 0; i < n && status == EMG_OK; i++) {
    t->history->epochs[i] = (emg_cnn_epoch){values[2 * i], values[2 * i + 1]};
  }
  free(values);
  return status;
}

static emg_status get_all(emg_archive *a, const emg_cnn_identity *identity, emg_cnn_training *t,
                          emg_error *err) {
  int64_t state[N_STATE];

  emg_sha256_start(&a->sha);
  EMG_TRY(check_identity(a, identity, err));
  EMG_TRY(emg_archive_get(a, "state", EMG_H5_I64, N_STATE, state, err));
  if (state[0] < 1 || state[0] > t->capacity || state[1] < 0 || state[1] >= state[0] ||
      state[2] < 0 || state[2] > state[0]) {
    return emg_fail(err, EMG_ERR_DATA,
                    "the checkpoint is damaged: a number is out of range; leave --resume out to "
                    "start anew");
  }
  t->history->n_epochs = (int)state[0];
  t->history->best = (int)state[1];
  t->n_stale = (int)state[2];
  EMG_TRY(emg_archive_get(a, "best_loss", EMG_H5_F64, 1, &t->best_loss, err));
  EMG_TRY(get_epochs(a, t, (int)state[0], err));
  EMG_TRY(emg_archive_get(a, "weights", EMG_H5_F32, t->n_weights, t->weights, err));
  EMG_TRY(emg_archive_get(a, "squares", EMG_H5_F32, t->n_weights, t->squares, err));
  EMG_TRY(emg_archive_get(a, "best", EMG_H5_F32, t->n_weights, t->best, err));
  return emg_archive_verify(a, err);
}

emg_status emg_cnn_checkpoint_read(const char *path, const emg_cnn_identity *identity,
                                   emg_cnn_training *training, emg_error *err) {
  emg_archive a;
  emg_status status = emg_h5_open(path, &a.file, err);

  if (status == EMG_OK) {
    status = get_all(&a, identity, training, err);
    emg_h5_close(a.file);
  }
  if (status != EMG_OK) {
    emg_error_in_file(err, path);
  }
  return status;
}
