/* progress.h - one line on the terminal with the progress of a job. */
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

/* The callback for aq_run_options; ctx is a cli_progress. Stops the job after a signal, whether a line is drawn or not.
 */
bool cli_progress_update(void *ctx, const aq_progress_event *event);

/* Removes the line from the terminal. */
void cli_progress_clear(cli_progress *p);

#endif
