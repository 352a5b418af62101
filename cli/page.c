// page.c -- pieces of a self-contained HTML page with inline SVG figures
#include "cli/page.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

void page_text(FILE *out, const char *text) {
  size_t left = strlen(text);

  while (left > 0) {
    size_t valid = emg_utf8_valid_length(text, left);
    for (size_t i = 0; i < valid; i++) {
      unsigned char c = (unsigned char)text[i];
      switch (c) {
        case '&':
          fputs("&amp;", out);
          break;
        case '<':
          fputs("&lt;", out);
          break;
        case '>':
          fputs("&gt;", out);
          break;
        case '"':
          fputs("&quot;", out);
          break;
        case '\'':
          fputs("&#39;", out);
          break;
        default:
          fputc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? ' ' : c, out);
      }
    }
    if (valid < left) {
      fputs("\xef\xbf\xbd", out);
      valid++;
    }
    text += valid;
    left -= valid;
  }
}

// one accent for what was found, grey for what is true, a second accent for force and excitation
static const char style[] =
    ":root{--page:#fbfbfa;--card:#fff;--text:#1d2125;--soft:#5d666f;--line:#d9dde1;"
    "--found:#1f6fb2;--true:#8a949e;--drive:#c2571a;--good:#2b7d4f;--bad:#b3372f;"
    "--bone:#efe9dc;--muscle:#e9c3bb;--fascia:#d8d3e6;--fat:#f6e6b4;--skin:#e8cdb0}"
    "@media(prefers-color-scheme:dark){:root{--page:#14171a;--card:#1c2024;--text:#e4e7ea;"
    "--soft:#9aa4ae;--line:#363d44;--found:#63aef0;--true:#7d8791;--drive:#f09355;--good:#6cc392;"
    "--bad:#f0857c;--bone:#4b473f;--muscle:#5c3a36;--fascia:#474257;--fat:#5e5330;"
    "--skin:#5a4a3b}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}"
    "h1{font-size:25px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:18px;margin:0 0 4px}"
    "p{margin:0 0 12px}.soft{color:var(--soft)}"
    "section{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:18px 20px;margin-top:18px}"
    ".tiles{display:flex;flex-wrap:wrap;gap:12px;margin-top:18px}"
    ".tile{flex:1 1 128px;background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:12px 14px}.tile b{display:block;font-size:24px;font-weight:600;line-height:1.25;"
    "font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:13px}"
    ".pair{display:flex;flex-wrap:wrap;gap:20px}.pair>div{flex:1 1 400px;min-width:0}"
    "svg{width:100%;height:auto;display:block}svg text{fill:var(--soft);font-size:12px}"
    "svg .title{fill:var(--text)}svg .frame,svg .tick{stroke:var(--line);fill:none}"
    "svg .found{stroke:var(--found);fill:none}svg .true{stroke:var(--true);fill:none}"
    "svg .drive{stroke:var(--drive);fill:none}svg .fine{stroke-width:.8}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;"
    "font-variant-numeric:tabular-nums;font-size:14px}"
    "th,td{text-align:right;padding:4px 10px;border-bottom:1px solid var(--line);"
    "white-space:nowrap}th{color:var(--soft);font-weight:500}"
    "th:first-child,td:first-child{text-align:left}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
    "pre{overflow-x:auto;font-size:12.5px;line-height:1.45;margin:10px 0 0}"
    ".key{display:inline-block;width:18px;height:3px;border-radius:2px;vertical-align:middle;"
    "margin:0 6px 0 14px}@media print{section,.tile{break-inside:avoid}}";

void page_begin(FILE *out, const char *title) {
  fputs(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; img-src data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
      out);
  page_text(out, title);
  fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n", style);
}

void page_end(FILE *out) {
  fputs("</main>\n</body>\n</html>\n", out);
}

void page_section(FILE *out, const char *heading, const char *about) {
  fprintf(out, "<section>\n<h2>%s</h2>\n", heading);
  if (about) {
    fprintf(out, "<p class=\"soft\">%s</p>\n", about);
  }
}

void page_section_end(FILE *out) {
  fputs("</section>\n", out);
}

void page_figure(FILE *out, double width, double height, const char *label) {
  fprintf(out, "<svg viewBox=\"0 0 %g %g\" style=\"max-width:%gpx\" role=\"img\" aria-label=\"",
          width, height, width);
  page_text(out, label);
  fputs("\">\n", out);
}

void page_figure_end(FILE *out) {
  fputs("</svg>\n", out);
}

double page_x(const page_axes *axes, double x) {
  return axes->left + axes->width * (x - axes->x_min) / (axes->x_max - axes->x_min);
}

double page_y(const page_axes *axes, double y) {
  return axes->top + axes->height * (axes->y_max - y) / (axes->y_max - axes->y_min);
}

// 1, 2 or 5 times a power of ten, so that a range holds about five
static double tick_step(double range) {
  double raw = range / 5, power = pow(10, floor(log10(raw))), ratio = raw / power;
  return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

// the ends of an axis may miss a whole number of steps by rounding
static double first_tick(double least, double step) {
  return step * ceil(least / step - 1e-9);
}

static double clean(double value, double step) {
  return fabs(value) < 1e-9 * step ? 0 : value;
}

static void draw_x_ticks(FILE *out, const page_axes *axes) {
  double step = tick_step(axes->x_max - axes->x_min), bottom = axes->top + axes->height;

  for (double x = first_tick(axes->x_min, step); x <= axes->x_max + 1e-9 * step; x += step) {
    double at = page_x(axes, x);
    fprintf(out,
            "<path class=\"tick\" d=\"M%.1f %.1fv5\"/>"
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n",
            at, bottom, at, bottom + 18, clean(x, step));
  }
}

// the axis may run downwards
static void draw_y_ticks(FILE *out, const page_axes *axes, bool is_right) {
  double least = fmin(axes->y_min, axes->y_max), most = fmax(axes->y_min, axes->y_max);
  double step = tick_step(most - least);
  double edge = is_right ? axes->left + axes->width : axes->left;

  for (double y = first_tick(least, step); y <= most + 1e-9 * step; y += step) {
    double at = page_y(axes, y);
    fprintf(out,
            "<path class=\"tick\" d=\"M%.1f %.1fh%d\"/>"
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%g</text>\n",
            edge, at, is_right ? 5 : -5, edge + (is_right ? 8 : -8), at + 4,
            is_right ? "start" : "end", clean(y, step));
  }
}

static void draw_y_title(FILE *out, const page_axes *axes, double x, const char *title) {
  double middle = axes->top + 0.5 * axes->height;

  fprintf(out,
          "<text class=\"title\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" "
          "transform=\"rotate(-90 %.1f %.1f)\">%s</text>\n",
          x, middle, x, middle, title);
}

void page_draw_axes(FILE *out, const page_axes *axes, const char *x_title, const char *y_title) {
  fprintf(out, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
          axes->left, axes->top, axes->width, axes->height);
  if (x_title) {
    draw_x_ticks(out, axes);
    fprintf(out, "<text class=\"title\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
            axes->left + 0.5 * axes->width, axes->top + axes->height + 36, x_title);
  }
  if (y_title) {
    draw_y_ticks(out, axes, false);
    draw_y_title(out, axes, axes->left - 42, y_title);
  }
}

void page_draw_right_axis(FILE *out, const page_axes *axes, const char *title) {
  draw_y_ticks(out, axes, true);
  draw_y_title(out, axes, axes->left + axes->width + 46, title);
}
