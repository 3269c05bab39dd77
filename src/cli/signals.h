/* signals.h - Ctrl-C and similar signals end a job cleanly. */
#ifndef AQ_CLI_SIGNALS_H
#define AQ_CLI_SIGNALS_H

#include <stdbool.h>

/* From now on the first SIGINT, SIGTERM or SIGHUP is only noted; a second one of the same kind kills. A signal that was
 * ignored when the process began (nohup) stays ignored. A file that passes the size limit gives an error from write()
 * instead of SIGXFSZ. */
void cli_signals_catch(void);

bool cli_interrupted(void);

#endif
