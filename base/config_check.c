// config_check.c -- relations between keys, each a sentence with both keys and values
//
// What needs geometry (regions inside the muscle layer, electrodes on the limb, a channel for the
// montage) is checked where the geometry is made.
#include "base/config_priv.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/number.h"

// The samples of a recording must fit into a file of this size, and its action potentials and four
// copies of one channel (clean, noise, recording, mask) into so much memory.
static const double file_max_gib = 1024, memory_max_gib = 64, channel_max_gib = 4;

typedef struct {
  const emg_config *config;
  emg_error *err;
  emg_status status;
} checker;

__attribute__((format(printf, 2, 3))) static void note(checker *c, const char *format, ...) {
  char message[sizeof c->err->items[0].message];
  va_list args;

  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  c->status = emg_fail_more(c->err, EMG_ERR_CONFIG, NULL, 0, 0, "%s", message);
}

// "pool" or, if there are several muscles, "pool[1]".
typedef struct {
  char text[24];
} entry_name;

static entry_name name_of(const checker *c, const char *section, int entry) {
  entry_name name;
  if (c->config->n_muscles > 1) {
    snprintf(name.text, sizeof name.text, "%s[%d]", section, entry);
  } else {
    snprintf(name.text, sizeof name.text, "%s", section);
  }
  return name;
}

#define NUMBER(value) emg_number_format(value).text

static void check_conductor(checker *c) {
  const struct emg_config_conductor *v = &c->config->conductor;

  if (v->bone_radius_mm >= v->muscle_radius_mm) {
    note(c,
         "conductor.bone_radius_mm = %s mm leaves no muscle inside conductor.muscle_radius_mm = %s "
         "mm; lower the first or raise the second",
         NUMBER(v->bone_radius_mm), NUMBER(v->muscle_radius_mm));
  }
}

static void check_electrodes(checker *c) {
  const struct emg_config_electrodes *e = &c->config->electrodes;
  int n_electrodes = e->rows * e->columns;

  if (e->shape == EMG_SHAPE_ANNULUS && e->inner_radius_mm >= e->radius_mm) {
    note(c,
         "electrodes.inner_radius_mm = %s mm is not below electrodes.radius_mm = %s mm; an annulus "
         "needs a hole smaller than itself",
         NUMBER(e->inner_radius_mm), NUMBER(e->radius_mm));
  }
  for (int i = 0; i < e->missing.n; i++) {
    double number = e->missing.values[i];
    if (number != floor(number) || number >= n_electrodes) {
      note(c,
           "electrodes.missing has %s, which is no electrode of electrodes.rows = %d times "
           "electrodes.columns = %d; they count from 0 to %d",
           NUMBER(number), e->rows, e->columns, n_electrodes - 1);
    }
  }
}

static void check_muscle(checker *c, int m) {
  const struct emg_config_muscle *v = &c->config->muscle[m];
  const double shorter_mm = fmin(v->half_length_1_mm, v->half_length_2_mm);
  const double spread_mm = (v->innervation_zone_width_mm + v->tendon_width_mm) / 2;
  const double sd_m_per_s = hypot(v->cv_sd_m_per_s, v->cv_fibre_sd_m_per_s);

  if (spread_mm >= shorter_mm) {
    note(c,
         "%s: half of innervation_zone_width_mm = %s mm and half of tendon_width_mm = %s mm leave "
         "nothing of the shorter half length, %s mm; narrow them",
         name_of(c, "muscle", m).text, NUMBER(v->innervation_zone_width_mm),
         NUMBER(v->tendon_width_mm), NUMBER(shorter_mm));
  }
  if (v->cv_law != EMG_CV_FIBRE_DIAMETER && 2 * sd_m_per_s >= v->cv_m_per_s) {
    note(c,
         "%s: cv_sd_m_per_s = %s m/s and cv_fibre_sd_m_per_s = %s m/s reach 0 within two standard "
         "deviations of cv_m_per_s = %s m/s; lower them",
         name_of(c, "muscle", m).text, NUMBER(v->cv_sd_m_per_s), NUMBER(v->cv_fibre_sd_m_per_s),
         NUMBER(v->cv_m_per_s));
  }
}

