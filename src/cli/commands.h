/* commands.h - the commands, and the options that several of them share. */
#ifndef AQ_CLI_COMMANDS_H
#define AQ_CLI_COMMANDS_H

#include "options.h"

extern const cli_command cli_convert, cli_quantize, cli_info, cli_verify, cli_compare, cli_validate, cli_export,
    cli_tokenize, cli_embed, cli_sensitivity;

extern const cli_group cli_common_group; /* "Common options" */
extern const cli_group cli_table_group;  /* how tables are written */

/* What the operand SRC may be, for the help of a command. */
#define CLI_SOURCE_HELP                                                                                          \
  "SRC is a .safetensors file, a model.safetensors.index.json, a folder that holds one of them (a Hugging Face " \
  "snapshot or cache folder too), or a weight table in Parquet or the folder of its parts."

/* The table options of the library, from the command line. */
aq_table_options cli_table_options(const cli_values *values);

#endif
