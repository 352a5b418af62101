// exchange.c -- spikes that are more likely another, like unit's
#include "joint_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <emgtwin/array.h>

// Spikes are decided unit by unit, so one that a unit holds explains what another would explain
// better, and the other never sees it. With e the residual and q = b'C^-1 b = 1 / variance of a
// unit's source, taking a spike of unit i away and giving one to unit k changes ln p(e) by
//
//   q_k y_k - q_i y_i - (q_i + q_k) / 2 + b_i'C^-1 b_k,
//
// y the two sources of e at the two instants; the rhythms of both units change as well.

// A unit that may give or take: its rhythm, its mean interval at each spike.
typedef struct {
  emg_rhythm rhythm;
  float *mean;
} member;

static void members_free(int n, member *members) {
  for (int u = 0; members && u < n; u++) {
    free(members[u].mean);
  }
  free(members);
}

static emg_status update_member(const emg_joint *j, int unit, member *m, emg_error *err) {
  const emg_unit *u = &j->units->items[unit];
  float *scratch;

  free(m->mean);
  m->mean = NULL;
  EMG_TRY(emg_alloc((size_t)u->n_spikes + 1, sizeof *scratch, &scratch, err));
  emg_status status = emg_alloc((size_t)u->n_spikes + 1, sizeof *m->mean, &m->mean, err);
  if (status == EMG_OK) {
    m->rhythm = emg_rhythm_of(u->spikes, u->n_spikes, j->residual->rate_hz, m->mean, scratch);
  }
  free(scratch);
  return status;
}