// All or none, ascending, and able to share out the fibres.
static void check_innervation(checker *c, int m) {
  const struct emg_config_pool *p = &c->config->pool[m];
  const int n_fibres = c->config->muscle[m].fibre_count;
  const entry_name pool = name_of(c, "pool", m), muscle = name_of(c, "muscle", m);

  if (n_fibres > 0 && n_fibres < p->units) {
    note(c, "%s.units = %d units cannot share %s.fibre_count = %d fibres; one each is the least",
         pool.text, p->units, muscle.text, n_fibres);
  }
  if ((p->innervation_min > 0) != (p->innervation_max > 0)) {
    note(c, "%s.innervation_min = %d and %s.innervation_max = %d: give both or neither", pool.text,
         p->innervation_min, pool.text, p->innervation_max);
  } else if (p->innervation_min > p->innervation_max) {
    note(c, "%s.innervation_min = %d is above %s.innervation_max = %d; swap them", pool.text,
         p->innervation_min, pool.text, p->innervation_max);
  } else if (p->innervation_min > 0 && n_fibres > 0 &&
             ((int64_t)p->units * p->innervation_min > n_fibres ||
              (int64_t)p->units * p->innervation_max < n_fibres)) {
    note(c,
         "%s.units = %d units of %s.innervation_min = %d to innervation_max = %d fibres cannot "
         "share %s.fibre_count = %d fibres; change one of them",
         pool.text, p->units, pool.text, p->innervation_min, p->innervation_max, muscle.text,
         n_fibres);
  }
}

static void check_rates(checker *c, int m, const char *min_key, double min_hz, const char *max_key,
                        double max_hz) {
  const entry_name pool = name_of(c, "pool", m);
  const double isi_min_ms = c->config->pool[m].isi_min_ms;

  if (min_hz > max_hz) {
    note(c, "%s.%s = %s Hz is above %s.%s = %s Hz; a unit's rate rises with the excitation",
         pool.text, min_key, NUMBER(min_hz), pool.text, max_key, NUMBER(max_hz));
  }
  if (max_hz * isi_min_ms > 1000) {
    note(c,
         "%s.%s = %s Hz needs intervals of %.3g ms, shorter than %s.isi_min_ms = %s ms; lower one "
         "of them",
         pool.text, max_key, NUMBER(max_hz), 1000 / max_hz, pool.text, NUMBER(isi_min_ms));
  }
}

static void check_pool(checker *c, int m) {
  const struct emg_config_pool *p = &c->config->pool[m];

  check_innervation(c, m);
  if (p->model == EMG_POOL_FUGLEVAND) {
    check_rates(c, m, "rate_min_hz", p->rate_min_hz, "rate_max_hz", p->rate_max_hz);
    check_rates(c, m, "rate_min_last_hz", p->rate_min_last_hz, "rate_max_last_hz",
                p->rate_max_last_hz);
  }
}

static void check_profile(checker *c, int m) {
  const struct emg_config_drive *d = &c->config->drive[m];
  const entry_name drive = name_of(c, "drive", m);

  if (d->profile == EMG_DRIVE_FILE && d->file[0] == '\0') {
    note(c, "%s.profile = file, but %s.file names none; give a CSV of time and excitation",
         drive.text, drive.text);
  } else if (d->profile == EMG_DRIVE_STEPS && d->step_levels.n == 0) {
    note(c, "%s.profile = steps, but %s.step_levels is empty; give at least one level", drive.text,
         drive.text);
  } else if (d->profile == EMG_DRIVE_SINE &&
             (d->level - d->sine_amplitude < 0 || d->level + d->sine_amplitude > 1)) {
    note(c,
         "%s.level = %s and %s.sine_amplitude = %s run from %.3g to %.3g; the excitation must stay "
         "between 0 and 1",
         drive.text, NUMBER(d->level), drive.text, NUMBER(d->sine_amplitude),
         d->level - d->sine_amplitude, d->level + d->sine_amplitude);
  } else if (d->profile == EMG_DRIVE_TRAPEZOID && d->ramp_up_s + d->hold_s + d->ramp_down_s <= 0) {
    note(
        c,
        "%s.profile = trapezoid, but ramp_up_s, hold_s and ramp_down_s are 0 s; give one of them a "
        "length",
        drive.text);
  } else if (d->profile == EMG_DRIVE_RAMP && d->ramp_up_s <= 0) {
    note(c, "%s.profile = ramp, but %s.ramp_up_s is 0 s; give the ramp a length", drive.text,
         drive.text);
  }
}

