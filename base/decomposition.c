// decomposition.c -- units of decompositions put together anew
#include <emgtwin/file.h>

#include <stdlib.h>
#include <string.h>

void emg_decomposition_free(emg_decomposition *d) {
  emg_spikes_free(&d->spikes);
  free(d->sil);
  free(d->pnr_db);
  free(d->isi_cov);
  free(d->rate_hz);
  free(d->detectability);
  free(d->flags);
  free(d->round);
  free(d->locked);
  emg_array2f_free(&d->source);
  emg_muap_bank_free(&d->muaps);
  emg_filters_free(&d->filters);
  emg_edit_log_free(&d->edits);
  free(d->channels);
  free(d->group);
  *d = (emg_decomposition){0};
}

// --- gathering ---

// Units row[i] of from[i].
typedef struct {
  int n;
  const emg_decomposition *const *from;
  const int *row;
} selection;

static emg_status gather_spikes(const selection *s, const emg_spikes *like, emg_spikes *out,
                                emg_error *err) {
  int64_t *counts;

  EMG_TRY(emg_alloc((size_t)s->n, sizeof *counts, &counts, err));
  for (int i = 0; i < s->n; i++) {
    counts[i] = emg_spikes_count(&s->from[i]->spikes, s->row[i]);
  }
  emg_status status = emg_spikes_create(s->n, counts, like->rate_hz, like->n_samples, out, err);
  for (int i = 0; i < s->n && status == EMG_OK && counts[i] > 0; i++) {
    memcpy(out->samples + out->offsets[i], emg_spikes_of(&s->from[i]->spikes, s->row[i]),
           (size_t)counts[i] * sizeof *out->samples);
  }
  free(counts);
  return status;
}

static emg_status fail_part(emg_error *err, const char *name) {
  return emg_fail(
      err, EMG_ERR_ARG,
      "units with and without %s, or of other shapes, cannot stand in one decomposition", name);
}

// A vector with one element of `size` bytes per unit, at `offset` in the structure.
static emg_status gather_vector(const selection *s, const emg_decomposition *like, size_t offset,
                                size_t size, const char *name, emg_decomposition *out,
                                emg_error *err) {
  const char *vector;
  char *gathered;

  memcpy(&vector, (const char *)like + offset, sizeof vector);
  if (!vector) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)s->n, size, &gathered, err));
  memcpy((char *)out + offset, &gathered, sizeof gathered);
  for (int i = 0; i < s->n; i++) {
    memcpy(&vector, (const char *)s->from[i] + offset, sizeof vector);
    if (!vector) {
      return fail_part(err, name);
    }
    memcpy(gathered + (size_t)i * size, vector + (size_t)s->row[i] * size, size);
  }
  return EMG_OK;
}

static emg_status gather_vectors(const selection *s, const emg_decomposition *like,
                                 emg_decomposition *out, emg_error *err) {
  const struct {
    size_t offset, size;
    const char *name;
  } vectors[] = {
      {offsetof(emg_decomposition, sil), sizeof(double), "silhouettes"},
      {offsetof(emg_decomposition, pnr_db), sizeof(double), "pulse-to-noise ratios"},
      {offsetof(emg_decomposition, isi_cov), sizeof(double), "variation of intervals"},
      {offsetof(emg_decomposition, rate_hz), sizeof(double), "rates"},
      {offsetof(emg_decomposition, detectability), sizeof(double), "detectability"},
      {offsetof(emg_decomposition, flags), sizeof(int32_t), "flags"},
      {offsetof(emg_decomposition, round), sizeof(int32_t), "rounds"},
      {offsetof(emg_decomposition, locked), sizeof(uint8_t), "locks"},
      {offsetof(emg_decomposition, group), sizeof(*like->group), "grids"},
  };
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    EMG_TRY(gather_vector(s, like, vectors[i].offset, vectors[i].size, vectors[i].name, out, err));
  }
  return EMG_OK;
}

static emg_status gather_sources(const selection *s, const emg_array2f *like, emg_array2f *out,
                                 emg_error *err) {
  if (like->n_rows == 0 || s->n == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_array2f_create(s->n, like->n_cols, out, err));
  for (int i = 0; i < s->n; i++) {
    const emg_array2f *source = &s->from[i]->source;
    if (s->row[i] >= source->n_rows || source->n_cols != like->n_cols) {
      return fail_part(err, "sources");
    }
    memcpy(emg_row2f(out, i), emg_row2f(source, s->row[i]), (size_t)like->n_cols * sizeof(float));
  }
  return EMG_OK;
}

