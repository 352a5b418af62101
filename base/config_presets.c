// config_presets.c -- named configurations as lists of what differs from the defaults
#include "base/config_priv.h"

#include <string.h>

#include "base/text.h"

// Assignments as for emg_config_set, NULL-terminated.
typedef struct {
  const char *name, *doc;
  int n_muscles;
  const char *const *assignments;
} preset_row;

static const char *const quick[] = {
    "simulation.duration_s = 14 s",
    "conductor.muscle_radius_mm = 15 mm",
    "conductor.fat_thickness_mm = 2 mm",
    "drive.level = 20 %",
    "drive.hold_s = 10 s",
    NULL,
};

// Wen et al. 2021. What the paper leaves open follows Akhmadeev's iemg_simulator, whose settings
// its numbers match: rates at recruitment 10 to 5 Hz, peak rates 40 to 30 Hz and gains 50 to 30 Hz
// over the pool, the largest territory a quarter of the muscle. Ratio 55 puts 110 thresholds below
// 25 %.
static const char *const wen2021[] = {
    "simulation.duration_s = 80 s",
    "conductor.muscle_radius_mm = 10 mm",
    "conductor.fat_thickness_mm = 4 mm",
    "electrodes.montage = single_differential",
    "muscle.fibre_count = 125664",
    "muscle.half_length_1_mm = 100 mm",
    "muscle.half_length_2_mm = 100 mm",
    "muscle.cv_m_per_s = 3.8 m/s",
    "muscle.cv_sd_m_per_s = 0.5 m/s",
    "muscle.cv_fibre_sd_m_per_s = 0 m/s",
    "pool.units = 150",
    "pool.innervation_min = 52",
    "pool.innervation_max = 3191",
    "pool.territory_fibres_per_mm2 = 40 1/mm^2",
    "pool.territory_placement = farthest_point",
    "pool.recruitment_law = shifted_exponential",
    "pool.recruitment_ratio = 55",
    "pool.recruitment_max = 75 %",
    "pool.rate_min_hz = 10 Hz",
    "pool.rate_min_last_hz = 5 Hz",
    "pool.rate_max_hz = 40 Hz",
    "pool.rate_max_last_hz = 30 Hz",
    "pool.rate_gain_hz = 50 Hz",
    "pool.rate_gain_last_hz = 30 Hz",
    "drive.level = 25 %MVC",
    "drive.ramp_up_s = 10 s",
    "drive.hold_s = 60 s",
    "drive.ramp_down_s = 10 s",
    NULL,
};

