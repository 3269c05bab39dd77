/* commands.h - the commands, and what several of them share. */
#ifndef AQ_CLI_COMMANDS_H
#define AQ_CLI_COMMANDS_H

#include "options.h"

extern const cli_command cli_convert, cli_quantize, cli_info, cli_verify, cli_compare, cli_validate, cli_export,
    cli_tokenize, cli_embed, cli_score, cli_sensitivity, cli_perplexity, cli_generate;

/* The options that every command has which runs an operation. */
#define CLI_COMMON_OPTIONS (AQ_OPTIONS_OF(run) | AQ_OPTIONS_OF(command) | AQ_OPTIONS_OF(help))

/* What the operand SRC may be, for the help of a command. */
#define CLI_SOURCE_HELP                                                                                              \
  "SRC is a .safetensors file, a model.safetensors.index.json, a PyTorch file (.bin, .pt, .pth, .ckpt; nothing in "  \
  "it is run) or its index, a folder that holds one of them (a Hugging Face snapshot or cache folder too), a .gguf " \
  "or .onnx file, or a weight table in Parquet or the folder of its parts."

#endif