static void check_drive(checker *c, int m) {
  const struct emg_config_drive *d = &c->config->drive[m];
  const struct emg_config_simulation *s = &c->config->simulation;
  const entry_name drive = name_of(c, "drive", m);
  const double half_hz = s->sampling_rate_hz / 2;

  check_profile(c, m);
  if (d->profile != EMG_DRIVE_FILE && d->start_s >= s->duration_s) {
    note(c, "%s.start_s = %s s is not before the end, simulation.duration_s = %s s", drive.text,
         NUMBER(d->start_s), NUMBER(s->duration_s));
  }
  if (d->common_noise > 0 && d->common_noise_cutoff_hz >= half_hz) {
    note(c,
         "%s.common_noise_cutoff_hz = %s Hz is not below half of simulation.sampling_rate_hz = %s "
         "Hz",
         drive.text, NUMBER(d->common_noise_cutoff_hz), NUMBER(s->sampling_rate_hz));
  }
  if (d->independent_noise > 0 && d->independent_noise_cutoff_hz >= half_hz) {
    note(c,
         "%s.independent_noise_cutoff_hz = %s Hz is not below half of simulation.sampling_rate_hz "
         "= %s Hz",
         drive.text, NUMBER(d->independent_noise_cutoff_hz), NUMBER(s->sampling_rate_hz));
  }
}

static void check_change(checker *c) {
  const struct emg_config_change *v = &c->config->change;

  if (v->states == 1 && v->cv_decline_per_s > 0) {
    note(c,
         "change.cv_decline_per_s = %s 1/s needs action potentials at several times, but "
         "change.states = 1; raise it, to 8 say",
         NUMBER(v->cv_decline_per_s));
  }
  if (v->states == 1 && v->shortening > 0) {
    note(c,
         "change.shortening = %s needs action potentials at several times, but change.states = 1; "
         "raise it, to 8 say",
         NUMBER(v->shortening));
  }
}

// A band from `low` to `high`, both below half the sampling rate; 0 switches an edge off.
static void check_band(checker *c, const char *low_key, double low_hz, const char *high_key,
                       double high_hz) {
  const double rate_hz = c->config->simulation.sampling_rate_hz;

  if (low_hz > 0 && high_hz > 0 && low_hz >= high_hz) {
    note(c, "%s = %s Hz is not below %s = %s Hz", low_key, NUMBER(low_hz), high_key,
         NUMBER(high_hz));
  } else if ((high_hz > 0 ? high_hz : low_hz) >= rate_hz / 2) {
    const char *key = high_hz > 0 ? high_key : low_key;
    note(c, "%s = %s Hz is not below half of simulation.sampling_rate_hz = %s Hz", key,
         NUMBER(high_hz > 0 ? high_hz : low_hz), NUMBER(rate_hz));
  }
}

static void check_sensor(checker *c) {
  const struct emg_config_sensor *s = &c->config->sensor;
  const struct emg_config_electrodes *e = &c->config->electrodes;
  const double rate_hz = c->config->simulation.sampling_rate_hz;
  const int n_electrodes = e->rows * e->columns - e->missing.n;
  const int n_bad =
      s->dead_channels + s->noisy_channels + s->saturated_channels + s->intermittent_channels;

  if (s->noise_colour != EMG_NOISE_WHITE) {
    check_band(c, "sensor.noise_low_hz", s->noise_low_hz, "sensor.noise_high_hz", s->noise_high_hz);
  }
  check_band(c, "sensor.bandpass_low_hz", s->bandpass_low_hz, "sensor.bandpass_high_hz",
             s->bandpass_high_hz);
  if (s->mains_uv > 0 && s->mains_hz * s->mains_harmonics.n > rate_hz / 2) {
    note(c,
         "sensor.mains_harmonics has %d multiples of sensor.mains_hz = %s Hz, above half of "
         "simulation.sampling_rate_hz = %s Hz; give fewer",
         s->mains_harmonics.n, NUMBER(s->mains_hz), NUMBER(rate_hz));
  }
  if (n_bad > n_electrodes) {
    note(
        c,
        "sensor.dead_channels, noisy_channels, saturated_channels and intermittent_channels add up "
        "to %d channels, electrodes.rows and electrodes.columns give %d at most",
        n_bad, n_electrodes);
  }
}

static void check_decompose(checker *c) {
  const struct emg_config_decompose *d = &c->config->decompose;

  if (d->band_low_hz >= d->band_high_hz) {
    note(c, "decompose.band_low_hz = %s Hz is not below decompose.band_high_hz = %s Hz",
         NUMBER(d->band_low_hz), NUMBER(d->band_high_hz));
  }
  if (d->to_s > 0 && d->from_s >= d->to_s) {
    note(c, "decompose.from_s = %s s is not before decompose.to_s = %s s", NUMBER(d->from_s),
         NUMBER(d->to_s));
  }
}

