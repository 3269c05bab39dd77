/* logfile.h - a file that remembers what was run, when, and how it ended. */
#ifndef AQ_CLI_LOGFILE_H
#define AQ_CLI_LOGFILE_H

#include "arrowquant.h"

/* One per process; fd -1: no log. */
typedef struct cli_log {
  int fd;
  const char *path;
} cli_log;

/* Opens a log for appending, making it when it is not there. NULL path: no log. */
aq_status cli_log_open(cli_log *log, const char *path, aq_error *err);

/* Appends "DATE arrowquant[PID]: WORD TEXT" in one write, so that jobs can share a log; control characters in text
 * become '?'. */
void cli_log_line(cli_log *log, const char *word, const char *text);

/* The same with the words of a command line, quoted for the shell where they need it. */
void cli_log_command(cli_log *log, int argc, char *const *argv);

/* Appends the lines of a report, indented. */
void cli_log_report(cli_log *log, const char *text);

void cli_log_close(cli_log *log);

#endif