// A bank of no units still says of how many channels and taps.
static emg_status gather_muaps(const selection *s, const emg_muap_bank *like, emg_muap_bank *out,
                               emg_error *err) {
  size_t n = (size_t)like->n_channels * (size_t)like->n_taps;

  if (n == 0) {
    return EMG_OK;
  }
  EMG_TRY(emg_muap_bank_create(s->n, like->n_channels, like->n_taps, like->origin, like->rate_hz,
                               out, err));
  for (int i = 0; i < s->n; i++) {
    const emg_muap_bank *bank = &s->from[i]->muaps;
    if (s->row[i] >= bank->n_units || bank->n_channels != like->n_channels ||
        bank->n_taps != like->n_taps) {
      return fail_part(err, "action potentials");
    }
    memcpy(emg_muap_row(out, i, 0), emg_muap_row(bank, s->row[i], 0), n * sizeof(float));
  }
  return EMG_OK;
}

static bool are_alike(const emg_filters *a, const emg_filters *b) {
  return a->n_taps == b->n_taps && a->n_channels == b->n_channels && a->rate_hz == b->rate_hz &&
         memcmp(a->channel, b->channel, (size_t)a->n_channels * sizeof *a->channel) == 0;
}

static emg_status gather_filters(const selection *s, const emg_filters *like, emg_filters *out,
                                 emg_error *err) {
  if (like->n_units == 0 || s->n == 0) {
    return EMG_OK;
  }
  size_t n_weights = (size_t)like->n_taps * (size_t)like->n_channels;
  emg_filters made;
  EMG_TRY(emg_filters_create(s->n, like->n_taps, like->n_channels, &made, err));
  *out = *like;
  out->n_units = s->n;
  out->channel = made.channel;
  out->weights = made.weights;
  out->threshold = made.threshold;
  out->spike_centroid = made.spike_centroid;
  out->noise_centroid = made.noise_centroid;
  out->delay = made.delay;
  memcpy(out->channel, like->channel, (size_t)like->n_channels * sizeof *like->channel);
  for (int i = 0; i < s->n; i++) {
    const emg_filters *from = &s->from[i]->filters;
    int row = s->row[i];
    if (row >= from->n_units || !are_alike(from, like)) {
      return fail_part(err, "filters");
    }
    memcpy(out->weights + (size_t)i * n_weights, from->weights + (size_t)row * n_weights,
           n_weights * sizeof(float));
    out->threshold[i] = from->threshold[row];
    out->spike_centroid[i] = from->spike_centroid[row];
    out->noise_centroid[i] = from->noise_centroid[row];
    out->delay[i] = from->delay[row];
  }
  return EMG_OK;
}

static emg_status copy_findings(const emg_decomposition *like, emg_decomposition *out,
                                emg_error *err) {
  if (!like->channels) {
    return EMG_OK;
  }
  EMG_TRY(emg_alloc((size_t)like->n_channels, sizeof *out->channels, &out->channels, err));
  out->n_channels = like->n_channels;
  memcpy(out->channels, like->channels, (size_t)like->n_channels * sizeof *out->channels);
  return EMG_OK;
}

emg_status emg_decomposition_gather(int n, const emg_decomposition *const *from, const int *row,
                                    const emg_decomposition *like, emg_decomposition *out,
                                    emg_error *err) {
  const selection s = {n, from, row};
  emg_status status;

  *out = (emg_decomposition){0};
  EMG_TRY_DONE(gather_spikes(&s, &like->spikes, &out->spikes, err));
  EMG_TRY_DONE(gather_vectors(&s, like, out, err));
  EMG_TRY_DONE(gather_sources(&s, &like->source, &out->source, err));
  EMG_TRY_DONE(gather_muaps(&s, &like->muaps, &out->muaps, err));
  EMG_TRY_DONE(gather_filters(&s, &like->filters, &out->filters, err));
  EMG_TRY_DONE(copy_findings(like, out, err));

done:
  if (status != EMG_OK) {
    emg_decomposition_free(out);
  }
  return status;
}
