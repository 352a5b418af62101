// talk.c -- errors, log lines and the progress bar, all on stderr
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

// a terminal that understands carriage return and erasing
static bool is_smart_terminal(void) {
  const char *term = getenv("TERM");
  return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static bool wants_colour(void) {
  const char *no_color = getenv("NO_COLOR");
  return is_smart_terminal() && !(no_color && no_color[0]);
}

// --- the progress bar ---

static struct {
  char stage[48];
  int64_t first;  // what was done when the stage began
  double start_s, drawn_s;
  bool is_drawn;
} bar;

static double now_s(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void cli_progress_end(void) {
  if (bar.is_drawn) {
    fputs("\r\033[K", stderr);
    fflush(stderr);
    bar.is_drawn = false;
  }
}

static void print_time(double seconds) {
  long whole = (long)(seconds + 0.5);

  if (whole >= 3600) {
    fprintf(stderr, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    fprintf(stderr, "%ld:%02ld", whole / 60, whole % 60);
  }
}

// "action potentials [#####-----]  52 %  310/s  0:04 left", as wide as the terminal allows
static void draw(int64_t done, int64_t total, double elapsed_s) {
  enum { CELLS_MAX = 30, AROUND = 40 };
  struct winsize window = {0};
  int columns =
      ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col : 80;
  int cells = columns - AROUND - (int)strlen(bar.stage);
  double fraction = total > 0 ? (double)done / (double)total : 0;
  double per_s = elapsed_s > 0 ? (double)(done - bar.first) / elapsed_s : 0;

  fraction = fraction > 1 ? 1 : fraction;
  cells = cells > CELLS_MAX ? CELLS_MAX : cells;
  fprintf(stderr, "\r%s ", bar.stage);
  if (cells > 4) {
    int filled = (int)(fraction * cells);
    fputc('[', stderr);
    for (int i = 0; i < cells; i++) {
      fputc(i < filled ? '#' : '-', stderr);
    }
    fputc(']', stderr);
  }
  fprintf(stderr, " %3.0f %%  ", 100 * fraction);
  if (per_s > 0) {
    fprintf(stderr, per_s < 10 ? "%.1f/s  " : "%.0f/s  ", per_s);
    print_time((double)(total - done) / per_s);
    fputs(" left", stderr);
  }
  fputs("\033[K", stderr);
  fflush(stderr);
}

// nothing is drawn in the first half second of a stage, and not more than ten times a second
static bool on_progress(const char *stage, int64_t done, int64_t total, void *user) {
  (void)user;
  double now = now_s();

  if (strncmp(bar.stage, stage, sizeof bar.stage - 1) != 0) {
    cli_progress_end();
    snprintf(bar.stage, sizeof bar.stage, "%s", stage);
    bar.first = done;
    bar.start_s = now;
    bar.drawn_s = now;
  }
  if (now - bar.start_s > 0.5 && now - bar.drawn_s > 0.1) {
    draw(done, total, now - bar.start_s);
    bar.drawn_s = now;
    bar.is_drawn = true;
  }
  return false;
}

// --- lines ---

// text from outside as part of one line: control characters would break it or drive the terminal
static void print_line_part(const char *text) {
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    fputc(c < 0x20 || c == 0x7f ? ' ' : c, stderr);
  }
}

static void print_kind(const char *kind, const char *colour) {
  if (wants_colour()) {
    fprintf(stderr, "\033[1;%sm%s:\033[0m ", colour, kind);
  } else {
    fprintf(stderr, "%s: ", kind);
  }
}

static void print_finding(const emg_diagnostic *finding) {
  fputs("emgtwin: ", stderr);
  if (finding->file[0]) {
    print_line_part(finding->file);
    if (finding->line > 0) {
      fprintf(stderr, ":%d", finding->line);
      if (finding->column > 0) {
        fprintf(stderr, ":%d", finding->column);
      }
    }
    fputs(": ", stderr);
  }
  print_kind("error", "31");
  print_line_part(finding->message);
  fputc('\n', stderr);
}

void cli_print_error(const emg_error *err) {
  cli_progress_end();
  for (int i = 0; i < err->n_items; i++) {
    print_finding(&err->items[i]);
  }
}

void cli_say(const cli_args *args, const char *format, ...) {
  if (args->verbosity < 0) {
    return;
  }
  char text[1024];
  va_list list;

  cli_progress_end();
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  fputs("emgtwin: ", stderr);
  print_line_part(text);
  fputc('\n', stderr);
}

static void on_log(emg_log_level level, const char *stage, const char *text, void *user) {
  const cli_args *args = user;

  if ((int)level > args->verbosity) {
    return;
  }
  cli_progress_end();
  fputs("emgtwin: ", stderr);
  if (level == EMG_LOG_WARNING) {
    print_kind("warning", "33");
  }
  if (stage && stage[0]) {
    print_line_part(stage);
    fputs(": ", stderr);
  }
  print_line_part(text);
  fputc('\n', stderr);
}

emg_monitor cli_monitor(const cli_args *args) {
  bool shows_bar = is_smart_terminal() && !args->no_progress && args->verbosity >= 0;
  return (emg_monitor){
      .log = on_log, .progress = shows_bar ? on_progress : NULL, .user = (void *)args};
}