// The experiment of Halatsis et al. 2025 on a cylinder: a forearm ring of 10 x 32 electrodes 8 mm
// apart, 100 units around the whole limb, all active, intervals of 100 +- 30 ms, each unit with an
// innervation zone and a velocity of its own, limits of parameters as they are drawn, and rules
// that let such irregular trains pass. A ring is several grids, so it has more probes. The
// published runs had no noise.
static const char *const bmiss2025[] = {
    "simulation.duration_s = 10 s",
    "simulation.sampling_rate_hz = 2 kHz",
    "conductor.muscle_radius_mm = 38 mm",
    "electrodes.layout = ring",
    "electrodes.rows = 10",
    "electrodes.columns = 32",
    "electrodes.radius_mm = 1.5 mm",
    "muscle.name = forearm",
    "muscle.region = sector",
    "muscle.sector_width_deg = 360 deg",
    "muscle.radial_extent_mm = 15 mm",
    "muscle.fibre_count = 17050",
    "muscle.placement = poisson_disc",
    "muscle.innervation_zone_law = gaussian",
    "muscle.innervation_zone_width_mm = 8 mm",
    "muscle.innervation_zone_unit_sd_mm = 8 mm",
    "muscle.half_length_1_mm = 66 mm",
    "muscle.half_length_2_mm = 66 mm",
    "muscle.cv_m_per_s = 3.95 m/s",
    "muscle.cv_sd_m_per_s = 0.33 m/s",
    "muscle.cv_fibre_sd_m_per_s = 0.08 m/s",
    "pool.units = 100",
    "pool.innervation_ratio = 30",
    "pool.territory_fibres_per_mm2 = 5 1/mm^2",
    "pool.recruitment_max = 10 %",
    "pool.rate_min_hz = 10 Hz",
    "pool.rate_min_last_hz = 10 Hz",
    "pool.rate_max_hz = 10 Hz",
    "pool.rate_max_last_hz = 10 Hz",
    "pool.rate_gain_hz = 0 Hz",
    "pool.rate_gain_last_hz = 0 Hz",
    "pool.isi_cov = 0.3",
    "pool.isi_min_ms = 20 ms",
    "drive.profile = constant",
    "drive.level = 50 %",
    "sensor.snr_db = 200 dB",
    "decompose.isi_cov_max_weak = 0.4",
    "invert.probes = 4096",
    "invert.probes_kept = 400",
    "invert.candidates = 160",
    "invert.depth_max_mm = 16 mm",
    "invert.zone_min_mm = -22 mm",
    "invert.zone_max_mm = 22 mm",
    "invert.cv_min_m_per_s = 2.9 m/s",
    "invert.cv_max_m_per_s = 5 m/s",
    "invert.tendon_min_mm = -8 mm",
    "invert.tendon_max_mm = 8 mm",
    "invert.territory_mean_mm = 2.8 mm",
    "invert.territory_sd_mm = 1.5 mm",
    "invert.territory_max_mm = 7 mm",
    "benchmark.question = How many of 100 units under a ring of 320 electrodes are found, and how "
    "right are their parameters, from no noise to 0 dB?",
    "benchmark.axes = sensor.snr_db = 200 dB | 30 dB | 20 dB | 10 dB | 0 dB",
    "benchmark.methods = ckc invert paper oracle",
    "benchmark.seeds = 2",
    "benchmark.smoke = simulation.duration_s = 2 s; pool.units = 6; muscle.fibre_count = 900;"
    " electrodes.rows = 4; electrodes.columns = 10; invert.probes = 256; invert.probes_kept = 40;"
    " invert.rounds = 1",
    NULL,
};

// Fibres as dense as in real muscle, units of a size that gives potentials and EMG of the
// amplitude seen on the skin.
static const char *const biceps[] = {
    "simulation.duration_s = 30 s",
    "conductor.bone_radius_mm = 11 mm",
    "conductor.muscle_radius_mm = 42 mm",
    "conductor.fat_thickness_mm = 4 mm",
    "conductor.skin_thickness_mm = 1.5 mm",
    "electrodes.rows = 8",
    "electrodes.columns = 8",
    "electrodes.row_pitch_mm = 10 mm",
    "electrodes.column_pitch_mm = 10 mm",
    "electrodes.centre_z_mm = 20 mm",
    "muscle.name = biceps brachii",
    "muscle.region = ellipse",
    "muscle.centre_radius_mm = 26 mm",
    "muscle.radial_extent_mm = 14 mm",
    "muscle.tangential_extent_mm = 20 mm",
    "muscle.fibre_density_per_mm2 = 400 1/mm^2",
    "muscle.half_length_1_mm = 70 mm",
    "muscle.half_length_2_mm = 70 mm",
    "pool.units = 500",
    "pool.innervation_ratio = 80",
    "pool.recruitment_max = 80 %",
    "drive.level = 20 %",
    "drive.ramp_up_s = 4 s",
    "drive.hold_s = 22 s",
    "drive.ramp_down_s = 4 s",
    "drive.common_noise = 5 %",
    "sensor.bandpass_low_hz = 10 Hz",
    "sensor.bandpass_high_hz = 500 Hz",
    "sensor.adc_bits = 16",
    NULL,
};

