// config.h -- the configuration: one schema table parses, checks, explains and echoes it
#ifndef EMG_CONFIG_H
#define EMG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMG_MUSCLES_MAX 16
#define EMG_LIST_MAX 256
#define EMG_TEXT_MAX 160
#define EMG_TEXTS_MAX 32
#define EMG_ENTRY_MAX 240

typedef struct {
  int n;
  double values[EMG_LIST_MAX];
} emg_list;

// Lines of text without ';', which separates them where they are written as one text.
typedef struct {
  int n;
  char values[EMG_TEXTS_MAX][EMG_ENTRY_MAX];
} emg_texts;

typedef double emg_type_F64;
typedef int emg_type_I32;
typedef uint64_t emg_type_U64;
typedef bool emg_type_BOOL;
typedef char emg_type_TEXT[EMG_TEXT_MAX];
typedef emg_list emg_type_LIST;
typedef emg_texts emg_type_TEXTS;

// Choices, numbered as in config_fields.def.
enum { EMG_ENGINE_FAST, EMG_ENGINE_EXACT };
enum { EMG_LAYOUT_GRID, EMG_LAYOUT_RING, EMG_LAYOUT_ARRAY, EMG_LAYOUT_NEEDLE };
enum { EMG_SHAPE_POINT, EMG_SHAPE_DISC, EMG_SHAPE_RECTANGLE, EMG_SHAPE_ANNULUS };
enum {
  EMG_MONTAGE_MONOPOLAR,
  EMG_MONTAGE_SINGLE_DIFFERENTIAL,
  EMG_MONTAGE_DOUBLE_DIFFERENTIAL,
  EMG_MONTAGE_LAPLACIAN,
  EMG_MONTAGE_AVERAGE_REFERENCE
};
enum { EMG_REGION_FULL, EMG_REGION_CIRCLE, EMG_REGION_ELLIPSE, EMG_REGION_SECTOR };
enum { EMG_PLACEMENT_HEXAGONAL, EMG_PLACEMENT_POISSON_DISC, EMG_PLACEMENT_UNIFORM };
enum { EMG_IZ_UNIFORM, EMG_IZ_GAUSSIAN };
enum { EMG_CV_UNIT_NORMAL, EMG_CV_UNIT_SIZE, EMG_CV_FIBRE_DIAMETER };
enum { EMG_POOL_FUGLEVAND, EMG_POOL_DE_LUCA_CONTESSA };
enum { EMG_TERRITORY_UNIFORM, EMG_TERRITORY_FARTHEST_POINT };
enum { EMG_RECRUITMENT_EXPONENTIAL, EMG_RECRUITMENT_SHIFTED_EXPONENTIAL };
enum { EMG_DE_LUCA_FDI, EMG_DE_LUCA_VL, EMG_DE_LUCA_TA };
enum {
  EMG_DRIVE_CONSTANT,
  EMG_DRIVE_TRAPEZOID,
  EMG_DRIVE_RAMP,
  EMG_DRIVE_STEPS,
  EMG_DRIVE_SINE,
  EMG_DRIVE_FILE
};
enum { EMG_NOISE_WHITE, EMG_NOISE_BAND, EMG_NOISE_PINK };
enum { EMG_SEPARATION_FIXED_POINT, EMG_SEPARATION_GRADIENT };
enum { EMG_CONTRAST_CLIPPED_SKEWNESS, EMG_CONTRAST_SKEWNESS, EMG_CONTRAST_LOG_COSH };
enum { EMG_NOTCH_AUTO, EMG_NOTCH_OFF };
enum { EMG_GROUPS_TOGETHER, EMG_GROUPS_EACH };
enum { EMG_CBSS_ACTIVITY, EMG_CBSS_RANDOM };
enum { EMG_INVERT_JOINT, EMG_INVERT_PAPER };
enum { EMG_SHARED_FIXED, EMG_SHARED_ESTIMATED };
enum { EMG_BATCHES_RUNS, EMG_BATCHES_WINDOWS };
enum { EMG_SELECT_VALIDATION, EMG_SELECT_TRAINING };
enum { EMG_SCALE_RMS, EMG_SCALE_LARGEST };

// One struct per section, struct emg_config_<section>: each SECTION ends the one before it.
struct emg_config_none_ {
  char unused;
#define SECTION(section, repeatable, doc) \
  }                                       \
  ;                                       \
  struct emg_config_##section {
#define FIELD(section, type, name, fallback, min, max, unit, doc, source) emg_type_##type name;
#define CHOICE(section, name, fallback, choices, doc, source) int name;
#include <emgtwin/config_fields.def>
};

