// unit_flags.c -- why a unit should be looked at, in words
#include "cli/cli.h"

static const struct {
  int32_t flag;
  const char *name, *why;
} flag_texts[] = {
    {EMG_UNIT_MAY_BE_TWO, "may_be_two", "may hold two units' spikes"},
    {EMG_UNIT_HARD_TO_DETECT, "hard_to_detect", "hardly stands out of the rest"},
    {EMG_UNIT_INTERMITTENT, "intermittent", "pauses often"},
    {EMG_UNIT_EDITED, "edited", "was edited"},
    {EMG_UNIT_AT_LIMIT, "at_limit", "is where the configuration says that no unit is"},
};
enum { N_FLAGS = sizeof flag_texts / sizeof flag_texts[0] };

void cli_print_flags(int32_t flags) {
  int n = 0;

  for (int i = 0; i < N_FLAGS; i++) {
    if (flags & flag_texts[i].flag) {
      printf("%s%s", n++ ? ", " : "  ", flag_texts[i].why);
    }
  }
  putchar('\n');
}

void cli_add_flags(emg_json *json, int32_t flags) {
  emg_json_array(json, "flags");
  for (int i = 0; i < N_FLAGS; i++) {
    if (flags & flag_texts[i].flag) {
      emg_json_text(json, NULL, flag_texts[i].name);
    }
  }
  emg_json_end(json);
}