// Short recordings of many units at once, each with an innervation zone of its own.
static const char *const bmiss_short[] = {
    "simulation.duration_s = 5 s",
    "conductor.muscle_radius_mm = 38 mm",
    "electrodes.radius_mm = 1.5 mm",
    "muscle.region = sector",
    "muscle.radial_extent_mm = 15 mm",
    "muscle.sector_width_deg = 66 deg",
    "muscle.fibre_count = 10200",
    "muscle.placement = poisson_disc",
    "muscle.innervation_zone_law = gaussian",
    "muscle.innervation_zone_width_mm = 8 mm",
    "muscle.innervation_zone_unit_sd_mm = 8 mm",
    "muscle.half_length_1_mm = 66 mm",
    "muscle.half_length_2_mm = 66 mm",
    "muscle.cv_m_per_s = 3.95 m/s",
    "muscle.cv_sd_m_per_s = 0.3 m/s",
    "muscle.cv_fibre_sd_m_per_s = 0.08 m/s",
    "pool.innervation_ratio = 30",
    "pool.territory_fibres_per_mm2 = 10 1/mm^2",
    "pool.recruitment_max = 10 %",
    "pool.rate_min_hz = 13 Hz",
    "pool.rate_min_last_hz = 8 Hz",
    "pool.rate_max_hz = 13 Hz",
    "pool.rate_max_last_hz = 8 Hz",
    "pool.rate_gain_hz = 0 Hz",
    "pool.rate_gain_last_hz = 0 Hz",
    "drive.profile = constant",
    "drive.level = 50 %",
    "sensor.snr_db = 20 dB",
    "benchmark.question = Do seconds of recording yield more units to a model of the subject than "
    "to "
    "blind methods, and how right are its parameters?",
    "benchmark.axes = simulation.duration_s = 2 s | 5 s | 10 s | 20 s;"
    " sensor.snr_db = 10 dB | 20 dB | 30 dB",
    "benchmark.methods = cbss ckc ckc_short invert oracle",
    "benchmark.reference = ckc ckc_short",
    "benchmark.seeds = 6",
    "benchmark.cell_seeds = 3",
    "benchmark.cells ="
    " fat +1 mm: told conductor.fat_thickness_mm = 4 mm;"
    " fat -1 mm: told conductor.fat_thickness_mm = 2 mm;"
    " fat unknown: told conductor.fat_thickness_mm = 4 mm, told invert.fat = estimated;"
    " anisotropy +30 %: told conductor.muscle_axial_s_per_m = 0.65;"
    " anisotropy -30 %: told conductor.muscle_axial_s_per_m = 0.35;"
    " action potential 20 % wider: told fibre.length_scale_mm = 1.2 mm;"
    " action potential 20 % narrower: told fibre.length_scale_mm = 0.8 mm;"
    " fat, anisotropy and width together: told conductor.fat_thickness_mm = 4 mm,"
    " told conductor.muscle_axial_s_per_m = 0.65, told fibre.length_scale_mm = 1.2 mm;"
    " other conductivities: told conductor.muscle_axial_s_per_m = 0.4,"
    " told conductor.muscle_transverse_s_per_m = 0.09, told conductor.fat_axial_s_per_m = 0.041,"
    " told conductor.fat_transverse_s_per_m = 0.041;"
    " tendons +10 mm: told muscle.half_length_1_mm = 76 mm, told muscle.half_length_2_mm = 76 mm;"
    " electrodes off by 0.3 mm: simulate electrodes.jitter_mm = 0.3 mm;"
    " grid turned by 5 deg: simulate electrodes.rotation_deg = 5 deg;"
    " grid turned by 10 deg: simulate electrodes.rotation_deg = 10 deg;"
    " grid turned by 5 deg, estimated: simulate electrodes.rotation_deg = 5 deg,"
    " told invert.rotation = estimated;"
    " grid turned by 10 deg, estimated: simulate electrodes.rotation_deg = 10 deg,"
    " told invert.rotation = estimated;"
    " turned by 5 deg and off by 0.3 mm, estimated: simulate electrodes.rotation_deg = 5 deg,"
    " simulate electrodes.jitter_mm = 0.3 mm, told invert.rotation = estimated;"
    " paper: benchmark.methods = ckc ckc_short invert paper;"
    " online from 2 s: simulation.duration_s = 2 s,"
    " benchmark.methods = ckc_online ckc_short_online invert_online;"
    " online from 5 s: simulation.duration_s = 5 s,"
    " benchmark.methods = ckc_online ckc_short_online invert_online",
    NULL,
};