// Number of spikes before an instant.
static int64_t spikes_before(const emg_unit *u, int64_t at) {
  int64_t low = 0, high = u->n_spikes;

  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (u->spikes[middle] < at) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static double evidence_between(const member *m, int64_t from, int64_t to, double mean) {
  double interval = (double)(to - from);
  return interval >= m->rhythm.pause ? emg_pause_evidence(&m->rhythm)
                                     : emg_interval_evidence(&m->rhythm, interval, mean);
}

// What a spike at `at`, between the spikes `before` and `after` of the unit (-1, n: none), adds to
// the evidence of its intervals.
static double rhythm_gain(const emg_unit *u, const member *m, int64_t before, int64_t at,
                          int64_t after) {
  double mean = m->mean[after < u->n_spikes ? after : u->n_spikes - 1];
  bool has_before = before >= 0, has_after = after < u->n_spikes;
  double gain = 0;

  gain += has_before ? evidence_between(m, u->spikes[before], at, mean)
                     : emg_pause_evidence(&m->rhythm);
  gain += has_after ? evidence_between(m, at, u->spikes[after], mean) : 0;
  if (has_after) {
    gain -= has_before ? evidence_between(m, u->spikes[before], u->spikes[after], mean)
                       : emg_pause_evidence(&m->rhythm);
  }
  return gain;
}

// Samples from a spike of `unit` to where filter `filter` answers most to it; the answer there.
static int64_t best_answer(const emg_joint *j, int filter, int unit, float *answer) {
  const float *response = emg_joint_response(j, filter, unit);
  int64_t best = 0;

  for (int64_t i = 1; i < 2 * j->reach + 1; i++) {
    best = response[i] > response[best] ? i : best;
  }
  *answer = response[best];
  return best - j->reach;
}

static float source_at(const emg_joint *j, int unit, int64_t spike) {
  int64_t place = spike + j->units->items[unit].delay + j->units->half_window;
  return place >= 0 && place < j->length ? j->sources[(ptrdiff_t)unit * j->length + place] : 0;
}

// Gain of ln p if spike s of unit `from` were one of unit `to`, `lag` samples later.
static double gain_of_move(const emg_joint *j, const member *members, int from, int to, int64_t s,
                           int64_t lag) {
  const emg_unit *giver = &j->units->items[from], *taker = &j->units->items[to];
  int64_t at = giver->spikes[s] + lag, next = spikes_before(taker, at);
  double q_from = 1 / fmax(giver->noise_variance, 1e-8);
  double q_to = 1 / fmax(taker->noise_variance, 1e-8);
  double answer = emg_joint_response(j, to, from)[j->reach + lag];
  double answer_back = emg_joint_response(j, from, to)[j->reach - lag];
  double overlap = 0.5 * (answer * q_to + answer_back * q_from);

  return q_to * source_at(j, to, at) - q_from * source_at(j, from, giver->spikes[s]) -
         0.5 * (q_from + q_to) + overlap + rhythm_gain(taker, &members[to], next - 1, at, next) -
         rhythm_gain(giver, &members[from], s - 1, giver->spikes[s], s + 1);
}

// The instant at which the other unit would fire: near `lag`, where its source is highest.
static int64_t best_lag(const emg_joint *j, int from, int to, int64_t spike, int64_t lag) {
  const int64_t around = 2;
  const float *response = emg_joint_response(j, to, from);
  int64_t best = lag;
  float most = -INFINITY;

  for (int64_t l = lag - around; l <= lag + around; l++) {
    if (l < -j->reach || l > j->reach) {
      continue;
    }
    float height = source_at(j, to, spike + l) + response[j->reach + l];
    if (height > most) {
      most = height;
      best = l;
    }
  }
  return best;
}

static bool is_free(const emg_unit *u, int64_t at, int64_t refractory, int64_t n_samples) {
  int64_t next = spikes_before(u, at);

  return at >= 0 && at < n_samples && (next == 0 || at - u->spikes[next - 1] >= refractory) &&
         (next == u->n_spikes || u->spikes[next] - at >= refractory);
}

static emg_status move_spike(emg_joint *j, int from, int to, int64_t s, int64_t at,
                             emg_error *err) {
  emg_unit *giver = &j->units->items[from], *taker = &j->units->items[to];
  int64_t next = spikes_before(taker, at), spike = giver->spikes[s], *spikes;

  EMG_TRY(emg_alloc((size_t)taker->n_spikes + 1, sizeof *spikes, &spikes, err));
  memcpy(spikes, taker->spikes, (size_t)next * sizeof *spikes);
  spikes[next] = at;
  memcpy(spikes + next + 1, taker->spikes + next,
         (size_t)(taker->n_spikes - next) * sizeof *spikes);
  free(taker->spikes);
  taker->spikes = spikes;
  taker->n_spikes++;
  memmove(giver->spikes + s, giver->spikes + s + 1,
          (size_t)(giver->n_spikes - s - 1) * sizeof *giver->spikes);
  giver->n_spikes--;
  emg_joint_put(j, from, &spike, 1, 1);
  emg_joint_put(j, to, &at, 1, -1);
  return EMG_OK;
}

static emg_status exchange_pair(emg_joint *j, member *members, int from, int to, int64_t lag,
                                emg_error *err) {
  const double gain_least = 2;  // e^2 times more likely
  const int64_t spikes_least = 5;
  int64_t refractory = emg_refractory_samples(j->config, j->residual->rate_hz);
  emg_unit *giver = &j->units->items[from];

  for (int64_t s = giver->n_spikes - 1; s >= 0 && giver->n_spikes > spikes_least; s--) {
    int64_t l = best_lag(j, from, to, giver->spikes[s], lag);
    int64_t at = giver->spikes[s] + l;
    if (is_free(&j->units->items[to], at, refractory, j->residual->n_samples) &&
        gain_of_move(j, members, from, to, s, l) > gain_least) {
      EMG_TRY(move_spike(j, from, to, s, at, err));
      EMG_TRY(update_member(j, from, &members[from], err));
      EMG_TRY(update_member(j, to, &members[to], err));
    }
  }
  return EMG_OK;
}

emg_status emg_joint_exchange(emg_joint *j, emg_error *err) {
  const float alike = 0.5F;
  int n = j->units->n;
  member *members;
  emg_status status = EMG_OK;

  EMG_TRY(emg_alloc((size_t)n, sizeof *members, &members, err));
  for (int u = 0; u < n; u++) {
    EMG_TRY_DONE(update_member(j, u, &members[u], err));
  }
  for (int from = 0; from < n; from++) {
    for (int to = 0; to < n; to++) {
      float answer = 0;
      int64_t lag = from == to ? 0 : best_answer(j, to, from, &answer);
      if (answer > alike) {
        EMG_TRY_DONE(exchange_pair(j, members, from, to, lag, err));
      }
    }
  }

done:
  members_free(n, members);
  return status;
}
