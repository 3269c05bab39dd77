/* values.h - the values of the command line. */
#ifndef AQ_CLI_VALUES_H
#define AQ_CLI_VALUES_H

#include "options/option_values.h"

enum { CLI_MAX_OPERANDS = 2, CLI_MAX_LISTS = 4 };

typedef struct cli_values {
  const char *operands[CLI_MAX_OPERANDS];
  size_t operand_count;
  aq_option_values set;              /* options of every operation; the texts belong to argv */
  const char **lists[CLI_MAX_LISTS]; /* memory of the options that may be repeated */
  size_t list_count;
} cli_values;

void cli_values_reset(cli_values *values);

#endif