// The common 64-channel grid: 13 x 5 with one corner left out.
static const char *const tibialis[] = {
    "simulation.duration_s = 30 s",
    "conductor.bone_radius_mm = 14 mm",
    "conductor.muscle_radius_mm = 44 mm",
    "conductor.fat_thickness_mm = 3 mm",
    "conductor.skin_thickness_mm = 1.2 mm",
    "electrodes.missing = 0",
    "electrodes.centre_z_mm = 15 mm",
    "muscle.name = tibialis anterior",
    "muscle.region = sector",
    "muscle.radial_extent_mm = 20 mm",
    "muscle.sector_width_deg = 60 deg",
    "muscle.fibre_density_per_mm2 = 400 1/mm^2",
    "muscle.half_length_1_mm = 65 mm",
    "muscle.half_length_2_mm = 65 mm",
    "pool.units = 400",
    "pool.innervation_ratio = 100",
    "pool.recruitment_max = 90 %",
    "pool.rate_max_hz = 40 Hz",
    "pool.rate_max_last_hz = 30 Hz",
    "drive.level = 30 %",
    "drive.ramp_up_s = 4 s",
    "drive.hold_s = 22 s",
    "drive.ramp_down_s = 4 s",
    "drive.common_noise = 5 %",
    "sensor.bandpass_low_hz = 10 Hz",
    "sensor.bandpass_high_hz = 500 Hz",
    "sensor.adc_bits = 16",
    NULL,
};

// Angles from the middle of the volar side. Flexors contract in the first half, extensors in the
// second; the deep flexor goes with the flexors, the brachioradialis holds all the time.
static const char *const forearm_ring[] = {
    "simulation.duration_s = 20 s",
    "simulation.sampling_rate_hz = 2 kHz",
    "conductor.muscle_radius_mm = 36 mm",
    "conductor.fat_thickness_mm = 3 mm",
    "conductor.skin_thickness_mm = 1.3 mm",
    "electrodes.layout = ring",
    "electrodes.rows = 4",
    "electrodes.columns = 16",
    "electrodes.row_pitch_mm = 10 mm",
    "electrodes.radius_mm = 2 mm",
    "electrodes.centre_z_mm = 30 mm",
    "muscle.region = sector",
    "muscle.radial_extent_mm = 13 mm",
    "muscle.sector_width_deg = 45 deg",
    "muscle.fibre_density_per_mm2 = 100 1/mm^2",
    "pool.units = 40",
    "drive.level = 20 %",
    "drive.hold_s = 4 s",
    "drive.common_noise = 5 %",
    "sensor.bandpass_low_hz = 20 Hz",
    "sensor.bandpass_high_hz = 850 Hz",
    "sensor.adc_bits = 16",
    "muscle[0].name = flexor carpi radialis",
    "muscle[0].centre_angle_deg = -50 deg",
    "drive[0].start_s = 1 s",
    "muscle[1].name = flexor digitorum superficialis",
    "muscle[1].region = ellipse",
    "muscle[1].centre_radius_mm = 27 mm",
    "muscle[1].radial_extent_mm = 8 mm",
    "muscle[1].tangential_extent_mm = 12 mm",
    "drive[1].start_s = 1 s",
    "muscle[2].name = flexor carpi ulnaris",
    "muscle[2].centre_angle_deg = 50 deg",
    "drive[2].start_s = 1 s",
    "muscle[3].name = extensor carpi ulnaris",
    "muscle[3].centre_angle_deg = 105 deg",
    "drive[3].start_s = 11 s",
    "muscle[4].name = extensor digitorum",
    "muscle[4].centre_angle_deg = 155 deg",
    "drive[4].start_s = 11 s",
    "muscle[5].name = extensor carpi radialis",
    "muscle[5].centre_angle_deg = -155 deg",
    "drive[5].start_s = 11 s",
    "muscle[6].name = brachioradialis",
    "muscle[6].centre_angle_deg = -105 deg",
    "drive[6].profile = constant",
    "drive[6].level = 4 %",
    "muscle[7].name = flexor digitorum profundus",
    "muscle[7].region = circle",
    "muscle[7].radial_extent_mm = 16 mm",
    "pool[7].units = 60",
    "drive[7].start_s = 1 s",
    NULL,
};

