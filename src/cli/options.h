/* options.h - the option parser: a command names the structs of the option table whose options it has, and its other
 * needs. */
#ifndef AQ_CLI_OPTIONS_H
#define AQ_CLI_OPTIONS_H

#include "options/option_table.h"
#include "values.h"

/* Two options that exclude each other. */
typedef struct cli_conflict {
  const char *first, *second;
} cli_conflict;

typedef struct cli_command {
  const char *name;
  const char *summary;                             /* one line, for the list of commands */
  const char *usage;                               /* what follows the name: "SRC -o OUT" */
  const char *about;                               /* paragraphs, separated by empty lines */
  const char *examples;                            /* lines, each indented by two */
  const char *operands[CLI_MAX_OPERANDS + 1];      /* "SRC"; ends with NULL */
  const char *operand_words[CLI_MAX_OPERANDS + 1]; /* what it is: "the model to read" */
  uint32_t owners;                                 /* structs whose options it has */
  const cli_conflict *conflicts;                   /* NULL, or ends with a NULL pair */
  aq_status (*run)(const cli_values *values, aq_report **report, aq_error *err);
} cli_command;

/* The option of a command after another one, or the first (after NULL); NULL when there are no more. */
const aq_option *cli_next_option(const cli_command *command, const aq_option *after);

/* Reads the arguments after the command's name: "--name value", "--name=value", "-n value", "-nvalue", flags together
 * ("-qh"); '-' and '_' are the same in names; "--" ends the options. On failure err names the option, which value and
 * what is allowed. The values are the caller's to reset either way. */
aq_status cli_parse(const cli_command *command, int argc, char *const *argv, cli_values *values, aq_error *err);

/* True when this flag stands among the arguments before "--": for what must be known even when the rest is wrong. */
bool cli_has_flag(int argc, char *const *argv, const char *name, char letter);

/* Fills err with a usage error; hint may be empty. Returns AQ_ERR_ARGUMENT. */
aq_status cli_usage_error(aq_error *err, const char *hint, const char *format, ...);

#endif
