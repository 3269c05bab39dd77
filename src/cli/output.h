/* output.h - the output of a command: its report on standard output, errors as one line on standard error. */
#ifndef AQ_CLI_OUTPUT_H
#define AQ_CLI_OUTPUT_H

#include "arrowquant.h"

/* "arrowquant: error: ..." on standard error, as one line; "error:" is red on a terminal unless NO_COLOR is set. */
void cli_print_error(const aq_error *err);

/* The same as a JSON document on standard output, for --json; `command` may be NULL. */
void cli_print_error_json(const char *command, const aq_error *err);

/* False when they were not written as a whole: cli_flush_output says why. */
bool cli_print_bytes(const void *bytes, size_t size);

/* Text and a final newline, if it has none, on standard output. */
void cli_print_text(const char *text);

/* Flushes standard output. False, with err set, when something printed there was lost. */
bool cli_flush_output(aq_error *err);

#endif
