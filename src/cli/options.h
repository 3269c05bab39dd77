/* options.h - the option parser: commands say what they take in tables, and the same tables make the help. */
#ifndef AQ_CLI_OPTIONS_H
#define AQ_CLI_OPTIONS_H

#include "values.h"

typedef enum cli_kind {
  CLI_FLAG, /* bool: no value */
  CLI_TEXT, /* const char *: any text but the empty one */
  CLI_WORD, /* const char *: one of `words` */
  CLI_LIST, /* cli_list: any text, may be repeated */
  CLI_UINT, /* uint32_t: least..most */
  CLI_SIZE, /* uint64_t: bytes, as sizes.h reads them */
  CLI_REAL  /* double: least..most */
} cli_kind;

/* A word that may be given, in any case, and the text that the library knows it by. */
typedef struct cli_word {
  const char *word;
  const char *value;
} cli_word;

typedef struct cli_option {
  const char *name; /* without the dashes */
  char letter;      /* 0: none */
  cli_kind kind;
  size_t field;          /* offset in cli_values */
  const char *argument;  /* what the help calls the value; NULL for a flag */
  const cli_word *words; /* CLI_WORD: ends with a NULL word */
  double least, most;    /* CLI_UINT, CLI_REAL */
  double alone;      /* CLI_REAL: what the option means without a value, which then comes after '='; 0: it needs one */
  bool may_be_empty; /* CLI_TEXT, CLI_LIST: the empty text is a value */
  const char *help;
} cli_option;

#define CLI_FIELD(member) offsetof(cli_values, member)

/* Options under one heading of the help. */
typedef struct cli_group {
  const char *title;
  const cli_option *options;
  size_t count;
} cli_group;

#define CLI_GROUP(title, options) \
  { title, options, sizeof(options) / sizeof(options)[0] }

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
  const cli_group *const *groups;                  /* ends with NULL */
  const cli_conflict *conflicts;                   /* NULL, or ends with a NULL pair */
  bool takes_output;                               /* -o must be given, unless --dry-run is */
  aq_status (*run)(const cli_values *values, const aq_run_options *run, aq_report **report, aq_error *err);
} cli_command;

/* Reads the arguments after the command's name: "--name value", "--name=value", "-n value", "-nvalue", flags together
 * ("-qh"); '-' and '_' are the same in names; "--" ends the options. On failure err says which option, which value and
 * what is allowed. The values are the caller's to reset either way. */
aq_status cli_parse(const cli_command *command, int argc, char *const *argv, cli_values *values, aq_error *err);

/* True when this flag stands among the arguments before "--": for what must be known even when the rest is wrong. */
bool cli_has_flag(int argc, char *const *argv, const char *name, char letter);

/* Fills err with a usage error; hint may be empty. Returns AQ_ERR_ARGUMENT. */
aq_status cli_usage_error(aq_error *err, const char *hint, const char *format, ...);

#endif
