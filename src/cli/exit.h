/* exit.h - the exit status of the process. */
#ifndef AQ_CLI_EXIT_H
#define AQ_CLI_EXIT_H

#include "arrowquant.h"

#define CLI_EXIT_DONE 0
#define CLI_EXIT_FAILED 1
#define CLI_EXIT_USAGE 2
#define CLI_EXIT_INPUT 3
#define CLI_EXIT_THRESHOLD 4
#define CLI_EXIT_DEGRADED 5
#define CLI_EXIT_RESOURCES 6
#define CLI_EXIT_INTERRUPTED 130

/* Exit status of a result. */
int cli_exit_status(aq_status status);

#endif
