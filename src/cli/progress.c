/* progress.c - one line on the terminal with the progress of a job.
 *
 * Redrawn at most ten times a second, and not at all in jobs that are over before anyone could read it. Spaces instead
 * of escape sequences clear it, so that every terminal will do. */
#include "progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "signals.h"
#include "sizes.h"

#define QUIET_SECONDS 0.3
#define REDRAW_SECONDS 0.1
#define RATE_SECONDS 0.5 /* an earlier guess of the time left is worth nothing */

static double now(void) {
  struct timespec t = {0, 0};
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t terminal_columns(void) {
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void cli_progress_begin(cli_progress *p, bool wanted) {
  p->enabled = wanted && isatty(STDERR_FILENO) == 1;
  p->began = now();
  p->drawn_at = 0;
  p->drawn_length = 0;
}

/* "35 s", "2 min 5 s", "1 h 12 min". */
static void duration_text(double seconds, char *out, size_t size) {
  const unsigned long s = seconds < 1e9 ? (unsigned long)(seconds + 0.5) : 1000000000UL;
  if (s < 60) {
    (void)snprintf(out, size, "%lu s", s);
  } else if (s < 3600) {
    (void)snprintf(out, size, "%lu min %lu s", s / 60, s % 60);
  } else {
    (void)snprintf(out, size, "%lu h %lu min", s / 3600, s / 60 % 60);
  }
}

/* "quantize  45%  41.0 MB of 90.9 MB  33/102 tensors  512.0 MB/s  1 s left" */
static void line_text(const aq_progress_event *e, char *out, size_t size) {
  char done[32], total[32], rate[48] = "", left[64] = "";
  const double bytes = (double)e->bytes_done, all = (double)e->bytes_total;
  const double share = all > 0                ? bytes / all
                       : e->tensors_total > 0 ? (double)e->tensors_done / (double)e->tensors_total
                                              : 0;
  if (e->seconds >= RATE_SECONDS && bytes > 0) {
    char text[32];
    (void)snprintf(rate, sizeof rate, "  %s/s", cli_size_text(bytes / e->seconds, text, sizeof text));
    duration_text(all > bytes ? (all - bytes) * e->seconds / bytes : 0, text, sizeof text);
    (void)snprintf(left, sizeof left, "  %s left", text);
  }
  (void)snprintf(out, size, "%s %3.0f%%  %s of %s  %llu/%llu tensors%s%s", e->stage != NULL ? e->stage : "working",
                 100 * (share < 1 ? share : 1), cli_size_text(bytes, done, sizeof done),
                 cli_size_text(all, total, sizeof total), (unsigned long long)e->tensors_done,
                 (unsigned long long)e->tensors_total, rate, left);
}

/* Writes the line over the last one; what is longer than the terminal would scroll, so it is cut. */
static void draw(cli_progress *p, const char *line) {
  const size_t columns = terminal_columns() - 1;
  const int n = fprintf(stderr, "\r%.*s", (int)columns, line);
  const size_t length = n > 0 ? (size_t)n - 1 : 0;
  if (length < p->drawn_length)
    (void)fprintf(stderr, "%*s\r%.*s", (int)(p->drawn_length - length), "", (int)columns, line);
  (void)fflush(stderr);
  p->drawn_length = length;
}

bool cli_progress_update(void *ctx, const aq_progress_event *event) {
  cli_progress *p = ctx;
  if (cli_interrupted()) return false;
  if (!p->enabled) return true;
  const double t = now();
  if (t - p->began < QUIET_SECONDS || t - p->drawn_at < REDRAW_SECONDS) return true;
  char line[256];
  line_text(event, line, sizeof line);
  draw(p, line);
  p->drawn_at = t;
  return true;
}

void cli_progress_clear(cli_progress *p) {
  if (p->drawn_length == 0) return;
  (void)fprintf(stderr, "\r%*s\r", (int)p->drawn_length, "");
  (void)fflush(stderr);
  p->drawn_length = 0;
}
