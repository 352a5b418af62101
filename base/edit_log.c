// edit_log.c -- what was done to a decomposition by hand, and what that replaced
#include <emgtwin/file.h>

#include <stdlib.h>

void emg_edit_log_cut(emg_edit_log *log, int n) {
  while (log->n_steps > n) {
    emg_edit_step *step = &log->steps[--log->n_steps];
    free(step->text);
    if (step->kept) {
      emg_decomposition_free(step->kept);
    }
    free(step->kept);
  }
  log->n_done = log->n_done < n ? log->n_done : n;
}

void emg_edit_log_free(emg_edit_log *log) {
  emg_edit_log_cut(log, 0);
  free(log->steps);
  *log = (emg_edit_log){0};
}

// Ascending numbers of units below n_units.
static bool are_numbers(int n, const int *numbers, int n_units) {
  bool is_ok = n >= 0 && n <= EMG_EDIT_UNITS_MAX && n <= n_units;

  for (int i = 0; is_ok && i < n; i++) {
    is_ok = numbers[i] >= (i > 0 ? numbers[i - 1] + 1 : 0) && numbers[i] < n_units;
  }
  return is_ok;
}

emg_status emg_edit_log_check(const emg_edit_log *log, int n_units, emg_error *err) {
  if (log->n_done < 0 || log->n_done > log->n_steps) {
    return emg_fail(err, EMG_ERR_DATA, "%d of %d edits are said to be done; the log is damaged",
                    log->n_done, log->n_steps);
  }
  for (int direction = 0; direction < 2; direction++) {
    int n = n_units;
    // backwards over what is done, forwards over what is undone
    for (int i = direction ? log->n_done : log->n_done - 1; direction ? i < log->n_steps : i >= 0;
         i += direction ? 1 : -1) {
      const emg_edit_step *s = &log->steps[i];
      int n_out = direction ? s->n_before : s->n_after, n_in = direction ? s->n_after : s->n_before;
      const int *out = direction ? s->before : s->after, *in = direction ? s->after : s->before;
      bool is_ok = are_numbers(n_out, out, n) && are_numbers(n_in, in, n - n_out + n_in) &&
                   s->kept && s->kept->spikes.n_units == n_in;
      if (!is_ok) {
        return emg_fail(err, EMG_ERR_DATA,
                        "edit %d replaces units that are not there; the log is "
                        "damaged",
                        i + 1);
      }
      n += n_in - n_out;
    }
  }
  return EMG_OK;
}
