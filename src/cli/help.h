/* help.h - help texts, made from the table of options. */
#ifndef AQ_CLI_HELP_H
#define AQ_CLI_HELP_H

#include <stdio.h>

#include "options.h"

/* Usage, what the command does, its options, examples; 100 columns. */
void cli_help_command(FILE *out, const cli_command *command);

/* The list of commands; `commands` ends with NULL. The long form adds what holds for all of them. */
void cli_help_overview(FILE *out, const cli_command *const *commands, bool long_form);

#endif