static void check_expected(checker *c, const char *name, const char *unit, double mean, double min,
                           double max) {
  if (min >= max) {
    note(c, "invert.%s_min_%s = %s is not below invert.%s_max_%s = %s", name, unit, NUMBER(min),
         name, unit, NUMBER(max));
  } else if (mean < min || mean > max) {
    note(c, "invert.%s_mean_%s = %s is not within invert.%s_min_%s = %s and %s_max_%s = %s", name,
         unit, NUMBER(mean), name, unit, NUMBER(min), name, unit, NUMBER(max));
  }
}

#define CHECK_EXPECTED(name, unit) \
  check_expected(c, #name, #unit, v->name##_mean_##unit, v->name##_min_##unit, v->name##_max_##unit)

static void check_cnn(checker *c) {
  const struct emg_config_cnn *v = &c->config->cnn;

  if (v->held_to_s > 0 && v->held_to_s <= v->held_from_s) {
    note(c, "cnn.held_to_s = %s s is not behind cnn.held_from_s = %s s", NUMBER(v->held_to_s),
         NUMBER(v->held_from_s));
  }
}

static void check_invert(checker *c) {
  const struct emg_config_invert *v = &c->config->invert;

  CHECK_EXPECTED(depth, mm);
  CHECK_EXPECTED(arc, mm);
  CHECK_EXPECTED(zone, mm);
  CHECK_EXPECTED(cv, m_per_s);
  CHECK_EXPECTED(tendon, mm);
  CHECK_EXPECTED(territory, mm);
  CHECK_EXPECTED(zone_spread, mm);
  CHECK_EXPECTED(latency, ms);
  if (v->probes_kept > v->probes) {
    note(c, "invert.probes_kept = %d is more than invert.probes = %d", v->probes_kept, v->probes);
  }
}

// The samples as float, those of one channel, and the action potentials of all units and states.
static void check_size(checker *c) {
  const struct emg_config_simulation *s = &c->config->simulation;
  const struct emg_config_electrodes *e = &c->config->electrodes;
  const double n_channels = (double)e->rows * e->columns;
  const double n_samples = s->duration_s * s->sampling_rate_hz;
  double n_units = 0, longest_s = 0;

  for (int m = 0; m < c->config->n_muscles; m++) {
    const struct emg_config_muscle *v = &c->config->muscle[m];
    // the slowest fibres take up to twice the mean
    double travel_s = 2e-3 * fmax(v->half_length_1_mm, v->half_length_2_mm) / v->cv_m_per_s;
    n_units += c->config->pool[m].units;
    longest_s = fmax(longest_s, travel_s);
  }
  const double gib = 1.0 / (1 << 30);
  double signal_gib = 4 * n_channels * n_samples * gib, channel_gib = 4 * 4 * n_samples * gib;
  double bank_gib =
      4 * n_units * n_channels * longest_s * s->sampling_rate_hz * c->config->change.states * gib;

  if (signal_gib > file_max_gib) {
    note(c,
         "%d x %d electrodes, simulation.duration_s = %s s and simulation.sampling_rate_hz = %s Hz "
         "make a file of about %.0f GiB, more than %.0f; shorten the recording or record several",
         e->rows, e->columns, NUMBER(s->duration_s), NUMBER(s->sampling_rate_hz), signal_gib,
         file_max_gib);
  }
  if (channel_gib > channel_max_gib) {
    note(c,
         "simulation.duration_s = %s s and simulation.sampling_rate_hz = %s Hz need about %.1f GiB "
         "of memory for one channel, more than %.0f; shorten the recording or record several",
         NUMBER(s->duration_s), NUMBER(s->sampling_rate_hz), channel_gib, channel_max_gib);
  }
  if (bank_gib > memory_max_gib) {
    note(c,
         "the action potentials of %.0f units at %d x %d electrodes in change.states = %d states "
         "need about %.0f GiB, more than %.0f; use fewer units, electrodes or states",
         n_units, e->rows, e->columns, c->config->change.states, bank_gib, memory_max_gib);
  }
}

emg_status emg_config_check(const emg_config *config, emg_error *err) {
  checker c = {config, err, EMG_OK};

  EMG_TRY(emg_config_values_check(config, err));
  check_conductor(&c);
  check_electrodes(&c);
  for (int m = 0; m < config->n_muscles; m++) {
    check_muscle(&c, m);
    check_pool(&c, m);
    check_drive(&c, m);
  }
  check_change(&c);
  check_sensor(&c);
  check_decompose(&c);
  check_invert(&c);
  check_cnn(&c);
  check_size(&c);
  return c.status;
}
