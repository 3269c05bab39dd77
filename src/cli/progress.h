/* progress.h - one line on the terminal that says how far a job is. */
#ifndef AQ_CLI_PROGRESS_H
#define AQ_CLI_PROGRESS_H

#include "arrowquant.h"

typedef struct cli_progress {
  bool enabled;
  double began, drawn_at; /* seconds; drawn_at 0: nothing drawn yet */
  size_t drawn_length;    /* columns of the line on the terminal, 0 when it is clear */
} cli_progress;

/* Draws only when `wanted` and standard error is a terminal. */
void cli_progress_begin(cli_progress *p, bool wanted);

/* The callback for aq_run_options; ctx is a cli_progress. Says "stop" after a signal, drawn or not. */
bool cli_progress_update(void *ctx, const aq_progress_event *event);

/* Takes the line off the terminal. */
void cli_progress_clear(cli_progress *p);

#endif
