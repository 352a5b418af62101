// page.h -- pieces of a self-contained HTML page with inline SVG figures (private to cli)
//
// No scripts and nothing from outside: the page's own policy forbids both. Everything that comes
// from an input goes through page_text.
#ifndef EMG_CLI_PAGE_H
#define EMG_CLI_PAGE_H

#include <stdio.h>

// Text from outside: escaped for HTML text and attributes, control characters replaced.
void page_text(FILE *out, const char *text);

void page_begin(FILE *out, const char *title);
void page_end(FILE *out);
// A section with a heading; `about` says how to read it and may be NULL. Both are our own words.
void page_section(FILE *out, const char *heading, const char *about);
void page_section_end(FILE *out);

// A figure of `width` x `height` units; `label` is what it shows, for those who cannot see it.
void page_figure(FILE *out, double width, double height, const char *label);
void page_figure_end(FILE *out);

// A rectangle in the figure and the data range it shows. y grows upwards in the data.
typedef struct {
  double left, top, width, height;
  double x_min, x_max, y_min, y_max;
} page_axes;

double page_x(const page_axes *axes, double x);
double page_y(const page_axes *axes, double y);
// Frame, about five ticks along each axis and the two titles, units included; a NULL title leaves
// that axis bare.
void page_draw_axes(FILE *out, const page_axes *axes, const char *x_title, const char *y_title);
// The same for a second quantity at the right edge, from y_min to y_max.
void page_draw_right_axis(FILE *out, const page_axes *axes, const char *title);

#endif