// A complete configuration: every key has a value. Plain data, copied by assignment.
typedef struct {
  struct emg_config_simulation simulation;
  struct emg_config_conductor conductor;
  struct emg_config_fibre fibre;
  struct emg_config_electrodes electrodes;
  int n_muscles;  // entries in use of the three repeatable sections
  struct emg_config_muscle muscle[EMG_MUSCLES_MAX];
  struct emg_config_pool pool[EMG_MUSCLES_MAX];
  struct emg_config_drive drive[EMG_MUSCLES_MAX];
  struct emg_config_change change;
  struct emg_config_sensor sensor;
  struct emg_config_output output;
  struct emg_config_decompose decompose;
  struct emg_config_score score;
  struct emg_config_invert invert;
  struct emg_config_benchmark benchmark;
  struct emg_config_cnn cnn;
  char directory[1024];  // where a relative drive.file starts: the folder of the file that set it;
                         // "" is the working directory
} emg_config;

// One row of the schema, for `explain`, `init` and generated documents.
typedef enum {
  EMG_KEY_F64,
  EMG_KEY_I32,
  EMG_KEY_U64,
  EMG_KEY_BOOL,
  EMG_KEY_TEXT,
  EMG_KEY_LIST,
  EMG_KEY_TEXTS,
  EMG_KEY_CHOICE
} emg_key_type;

typedef struct {
  const char *section, *name;
  emg_key_type type;
  bool repeatable;       // in a section that may be a list, one entry per muscle
  size_t offset;         // in its section's struct
  const char *fallback;  // default, as text
  double min, max;
  const char *unit;     // "" if dimensionless
  const char *choices;  // "a|b|c" of a choice, else NULL
  const char *doc, *source;
} emg_config_key;

const emg_config_key *emg_config_keys(int *n_keys);
// Doc sentence of a section, NULL if there is no such section.
const char *emg_config_section_doc(const char *section);
// Key of "section.name", NULL if unknown; `nearest` (may be NULL) then receives the likeliest key.
const emg_config_key *emg_config_find(const char *path, const emg_config_key **nearest);

// Defaults; never fails.
void emg_config_defaults(emg_config *config);
// Defaults overlaid with a preset. EMG_ERR_ARG names the presets there are.
emg_status emg_config_preset(const char *preset, emg_config *config, emg_error *err);
// Names of the presets, NULL-terminated.
const char *const *emg_config_preset_names(void);
const char *emg_config_preset_doc(const char *preset);

// Overlay a YAML file, or text named `name` in messages, on `config`. YAML 1.1 subset (JSON too):
// mapping of sections; at most 1 MiB, depth 64; no aliases, tags, duplicate or unknown keys, NaN or
// partial numbers. Up to 20 findings with line and column. EMG_ERR_CONFIG; EMG_ERR_IO if
// unreadable; `config` is then unchanged. A repeatable section is a mapping, which holds for every
// muscle, or a list with one mapping per muscle; all lists of one text are of one length. A list of
// `muscle` says how many muscles there are, a list of `pool` or `drive` only if there was one so
// far.
emg_status emg_config_read(const char *path, emg_config *config, emg_error *err);
emg_status emg_config_parse(const char *text, size_t length, const char *name, emg_config *config,
                            emg_error *err);
// One assignment "section.key=value", "muscle[1].name=soleus", as given with --set. Without an
// index it holds for every muscle. EMG_ERR_ARG if it is no assignment, EMG_ERR_CONFIG for what it
// says.
emg_status emg_config_set(emg_config *config, const char *assignment, emg_error *err);
// Value of "section.key" (of the first muscle) as text that emg_config_set takes, malloc'ed.
// EMG_ERR_CONFIG if there is no such key.
emg_status emg_config_get(const emg_config *config, const char *path, char **text, emg_error *err);
// Relations between keys ("the least rate is above the largest"), and the range of each value.
// Called by read and parse's callers once all layers are in. What needs geometry is checked where
// it is made (emg_conductor_create, emg_electrodes_create, emg_montage_create, emg_model_create).
// EMG_ERR_CONFIG with up to 20 findings.
emg_status emg_config_check(const emg_config *config, emg_error *err);

// The effective configuration as YAML that reads back, over the defaults, to the same values.
// `with_docs`: a comment line above each key, for `init`. `heading`: comment lines on top, may be
// NULL. malloc'ed, free() it. EMG_ERR_CONFIG if a value is out of range.
emg_status emg_config_write(const emg_config *config, bool with_docs, const char *heading,
                            char **text, emg_error *err);
// docs/parameters.md from the schema. malloc'ed.
emg_status emg_config_reference(char **markdown, emg_error *err);

// A quantity with its unit: "2048 Hz", "0.5ms", "30 %MVC" -> value in `unit`. EMG_ERR_CONFIG with
// the reason (wrong dimension, not a finite number, rest after the number).
emg_status emg_quantity_parse(const char *text, const char *unit, double *value, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