static const preset_row presets[] = {
    {"quick", "a small muscle under a 13 x 5 grid for 14 s: the whole way in seconds", 1, quick},
    {"wen2021",
     "the simulated benchmark of Wen et al. 2021: 150 units of 125 664 fibres, 110 of them active "
     "at 25 % of maximum, 60 single-differential channels, 80 s",
     1, wen2021},
    {"bmiss2025",
     "after Halatsis et al. 2025: 100 units all active under a ring of 10 x 32 electrodes, each "
     "with its own innervation zone, 10 s at 2 kHz, no noise",
     1, bmiss2025},
    {"bmiss_short",
     "5 s of 60 units that all fire 8 to 13 times a second under a 13 x 5 grid, each with its "
     "own "
     "innervation zone: too short for blind methods",
     1, bmiss_short},
    {"biceps",
     "biceps brachii over the humerus under an 8 x 8 grid, 20 % of maximum for 30 s: 500 units of "
     "about 700 fibres",
     1, biceps},
    {"tibialis",
     "tibialis anterior under the 64 electrodes of a 13 x 5 grid, 30 % of maximum for 30 s: 400 "
     "units of about 700 fibres",
     1, tibialis},
    {"forearm-ring",
     "eight muscles of the forearm under a ring of 4 x 16 electrodes, flexors then extensors: "
     "crosstalk; radius and ulna are not modelled, and there is a quarter of the fibres and units "
     "of real muscle",
     8, forearm_ring},
};

enum { N_PRESETS = sizeof presets / sizeof presets[0] };

static const preset_row *find_preset(const char *name) {
  for (int i = 0; i < N_PRESETS; i++) {
    if (strcmp(presets[i].name, name) == 0) {
      return &presets[i];
    }
  }
  return NULL;
}

const char *const *emg_config_preset_names(void) {
  static const char *const names[] = {"quick",  "wen2021",  "bmiss2025",    "bmiss_short",
                                      "biceps", "tibialis", "forearm-ring", NULL};
  return names;
}

const char *emg_config_preset_doc(const char *preset) {
  const preset_row *row = find_preset(preset);
  return row ? row->doc : NULL;
}

emg_status emg_config_preset(const char *preset, emg_config *config, emg_error *err) {
  const preset_row *row = find_preset(preset);
  if (!row) {
    char list[200] = "";
    for (int i = 0; i < N_PRESETS; i++) {
      size_t used = strlen(list);
      snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", presets[i].name);
    }
    return emg_fail(err, EMG_ERR_ARG, "there is no preset %s; there are %s", emg_quote(preset).text,
                    list);
  }
  emg_config_defaults(config);
  config->n_muscles = row->n_muscles;
  for (int i = 0; row->assignments[i]; i++) {
    EMG_TRY(emg_config_set(config, row->assignments[i], err));
  }
  return EMG_OK;
}
